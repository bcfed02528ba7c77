// A histogram that many threads feed without a lock: one relaxed addition to a bucket, one to the sum.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "apiserver/metrics_text.h"

namespace skiff::apiserver {

template <size_t N>
class AtomicHistogram {
 public:
  // `value` in any unit; `scale` sets how finely the sum is kept.
  void add(const std::array<double, N>& bounds, double value, double scale) {
    size_t at = 0;
    while (at < N && value > bounds[at]) ++at;
    counts_[at].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(uint64_t(value * scale), std::memory_order_relaxed);
  }
  uint64_t count() const {
    uint64_t total = 0;
    for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
    return total;
  }
  void write(MetricsText& text, std::string_view labels, const std::array<double, N>& bounds, double scale) const {
    std::array<uint64_t, N + 1> counts{};
    for (size_t i = 0; i <= N; ++i) counts[i] = counts_[i].load(std::memory_order_relaxed);
    text.histogram(labels, bounds, counts, double(sum_.load(std::memory_order_relaxed)) / scale);
  }

 private:
  std::array<std::atomic<uint64_t>, N + 1> counts_{};
  std::atomic<uint64_t> sum_ = 0;
};

}  // namespace skiff::apiserver
