#include "cel/schema_types.h"

#include <algorithm>
#include <deque>

#include "base/strings.h"
#include "cel/table_types.h"

namespace skiff::cel {
namespace {

using codec::Value;

constexpr std::string_view kReserved[] = {"true",  "false", "null",  "in",     "as",     "break",   "const",     "continue",
                                          "else",  "for",   "function", "if",  "import", "let",     "loop",      "package",
                                          "namespace", "return", "var", "void", "while"};

// As the walks over schemas: deeper levels are not looked into.
constexpr int kMaxDepth = 100;

class SchemaTypes {
 public:
  SchemaTypes(const api::TypeInfo* metadata, codec::Arena& arena) : metadata_(metadata), arena_(arena) {}

  const Type* of(const Value& schema, const std::string& name, bool isResource, int depth = 0) {
    if (depth > kMaxDepth || schema["x-kubernetes-int-or-string"].asBool()) return &simpleType(StaticType::Dyn);
    std::string_view type = schema["type"].asString();
    if (type == "boolean") return &simpleType(StaticType::Bool);
    if (type == "integer") return &simpleType(StaticType::Int);
    if (type == "number") return &simpleType(StaticType::Double);
    if (type == "string") return &ofText(schema["format"].asString());
    if (type == "array") {
      const Type* item = ofNested(schema["items"], name + ".@idx", depth);
      return item ? &listType(*item, arena_) : nullptr;
    }
    if (type != "object") return nullptr;
    if (schema["additionalProperties"].isMap()) {
      const Type* value = ofNested(schema["additionalProperties"], name + ".@elem", depth);
      return value ? &mapType(simpleType(StaticType::String), *value, arena_) : nullptr;
    }
    return &ofObject(schema, name, isResource, depth);
  }

 private:
  const Type* ofNested(const Value& schema, const std::string& name, int depth) {
    return of(schema, name, schema["x-kubernetes-embedded-resource"].asBool(), depth + 1);
  }

  static const Type& ofText(std::string_view format) {
    if (format == "byte") return simpleType(StaticType::Bytes);
    if (format == "duration") return simpleType(StaticType::Duration);
    return simpleType(format == "date" || format == "date-time" ? StaticType::Timestamp : StaticType::String);
  }

  const Type& ofMetadata(const std::string& name) {
    if (metadata_) return typeOfTable(*metadata_, name, arena_);
    const TypeMember names[] = {{"name", &simpleType(StaticType::String)}, {"generateName", &simpleType(StaticType::String)}};
    return objectType(name, names, arena_);
  }

  // Of a resource the members that all have are known, whether declared or not.
  const Type& ofObject(const Value& schema, const std::string& name, bool isResource, int depth) {
    const Type& text = simpleType(StaticType::String);
    std::vector<TypeMember> members;
    std::deque<std::string> names;  // what the members' names see until they are copied
    if (isResource) members = {{"apiVersion", &text}, {"kind", &text}, {"metadata", &ofMetadata(name + ".metadata")}};
    for (const codec::Member& property : schema["properties"].members()) {
      if (isResource && std::ranges::find(members, property.key, &TypeMember::name) != members.end()) continue;
      const Type* type = ofNested(property.value, concat(name, ".", property.key), depth);
      if (!type) continue;
      for (std::string& spelling : spellingsOf(property.key)) members.push_back({names.emplace_back(std::move(spelling)), type});
    }
    return objectType(name, members, arena_);
  }

  const api::TypeInfo* metadata_;
  codec::Arena& arena_;
};

bool isReserved(std::string_view name) { return std::ranges::find(kReserved, name) != std::end(kReserved); }

}  // namespace

std::string escapedName(std::string_view name) {
  if (isReserved(name)) return concat("__", name, "__");
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name.substr(i).starts_with("__")) out += "__underscores__", ++i;
    else if (name[i] == '.') out += "__dot__";
    else if (name[i] == '-') out += "__dash__";
    else if (name[i] == '/') out += "__slash__";
    else out += name[i];
  }
  return out;
}

std::vector<std::string> spellingsOf(std::string_view name) {
  std::vector<std::string> out{escapedName(name)};
  if (isReserved(name)) out.emplace_back(name);
  return out;
}

const Type* typeOfSchema(const Value& schema, std::string_view name, const SchemaTypeOptions& options, codec::Arena& arena) {
  bool isResource = options.isRoot || schema["x-kubernetes-embedded-resource"].asBool();
  return SchemaTypes(options.metadata, arena).of(schema, std::string(name), isResource);
}

}  // namespace skiff::cel
