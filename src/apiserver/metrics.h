// Counters of the server in the text form that Prometheus scrapes, with upstream's names.
#pragma once
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "apiserver/exchange.h"
#include "store/store.h"

namespace skiff::apiserver {

class Metrics {
 public:
  void begin(const Exchange& exchange);
  void end(const Exchange& exchange, int status, std::chrono::duration<double> took);
  std::string text(const store::Store& store, size_t watches) const;

 private:
  static constexpr std::array kBuckets{0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0,
                                       6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0};
  struct Histogram {
    std::array<uint64_t, kBuckets.size()> counts{};
    uint64_t count = 0;
    double sum = 0;
  };
  mutable std::mutex mutex_;  // guards everything below
  std::map<std::string, uint64_t> requests_;
  std::map<std::string, Histogram> durations_;
  int64_t readsInFlight_ = 0, writesInFlight_ = 0;
};

}  // namespace skiff::apiserver
