// Refuses webhook configurations and policies whose expressions can never be evaluated.
#pragma once
#include <string>

#include "codec/value.h"

namespace skiff::apiserver {

class FieldErrors;

// Of one webhook; `path` is that of the list.
void checkMatchConditions(const codec::Value& conditions, const std::string& path, FieldErrors& errors);
// Of a ValidatingAdmissionPolicy or MutatingAdmissionPolicy.
void checkPolicyExpressions(const codec::Value& spec, FieldErrors& errors);

}  // namespace skiff::apiserver
