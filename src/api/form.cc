#include "api/form.h"

#include <algorithm>
#include <array>

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
bool isZero(const FieldInfo& field, const Value& value) {
  switch (field.kind) {
    case FieldKind::Bool:
      return !value.asBool();
    case FieldKind::Int32:
    case FieldKind::Int64:
    case FieldKind::Double:
      return value.asDouble() == 0 && value.asInt() == 0;
    case FieldKind::String:
    case FieldKind::Bytes:
      return value.asString().empty();
    case FieldKind::Message:
      return field.omitZero && value.empty();
    default:
      return false;
  }
}

void emitAbsentSingle(Value& map, const FieldInfo& field, Arena& arena) {
  if (field.omitZero) return;
  auto append = [&](Value value) { map.append(arena, field.json, value); };
  switch (field.kind) {
    case FieldKind::Bool:
      if (field.always) append(Value::boolean(false));
      return;
    case FieldKind::Int32:
    case FieldKind::Int64:
    case FieldKind::Double:
      if (field.always) append(Value::integer(0));
      return;
    case FieldKind::String:
      if (field.always) append(Value::string(""));
      return;
    case FieldKind::Bytes:
      if (field.always) append(Value::null());
      return;
    // Go structs: omitempty does not leave them out.
    case FieldKind::Duration:
      return append(Value::string("0s"));
    case FieldKind::Quantity:
      return append(Value::string("0"));
    case FieldKind::IntOrString:
      return append(Value::integer(0));
    case FieldKind::Message:
      if (!field.type) return;
      if (!field.type->isWrapper)
        append(zeroMessage(*field.type, arena));
      else if (field.always)
        append(Value::null());
      return;
    default:
      return append(Value::null());
  }
}
}  // namespace

void emitField(Value& map, const FieldInfo& field, const Value* value, Arena& arena) {
  bool absent = !value || value->isNull();
  if (field.cardinality == Cardinality::Single) {
    if (absent) return emitAbsentSingle(map, field, arena);
    if (!field.always && isZero(field, *value)) return;
  } else if (absent) {
    if (field.always) map.append(arena, field.json, Value::null());
    return;
  } else if (field.cardinality != Cardinality::Optional && value->empty() && !field.always) {
    return;
  }
  map.append(arena, field.json, *value);
}

Value zeroMessage(const TypeInfo& type, Arena& arena) {
  Value map = Value::map();
  for (const auto& field : type.fields) emitField(map, field, nullptr, arena);
  return map;
}

std::string apiVersionOf(const TypeInfo& kind) {
  constexpr std::array<std::string_view, 3> own = {"Table", "PartialObjectMetadata",
                                                   "PartialObjectMetadataList"};
  if (kind.package == "meta/v1" && std::find(own.begin(), own.end(), kind.name) == own.end())
    return "v1";
  return apiVersionOf(kind.group, kind.version);
}

}  // namespace skiff::api
