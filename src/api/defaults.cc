#include "api/convert.h"
#include "api/defaults_special.h"
#include "api/quantity.h"
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
  if (field.cardinality == Cardinality::List || field.cardinality == Cardinality::Map)
    return value->empty();
  if (field.cardinality != Cardinality::Single) return false;
  return value->isString() ? value->asString().empty() : value->isInt() && value->asInt() == 0;
}

// Amounts of resources are kept to the thousandth.
void roundResources(Value& resources, Arena& arena) {
  for (auto& member : resources.members()) {
    auto quantity = Quantity::parse(member.value.asString());
    if (!quantity) continue;
    auto rounded = quantity->roundedUpToMilli();
    if (rounded != *quantity) member.value = Value::text(arena, rounded.str());
  }
}

// Whether there is something to fill in the field, or below it.
bool concerns(const FieldInfo& field) {
  if (!field.defaultJson.empty()) return true;
  if (field.kind == FieldKind::Quantity) return field.cardinality == Cardinality::Map;
  return field.kind == FieldKind::Message && field.type && !field.type->isWrapper;
}

void fillMessage(Value& object, const TypeInfo& type, Arena& arena);

void fillBelow(Value& value, const FieldInfo& field, Arena& arena) {
  if (field.kind == FieldKind::Quantity && field.cardinality == Cardinality::Map)
    return roundResources(value, arena);
  if (!field.type || field.type->isWrapper || field.kind != FieldKind::Message) return;
  if (field.cardinality == Cardinality::List) {
    for (auto& item : value.items()) fillMessage(item, *field.type, arena);
  } else if (field.cardinality == Cardinality::Map) {
    for (auto& member : value.members()) fillMessage(member.value, *field.type, arena);
  } else {
    fillMessage(value, *field.type, arena);
  }
}

void fillMessage(Value& object, const TypeInfo& type, Arena& arena) {
  if (!object.isMap()) return;
  for (const auto& field : type.fields) {
    if (!concerns(field)) continue;
    Value* value = object.find(field.json);
    if (!field.defaultJson.empty() && isUnset(field, value)) {
      Value filled = literal(field.defaultJson, arena);
      bool zero = field.cardinality == Cardinality::Single && isUnset(field, &filled);
      if (!zero) value = &insertField(object, type, field.json, filled, arena);
    }
    if (value) fillBelow(*value, field, arena);
  }
  fillSpecialDefaults(object, type, arena);
}
}  // namespace

Value& insertField(Value& object, const TypeInfo& type, std::string_view name, Value value,
                   Arena& arena) {
  if (Value* present = object.find(name)) {
    *present = value;
    return *present;
  }
  const FieldInfo* field = type.field(name);
  MUST(field);
  object.append(arena, field->json, value);
  auto members = object.members();
  auto rank = [&](std::string_view key) {
    const FieldInfo* other = type.field(key);
    return other ? other - type.fields.data() : -1;
  };
  size_t at = members.size() - 1;
  for (auto own = rank(name); at > 0 && rank(members[at - 1].key) > own; --at)
    std::swap(members[at - 1], members[at]);
  return members[at].value;
}

void applyDefaults(Value& object, const TypeInfo& type, Arena& arena) {
  fillMessage(object, type, arena);
}

}  // namespace skiff::api
