// One line a request, with the pairs that upstream writes at verbosity 3.
#pragma once
#include <chrono>

#include "apiserver/exchange.h"

namespace skiff::apiserver {

void logAccess(const Exchange& exchange, int status, std::chrono::nanoseconds took);

}  // namespace skiff::apiserver
