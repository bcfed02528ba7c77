#include "controllers/parallel.h"

namespace skiff::controllers {
namespace {

struct Pending {
  std::mutex mutex;  // guards the rest
  std::condition_variable changed;
  int open = 0;
  int failedAt = -1;
  int succeeded = 0;
  std::optional<Error> error;

  void finish(int index, Status status) {
    std::lock_guard lock(mutex);
    if (status.ok()) {
      ++succeeded;
    } else if (failedAt < 0 || index < failedAt) {
      failedAt = index;
      error = std::move(status).error();
    }
    if (--open == 0) changed.notify_all();
  }
};

Status runRange(rt::Executor& executor, int from, int to, int* successes, const std::function<Status(int)>& fn) {
  auto pending = std::make_shared<Pending>();
  pending->open = to - from;
  // The caller's own thread takes the last one: a single write needs no hand-over.
  for (int i = from; i < to; ++i) {
    bool handedOver = i + 1 < to && executor.submit([pending, i, &fn] { pending->finish(i, fn(i)); });
    if (!handedOver) pending->finish(i, fn(i));
  }
  std::unique_lock lock(pending->mutex);
  pending->changed.wait(lock, [&] { return pending->open == 0; });
  *successes += pending->succeeded;
  if (pending->error) return std::move(*pending->error);
  return okStatus();
}

}  // namespace

Status runParallel(rt::Executor& executor, int count, const std::function<Status(int)>& fn) {
  int successes = 0;
  if (count <= 0) return okStatus();
  return runRange(executor, 0, count, &successes, fn);
}

Status slowStartBatch(rt::Executor& executor, int count, int* successes, const std::function<Status(int)>& fn) {
  for (int from = 0, batch = 1; from < count; batch *= 2) {
    int to = std::min(count, from + batch);
    TRY(runRange(executor, from, to, successes, fn));
    from = to;
  }
  return okStatus();
}

}  // namespace skiff::controllers
