// What deployments, replica sets, stateful sets, daemon sets and jobs share.
#pragma once
#include "apiserver/strategies/field.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

// The template's labels must be chosen by the selector. A null selector chooses nothing.
void validateSelectorMatches(const Field& selector, const Field& podTemplate, FieldErrors& errors);

}  // namespace skiff::apiserver
