// What the declaration of a rule in x-kubernetes-validations must say, apart from its expressions.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
#pragma once
#include <string>
#include <string_view>

#include "codec/value.h"

namespace skiff::apiserver {

class FieldErrors;

// `at` is the rule's own path, `schema` the level that holds it.
void checkRuleDeclaration(const codec::Value& rule, const codec::Value& schema, const std::string& at, FieldErrors& errors);

// Does `.a['b.c']` lead to a field that the schema declares? Never into lists.
bool isDeclaredPath(std::string_view path, const codec::Value& schema);

// The rule as upstream's messages show it: its struct as JSON.
std::string shownRule(const codec::Value& rule);

}  // namespace skiff::apiserver
