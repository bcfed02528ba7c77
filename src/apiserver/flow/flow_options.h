#pragma once
#include <chrono>

#include "base/clock.h"

namespace skiff::apiserver::flow {

struct FlowOptions {
  bool fair = true;     // --enable-priority-and-fairness
  int maxReads = 400;   // --max-requests-inflight
  int maxWrites = 200;  // --max-mutating-requests-inflight; with fairness, seats are the sum of both
  std::chrono::milliseconds requestTimeout{60000};  // --request-timeout: a quarter of it may be spent waiting
  const Clock* clock = &Clock::real();
};

}  // namespace skiff::apiserver::flow
