#include "apiserver/extension/schema_types.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using cel::simpleType;
using cel::StaticType;
using codec::Value;

constexpr std::string_view kReserved[] = {"true",  "false", "null",  "in",     "as",     "break",   "const",     "continue",
                                          "else",  "for",   "function", "if",  "import", "let",     "loop",      "package",
                                          "namespace", "return", "var", "void", "while"};

// As the walks over schemas: deeper levels are not looked into.
constexpr int kMaxDepth = 100;

class SchemaTypes {
 public:
  explicit SchemaTypes(codec::Arena& arena) : arena_(arena) {}

  const cel::Type* of(const Value& schema, const std::string& name, bool isResource, int depth = 0) {
    if (depth > kMaxDepth || schema["x-kubernetes-int-or-string"].asBool()) return &simpleType(StaticType::Dyn);
    std::string_view type = schema["type"].asString();
    if (type == "boolean") return &simpleType(StaticType::Bool);
    if (type == "integer") return &simpleType(StaticType::Int);
    if (type == "number") return &simpleType(StaticType::Double);
    if (type == "string") return &ofText(schema["format"].asString());
    if (type == "array") {
      const cel::Type* item = ofNested(schema["items"], name + ".@idx", depth);
      return item ? &cel::listType(*item, arena_) : nullptr;
    }
    if (type != "object") return nullptr;
    if (schema["additionalProperties"].isMap()) {
      const cel::Type* value = ofNested(schema["additionalProperties"], name + ".@elem", depth);
      return value ? &cel::mapType(simpleType(StaticType::String), *value, arena_) : nullptr;
    }
    return &ofObject(schema, name, isResource, depth);
  }

 private:
  const cel::Type* ofNested(const Value& schema, const std::string& name, int depth) {
    return of(schema, name, schema["x-kubernetes-embedded-resource"].asBool(), depth + 1);
  }

  static const cel::Type& ofText(std::string_view format) {
    if (format == "byte") return simpleType(StaticType::Bytes);
    if (format == "duration") return simpleType(StaticType::Duration);
    return simpleType(format == "date" || format == "date-time" ? StaticType::Timestamp : StaticType::String);
  }

  // Of a resource the members that all have are known, whether declared or not; of metadata only its two names.
  const cel::Type& ofObject(const Value& schema, const std::string& name, bool isResource, int depth) {
    const cel::Type& text = simpleType(StaticType::String);
    std::vector<cel::TypeMember> members;
    std::vector<std::string> names;  // what the members' names see until they are copied
    names.reserve(schema["properties"].size());
    if (isResource) {
      const cel::TypeMember ofMetadata[] = {{"name", &text}, {"generateName", &text}};
      members = {{"apiVersion", &text}, {"kind", &text}, {"metadata", &cel::objectType(name + ".metadata", ofMetadata, arena_)}};
    }
    for (const codec::Member& property : schema["properties"].members()) {
      if (isResource && std::ranges::find(members, property.key, &cel::TypeMember::name) != members.end()) continue;
      const cel::Type* type = ofNested(property.value, concat(name, ".", property.key), depth);
      if (type) members.push_back({names.emplace_back(escapedName(property.key)), type});
    }
    return cel::objectType(name, members, arena_);
  }

  codec::Arena& arena_;
};

}  // namespace

std::string escapedName(std::string_view name) {
  if (std::ranges::find(kReserved, name) != std::end(kReserved)) return concat("__", name, "__");
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

const cel::Type* typeOfSchema(const Value& schema, std::string_view name, bool isRoot, codec::Arena& arena) {
  return SchemaTypes(arena).of(schema, std::string(name), isRoot || schema["x-kubernetes-embedded-resource"].asBool());
}

}  // namespace skiff::apiserver
