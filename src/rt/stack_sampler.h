// Where this process spends its time, and where its threads are: stacks taken by a signal, without stopping anything.
// Stacks are followed by frame pointers, which release builds keep; libraries without them may hide a caller.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace skiff::rt {

using Stack = std::vector<uintptr_t>;  // innermost first; callers by the last byte of their call

struct CpuProfile {
  static constexpr std::chrono::milliseconds kPeriod{10};  // of processor time, between samples
  std::map<Stack, uint64_t> samples;
  uint64_t lost = 0;  // came faster than they were gathered
};

struct ThreadStack {
  pid_t thread;
  Stack stack;
};

// Both use the process's SIGPROF, so that only one can run: nullopt while another does.
// Blocks for `duration`, or until `stopped` says so (asked twenty times a second).
std::optional<CpuProfile> profileCpu(std::chrono::milliseconds duration, const std::function<bool()>& stopped);
std::optional<std::vector<ThreadStack>> stacksOfThreads();

}  // namespace skiff::rt
