// x-kubernetes-validations: rules in the Common Expression Language at any level of a custom resource's schema.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace skiff::apiserver {

class FieldErrors;
struct StructuralSchema;
class SchemaRules;  // of one level, compiled; held by its StructuralSchema

std::shared_ptr<const SchemaRules> compileSchemaRules(const codec::Value& schema);

// Runs all rules of the schema's levels over a structurally valid object; `old` is null for a creation. One budget is shared by
// all of them.
void validateByRules(const codec::Value& object, const codec::Value* old, const StructuralSchema& schema,
                     FieldErrors& errors);

// Rules of a definition's schema that do not compile, at their paths below `path`.
void checkSchemaRules(const codec::Value& schema, const std::string& path, FieldErrors& errors);

}  // namespace skiff::apiserver
