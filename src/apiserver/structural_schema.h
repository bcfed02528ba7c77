// The openAPIV3Schema of a CustomResourceDefinition, parsed once, and the walks over it: prune, default, validate.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace re2 {
class RE2;
}

namespace skiff::apiserver {

class FieldErrors;
class SchemaRules;  // extension/schema_rules.h
struct CustomVersion;

struct StructuralSchema {
  std::string type;  // "" when not said
  std::string format, pattern, description;
  bool nullable = false, preserveUnknown = false, embeddedResource = false, intOrString = false;
  bool uniqueItems = false, exclusiveMinimum = false, exclusiveMaximum = false;
  std::optional<double> minimum, maximum, multipleOf;
  std::optional<int64_t> minLength, maxLength, minItems, maxItems, minProperties, maxProperties;
  std::vector<std::string> required;
  codec::DocumentPtr defaultValue;  // null: none
  codec::DocumentPtr enumValues;    // a list; null: none
  std::string listType, mapType;
  std::vector<std::string> listMapKeys;
  std::map<std::string, std::unique_ptr<StructuralSchema>, std::less<>> properties;
  std::unique_ptr<StructuralSchema> items, additional;
  bool additionalAllowed = false;  // additionalProperties: true
  std::vector<std::unique_ptr<StructuralSchema>> allOf, anyOf, oneOf;  // value validation only
  std::unique_ptr<StructuralSchema> negated;
  std::unique_ptr<re2::RE2> regex;
  std::shared_ptr<const SchemaRules> rules;  // x-kubernetes-validations of this level; null: none
  StructuralSchema();
  ~StructuralSchema();
};

Result<std::shared_ptr<const StructuralSchema>> parseStructuralSchema(const codec::Value& schema);

// metadata into its own form, everything else pruned by the schema (what was dropped is listed).
Status conformCustom(codec::Value& object, const CustomVersion& version, codec::Arena& arena,
                     std::vector<std::string>& unknown);
void defaultCustom(codec::Value& object, const CustomVersion& version, codec::Arena& arena);
// By the schema, and if that holds by its rules. `old` is null for a creation.
void validateCustom(const codec::Value& object, const codec::Value* old, const CustomVersion& version, FieldErrors& errors);

}  // namespace skiff::apiserver
