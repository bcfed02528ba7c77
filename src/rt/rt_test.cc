#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <latch>
#include <unordered_set>

#include "rt/event_loop.h"
#include "rt/executor.h"
#include "rt/parker.h"
#include "rt/stop.h"

using namespace skiff;
using namespace skiff::rt;
using namespace std::chrono_literals;

TEST_CASE("posted tasks run in order, from other threads and from inside") {
  auto loop = EventLoop::create();
  std::string seen;
  loop->post([&] {
    seen += "a";
    CHECK(loop->inLoop());
    loop->post([&] {
      seen += "c";
      loop->stop();
    });
  });
  loop->post([&] { seen += "b"; });
  CHECK_FALSE(loop->inLoop());
  loop->run();
  CHECK(seen == "abc");
}

TEST_CASE("timers fire by time, then by age, and a cancelled one never") {
  auto loop = EventLoop::create();
  std::string seen;
  loop->post([&] {
    loop->after(5ms, [&] { loop->stop(); });
    loop->after(2ms, [&] { seen += "2"; });
    auto gone = loop->after(1ms, [&] { seen += "x"; });
    loop->after(0ms, [&] { seen += "0"; });
    loop->after(2ms, [&] { seen += "3"; });
    loop->cancel(gone);
  });
  loop->run();
  CHECK(seen == "023");
}

#if __has_include(<mimalloc.h>)
#include <mimalloc.h>

namespace {
std::atomic<int> collected{0};
std::atomic<long> delay{25};
}  // namespace

// The allocator, as far as loops know it.
void mi_collect(bool force) noexcept {
  CHECK(force);
  CHECK(delay == 0);
  ++collected;
}
long mi_option_get(mi_option_t) { return delay; }
void mi_option_set(mi_option_t, long value) { delay = value; }

TEST_CASE("a loop with nothing to do gives memory back twice, and again after more work") {
  auto loop = EventLoop::create(1ms);
  int more = 0;
  Thread thread("loop", [&] { loop->run(); });
  auto restTwice = [&] {
    int before = collected;
    loop->post([] {});
    while (collected < before + 2) std::this_thread::yield();
  };
  restTwice();
  restTwice();
  CHECK(delay == 25);
  loop->post([&] {
    loop->after(60ms, [&, before = collected.load()] {
      more = collected - before;  // in the time of many rests
      loop->stop();
    });
  });
  thread.join();
  CHECK(more <= 2);
}
#endif

TEST_CASE("an fd event may unwatch itself, and a reused number gets no stale event") {
  int a[2], b[2];
  REQUIRE(pipe(a) == 0);
  REQUIRE(pipe(b) == 0);
  REQUIRE(write(a[1], "x", 1) == 1);
  REQUIRE(write(b[1], "x", 1) == 1);
  auto loop = EventLoop::create();
  int calls = 0, stale = 0;
  // Whichever of the two comes first replaces the other's watch within the same turn.
  auto replace = [&](int self, int other) {
    ++calls;
    loop->unwatch(self);
    loop->unwatch(other);
    loop->watch(other, 0, [&](uint32_t) { ++stale; });
    loop->after(2ms, [&] { loop->stop(); });
  };
  loop->post([&] {
    loop->watch(a[0], EPOLLIN, [&](uint32_t) { replace(a[0], b[0]); });
    loop->watch(b[0], EPOLLIN, [&](uint32_t) { replace(b[0], a[0]); });
  });
  loop->run();
  CHECK(calls == 1);
  CHECK(stale == 0);
  for (int fd : {a[0], a[1], b[0], b[1]}) close(fd);
}

TEST_CASE(
    "an executor runs up to its threads at once, refuses beyond its queue and drains on stop") {
  auto pool = Executor::create({.name = "test", .maxThreads = 2, .maxQueue = 1});
  std::latch both(2), release(1);
  std::atomic<int> done{0};
  auto task = [&] {
    both.count_down();
    release.wait();
    ++done;
  };
  CHECK(pool->submit(task));
  while (!pool->submit(task)) std::this_thread::yield();  // until the first one is taken
  both.wait();
  CHECK(pool->submit([&] { ++done; }));
  CHECK_FALSE(pool->submit([] {}));
  release.count_down();
  pool->stop();
  CHECK(done == 3);
  CHECK_FALSE(pool->submit([] {}));
}

TEST_CASE("a limit of running threads lets tasks wait for one of them, but not behind blocked ones") {
  auto pool = Executor::create({.name = "test", .maxThreads = 8, .maxRunning = 2});
  std::latch both(2), blocked(4), release(1);
  for (int i = 0; i < 4; ++i)
    pool->submit([&] {
      blocked.count_down();
      release.wait();
    });
  blocked.wait();  // the third and fourth got threads of their own
  for (int i = 0; i < 2; ++i) pool->submit([&] { both.count_down(); });
  both.wait();
  release.count_down();
  pool->stop();

  pool = Executor::create({.name = "test", .maxThreads = 8, .maxRunning = 2});
  std::mutex mutex;
  std::unordered_set<std::thread::id> seen;
  std::atomic<int> done{0};
  for (int i = 0; i < 1000; ++i)
    pool->submit([&] {
      std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
      ++done;
    });
  pool->stop();
  CHECK(done == 1000);
  CHECK(seen.size() <= 8);
}

TEST_CASE("a stop signal ends waits at once") {
  StopSignal stop;
  CHECK_FALSE(stop.waitFor(0ms));
  Thread waiter("waiter", [&] { CHECK(stop.waitFor(1h)); });
  stop.raise();
  waiter.join();
  CHECK(stop.raised());
  stop.wait();
}
