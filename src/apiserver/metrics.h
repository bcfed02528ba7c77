// Counters of the server in the text form that Prometheus scrapes, with upstream's names.
#pragma once
#include <array>
#include <atomic>
#include <string>

#include "apiserver/exchange.h"
#include "apiserver/request_series.h"
#include "store/store.h"

namespace skiff::apiserver {

inline constexpr std::array kAuthBounds{0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
                                        0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384};

class Metrics {
 public:
  void begin(const Exchange& exchange);
  void end(const Exchange& exchange, int status, std::chrono::duration<double> took);
  // A watch or stream that is about to be served: it counts as open until end().
  void beginLong(Exchange& exchange, const Resources& resources);
  void authenticated(const Exchange& exchange, bool success, std::chrono::duration<double> took);
  void authorized(bool allowed, std::chrono::duration<double> took);
  // `resources`: whose objects are counted.
  void write(std::string& out, const store::Store& store, const Resources& resources) const;

 private:
  SeriesKey keyOf(const Exchange& exchange) const;
  void writeRequests(MetricsText& text) const;
  void writeWatches(MetricsText& text) const;
  void writeSecurity(MetricsText& text) const;
  void writeStore(MetricsText& text, const store::Store& store, const Resources& resources) const;

  SeriesTable table_;
  std::atomic<int64_t> readsInFlight_ = 0, writesInFlight_ = 0;
  AtomicHistogram<kAuthBounds.size()> authenticated_, unauthenticated_, allowed_, denied_;
};

}  // namespace skiff::apiserver
