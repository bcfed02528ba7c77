#include "api/convert.h"
#include "api/defaults_special.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
// The tables' literals are trusted: they were checked when the schema was read.
Value literal(std::string_view json, Arena& arena) {
  auto parsed = codec::parseJson(json, arena);
  return parsed.ok() ? *parsed : Value::null();
}

// A field that Go would hold as its zero value counts as absent.
bool isUnset(const FieldInfo& field, const Value* value) {
  if (!value || value->isNull()) return true;
  if (field.cardinality != Cardinality::Single) return false;
  return field.kind == FieldKind::String && value->asString().empty();
}

void fillMessage(Value& object, const TypeInfo& type, Arena& arena);

void fillBelow(Value& value, const FieldInfo& field, Arena& arena) {
  if (!field.type || field.type->isWrapper || field.kind != FieldKind::Message) return;
  if (field.cardinality == Cardinality::List) {
    for (auto& item : value.items()) fillMessage(item, *field.type, arena);
  } else if (field.cardinality == Cardinality::Map) {
    for (auto& member : value.members()) fillMessage(member.value, *field.type, arena);
  } else {
    fillMessage(value, *field.type, arena);
  }
}

// Puts a field where the tables' order has it.
void insertField(Value& object, const TypeInfo& type, const FieldInfo& field, Value value, Arena& arena) {
  object.append(arena, field.json, value);
  auto members = object.members();
  auto rank = [&](std::string_view key) {
    const FieldInfo* other = type.field(key);
    return other ? other - type.fields.data() : -1;
  };
  auto own = rank(field.json);
  for (size_t i = members.size() - 1; i > 0 && rank(members[i - 1].key) > own; --i) std::swap(members[i - 1], members[i]);
}

void fillMessage(Value& object, const TypeInfo& type, Arena& arena) {
  if (!object.isMap()) return;
  for (const auto& field : type.fields) {
    Value* value = object.find(field.json);
    if (!field.defaultJson.empty() && isUnset(field, value)) {
      Value filled = literal(field.defaultJson, arena);
      if (value)
        *value = filled;
      else
        insertField(object, type, field, filled, arena);
      value = object.find(field.json);
    }
    if (value) fillBelow(*value, field, arena);
  }
  if (auto special = specialDefaults(type)) special(object, arena);
}
}  // namespace

void applyDefaults(Value& object, const TypeInfo& type, Arena& arena) { fillMessage(object, type, arena); }

}  // namespace skiff::api
