// Counters of one FlowSchema in one priority level.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace skiff::apiserver::flow {

// Buckets as upstream has them, in seconds and in seats.
inline constexpr std::array kWaitBuckets{0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0};
inline constexpr std::array kSeatBuckets{1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0};
inline constexpr std::array kLengthBuckets{0.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0};

template <size_t N>
struct Tally {
  std::array<uint64_t, N + 1> counts{};  // each bucket by itself
  double sum = 0;
  void add(const std::array<double, N>& buckets, double value) {
    size_t at = 0;
    while (at < N && value > buckets[at]) ++at;
    ++counts[at];
    sum += value;
  }
};

// Guarded by the level's lock.
struct FlowStats {
  std::string schema, level;
  const void* owner = nullptr;  // the level, for comparison only
  uint64_t dispatched = 0;
  uint64_t queueFull = 0, timedOut = 0, noSeat = 0, cancelled = 0;  // rejected, by reason
  int64_t waiting = 0, waitingSeats = 0, executing = 0, executingSeats = 0;
  Tally<kWaitBuckets.size()> waited, rejectedWaits, executed;
  Tally<kSeatBuckets.size()> seats;
  Tally<kLengthBuckets.size()> queueLength;
};

}  // namespace skiff::apiserver::flow
