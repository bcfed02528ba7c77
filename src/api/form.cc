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

bool isWrittenThoughAbsent(const FieldInfo& field) {
  if (field.cardinality != Cardinality::Single) return field.always;
  if (field.omitZero) return false;
  switch (field.kind) {
    case FieldKind::Bool:
    case FieldKind::Int32:
    case FieldKind::Int64:
    case FieldKind::Double:
    case FieldKind::String:
    case FieldKind::Bytes:
      return field.always;
    case FieldKind::Message:
      return field.type && (!field.type->isWrapper || field.always);
    // Go structs: omitempty does not leave them out.
    default:
      return true;
  }
}

// What Go writes for a field that is absent.
Value zeroOf(const FieldInfo& field, Arena& arena) {
  if (field.cardinality != Cardinality::Single) return Value::null();
  switch (field.kind) {
    case FieldKind::Bool:
      return Value::boolean(false);
    case FieldKind::Int32:
    case FieldKind::Int64:
    case FieldKind::Double:
    case FieldKind::IntOrString:
      return Value::integer(0);
    case FieldKind::String:
      return Value::string("");
    case FieldKind::Duration:
      return Value::string("0s");
    case FieldKind::Quantity:
      return Value::string("0");
    case FieldKind::Message:
      return field.type->isWrapper ? Value::null() : zeroMessage(*field.type, arena);
    default:
      return Value::null();
  }
}

bool isAbsent(const Value* value) { return !value || value->isNull(); }
}  // namespace

bool isWritten(const FieldInfo& field, const Value* value) {
  if (isAbsent(value)) return isWrittenThoughAbsent(field);
  if (field.always || field.cardinality == Cardinality::Optional) return true;
  return field.cardinality == Cardinality::Single ? !isZero(field, *value) : !value->empty();
}

void emitField(Value& map, const FieldInfo& field, const Value* value, Arena& arena) {
  if (isWritten(field, value)) map.append(arena, field.json, isAbsent(value) ? zeroOf(field, arena) : *value);
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
