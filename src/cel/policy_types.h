// Types of what expressions of admission policies see beside the objects themselves.
#pragma once
#include "cel/types.h"

namespace skiff::cel {

const Type& admissionRequestType(codec::Arena& arena);  // `request`
const Type& policyNamespaceType(codec::Arena& arena);   // `namespaceObject`

struct PolicyVariableType {
  std::string name;
  const Type* type;
};
// `variables`, those known so far.
const Type& policyVariablesType(std::span<const PolicyVariableType> variables, codec::Arena& arena);
// What is known of a variable's value outside of its own expression: members of objects are not.
const Type& variableTypeOf(const Type& result, codec::Arena& arena);

}  // namespace skiff::cel
