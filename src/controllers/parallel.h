// Bursts of independent writes, run side by side so that they share the store's commits.
#pragma once
#include <functional>

#include "base/result.h"
#include "rt/executor.h"

namespace skiff::controllers {

// Runs fn(0) .. fn(count - 1) on the executor and waits for all; the first error by index.
Status runParallel(rt::Executor& executor, int count, const std::function<Status(int)>& fn);

// As runParallel in batches of 1, 2, 4, ...: a wish that cannot be fulfilled (quota, admission) fails once, not a
// thousand times. Stops after the first batch with an error. *successes counts the calls that worked.
Status slowStartBatch(rt::Executor& executor, int count, int* successes, const std::function<Status(int)>& fn);

}  // namespace skiff::controllers
