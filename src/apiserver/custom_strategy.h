// The strategy that all custom resources share: their schema is the rest.
#pragma once
#include <memory>

#include "apiserver/strategy.h"

namespace skiff::apiserver {

std::unique_ptr<Strategy> makeCustomStrategy();

}  // namespace skiff::apiserver
