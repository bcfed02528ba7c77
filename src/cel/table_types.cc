#include "cel/table_types.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "base/strings.h"
#include "cel/schema_types.h"

namespace skiff::cel {
namespace {

using api::Cardinality;
using api::FieldInfo;
using api::FieldKind;
using api::TypeInfo;

class TableTypes {
 public:
  explicit TableTypes(codec::Arena& arena) : arena_(arena) {}

  const Type& of(const TypeInfo& table, const std::string& name) {
    if (std::ranges::find(within_, &table) != within_.end()) return objectType(name, {}, arena_);
    within_.push_back(&table);
    std::vector<TypeMember> members;
    std::deque<std::string> names;  // what the members' names see until they are copied
    const Type& text = simpleType(StaticType::String);
    if (table.isKind) members = {{"apiVersion", &text}, {"kind", &text}};
    for (const FieldInfo& field : table.fields) {
      const Type* type = ofField(field, concat(name, ".", field.json));
      if (!type) continue;
      for (std::string& spelling : spellingsOf(field.json)) members.push_back({names.emplace_back(std::move(spelling)), type});
    }
    within_.pop_back();
    return objectType(name, members, arena_);
  }

 private:
  const Type* ofField(const FieldInfo& field, const std::string& name) {
    bool isList = field.cardinality == Cardinality::List, isMap = field.cardinality == Cardinality::Map;
    const Type* item = ofItem(field, isList ? name + ".@idx" : isMap ? name + ".@elem" : name);
    if (!item) return nullptr;
    if (isList) return &listType(*item, arena_);
    return isMap ? &mapType(simpleType(StaticType::String), *item, arena_) : item;
  }

  const Type* ofItem(const FieldInfo& field, const std::string& name) {
    switch (field.kind) {
      case FieldKind::Bool: return &simpleType(StaticType::Bool);
      case FieldKind::Int32:
      case FieldKind::Int64: return &simpleType(StaticType::Int);
      case FieldKind::Double: return &simpleType(StaticType::Double);
      case FieldKind::String:
      case FieldKind::Duration: return &simpleType(StaticType::String);
      case FieldKind::Bytes: return &simpleType(StaticType::Bytes);
      case FieldKind::Time:
      case FieldKind::MicroTime: return &simpleType(StaticType::Timestamp);
      case FieldKind::IntOrString: return &simpleType(StaticType::Dyn);
      case FieldKind::RawExtension:
      case FieldKind::FieldsV1: return &objectType(name, {}, arena_);
      case FieldKind::Message: return field.type->isWrapper ? ofField(field.type->fields.front(), name) : &of(*field.type, name);
      case FieldKind::Quantity:
      case FieldKind::Json:
      case FieldKind::JsonSchemaOrArray:
      case FieldKind::JsonSchemaOrBool:
      case FieldKind::JsonSchemaOrStringArray: return nullptr;
    }
    return nullptr;
  }

  codec::Arena& arena_;
  std::vector<const TypeInfo*> within_;  // from the root to here
};

}  // namespace

const Type& typeOfTable(const TypeInfo& table, std::string_view name, codec::Arena& arena) {
  return TableTypes(arena).of(table, std::string(name));
}

}  // namespace skiff::cel
