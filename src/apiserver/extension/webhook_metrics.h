// What became of the calls of admission webhooks, with upstream's names. Calls take milliseconds: a lock is nothing beside them.
#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "apiserver/atomic_histogram.h"
#include "apiserver/request.h"

namespace skiff::apiserver::extension {

enum class WebhookType { Validating, Mutating };

class WebhookMetrics {
 public:
  struct Call {
    std::string_view name;  // of the webhook
    WebhookType type;
    Operation operation;
    std::chrono::duration<double> took;
    int code = 200;           // its verdict's, or of the answer; 503 when there was none
    bool failed = false;      // no verdict
    bool failedOpen = false;  // and the request went on
  };
  void called(const Call& call);
  void write(std::string& out) const;

 private:
  static constexpr std::array kBounds{0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0};
  // Names come from configurations, which may come and go without end.
  static constexpr size_t kMaxSeries = 2000;
  using Counts = std::map<std::string, uint64_t>;  // by labels
  static void count(Counts& counts, std::string labels);
  static void writeCounts(MetricsText& text, std::string_view name, std::string_view help, const Counts& counts);

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, AtomicHistogram<kBounds.size()>> durations_;
  Counts requests_, rejections_, failedOpen_;
};

}  // namespace skiff::apiserver::extension
