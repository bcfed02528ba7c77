// References to fields of the own pod: in the environment and in downward API volumes.
#pragma once
#include <algorithm>
#include <span>

#include "apiserver/strategies/field.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

enum class FieldRefUse { Env, Volume };
void validateFieldRef(const Field& ref, FieldRefUse use, FieldErrors& errors);
void validateResourceFieldRef(const Field& ref, FieldRefUse use, FieldErrors& errors);

}  // namespace skiff::apiserver
