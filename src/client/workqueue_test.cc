#include "client/workqueue.h"

#include <doctest/doctest.h>

using namespace skiff;
using client::WorkQueue;

namespace {
class ManualClock final : public Clock {
 public:
  WallTime now() const override { return {}; }
  SteadyTime steadyNow() const override { return time; }
  SteadyTime time{};
};
}  // namespace

TEST_CASE("an item added twice before it is worked on is worked on once") {
  WorkQueue queue;
  queue.add("a");
  queue.add("a");
  queue.add("b");
  CHECK(queue.size() == 2);
  CHECK(queue.get() == "a");
  CHECK(queue.get() == "b");
}

TEST_CASE("an item added while it is worked on runs once more, after done") {
  WorkQueue queue;
  queue.add("a");
  CHECK(queue.get() == "a");
  queue.add("a");
  queue.add("a");
  CHECK(queue.size() == 0);
  queue.done("a");
  CHECK(queue.size() == 1);
  CHECK(queue.get() == "a");
  queue.done("a");
  CHECK(queue.size() == 0);
}

TEST_CASE("delayed items come when due, the sooner of two wishes") {
  ManualClock clock;
  WorkQueue queue({}, clock);
  queue.addAfter("late", milliseconds(500));
  queue.addAfter("late", milliseconds(100));
  queue.addAfter("late", milliseconds(900));
  queue.add("now");
  CHECK(queue.get() == "now");
  clock.time += milliseconds(100);
  CHECK(queue.get() == "late");
}

TEST_CASE("failures back off and are forgotten") {
  ManualClock clock;
  WorkQueue queue({.first = milliseconds(10), .most = milliseconds(15)}, clock);
  queue.addRateLimited("a");
  CHECK(queue.failures("a") == 1);
  clock.time += milliseconds(10);
  CHECK(queue.get() == "a");
  queue.addRateLimited("a");
  queue.done("a");
  CHECK(queue.failures("a") == 2);
  queue.forget("a");
  CHECK(queue.failures("a") == 0);
}

TEST_CASE("shutting down ends waiting workers") {
  WorkQueue queue;
  queue.shutDown();
  CHECK_FALSE(queue.get());
}
