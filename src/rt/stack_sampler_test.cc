#include "rt/stack_sampler.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <thread>

#include "rt/symbols.h"

namespace skiff::rt {

// With a name that the symbol table has.
__attribute__((noinline)) uint64_t burnUntil(const std::atomic<bool>& done) {
  volatile uint64_t sum = 0;
  while (!done.load(std::memory_order_relaxed))
    for (int i = 0; i < 1000; ++i) sum = sum + uint64_t(i);
  return sum;
}

namespace {

bool mentions(Symbols& symbols, const Stack& stack, std::string_view function) {
  return std::ranges::any_of(stack, [&](uintptr_t at) { return symbols.nameOf(at).text.find(function) != std::string::npos; });
}

TEST_CASE("a profile tells where processor time goes") {
  std::atomic<bool> done = false;
  std::thread busy([&] { burnUntil(done); });
  auto cpuTime = [] {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
  };
  auto from = cpuTime();
  // Ends by what was spent, so that a busy machine only takes longer.
  auto profile = profileCpu(std::chrono::seconds(20), [&] { return cpuTime() - from >= 200; });
  CHECK(profileCpu(std::chrono::milliseconds(0), [] { return true; }).has_value());
  done = true;
  busy.join();
  REQUIRE(profile.has_value());
  Symbols symbols;
  uint64_t total = 0, named = 0;
  for (const auto& [stack, count] : profile->samples) {
    total += count;
    if (mentions(symbols, stack, "burnUntil")) named += count;
  }
  CHECK(total >= 10);
  CHECK(total <= 100);
  CHECK(named * 10 >= total * 8);
}

TEST_CASE("every thread tells its stack") {
  std::atomic<bool> done = false;
  std::atomic<pid_t> id = 0;
  std::thread busy([&] {
    id = ::gettid();
    burnUntil(done);
  });
  while (id == 0) std::this_thread::yield();
  auto stacks = stacksOfThreads();
  done = true;
  busy.join();
  REQUIRE(stacks.has_value());
  Symbols symbols;
  auto found = std::ranges::find(*stacks, id.load(), &ThreadStack::thread);
  REQUIRE(found != stacks->end());
  CHECK(std::ranges::find(*stacks, ::getpid(), &ThreadStack::thread) != stacks->end());
  CHECK(symbols.mappingOf(found->stack.front()) != nullptr);
}

TEST_CASE("addresses that are no code have no names") {
  Symbols symbols;
  CHECK(symbols.nameOf(0).text.empty());
  CHECK(symbols.nameOf(42).text.empty());
  CHECK(symbols.mappingOf(~uintptr_t(0)) == nullptr);
  auto name = symbols.nameOf(reinterpret_cast<uintptr_t>(&burnUntil) + 1);
  CHECK(name.text.find("burnUntil") != std::string::npos);
  CHECK(name.offset == 1);
}

}  // namespace
}  // namespace skiff::rt
