// Rules that the schema's tables state for their fields: required, enums, sizes, ranges, formats, immutability.
#pragma once
#include "api/schema.h"
#include "apiserver/strategies/field.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

// `old` is null on creation. Status is left to its strategy. A field that already has a cause is not reported twice:
// call it after the strategy's own validation, as upstream does.
void validateDeclared(const api::TypeInfo& type, const codec::Value& object, const codec::Value* old,
                      FieldErrors& errors);

}  // namespace skiff::apiserver
