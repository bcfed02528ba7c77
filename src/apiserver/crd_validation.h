// The rules of CustomResourceDefinitions that tables cannot say, with upstream's texts.
#pragma once
#include "apiserver/strategy.h"
#include "codec/value.h"

namespace skiff::apiserver {

// `old` is null on creation.
void validateDefinition(const codec::Value& definition, const codec::Value* old, FieldErrors& errors);

}  // namespace skiff::apiserver
