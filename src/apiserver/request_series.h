// The counters of requests with the same labels. A set of labels is interned once; from then on a request finds its counters
// without a lock and adds to atomics: about 50 ns in all.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/atomic_histogram.h"

namespace skiff::apiserver {

inline constexpr std::array kDurationBounds{0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0,  1.25, 1.5, 2.0,
                                            3.0,   4.0,   5.0,  6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0};
inline constexpr std::array kSliBounds{0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0,  1.25, 1.5,  2.0, 3.0,
                                       4.0,  5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0};
inline constexpr std::array kResponseBounds{1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
inline constexpr std::array kWatchEventBounds{1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131072.0};
inline constexpr double kNanos = 1e9;  // sums of seconds are kept so finely

// Views of names that live as long as the request.
struct SeriesKey {
  std::string_view group, version, resource, subresource;
  std::string_view verb, scope;  // one of a few constants
  bool component = false;        // is it of a resource?
  bool dryRun = false;
};

class Series {
 public:
  explicit Series(const SeriesKey& key);
  bool is(const SeriesKey& key) const;
  void answered(int status);
  void watchEvent(size_t bytes) {
    events.fetch_add(1, std::memory_order_relaxed);
    if (bytes > 0) eventSizes.add(kWatchEventBounds, double(bytes), 1);
  }

  // Labels in the order of their names, as Prometheus' own library writes them.
  std::string labels(std::string_view code) const;  // of apiserver_request_total
  std::string labelsWithDryRun() const;
  std::string plainLabels() const;
  std::string resourceLabels() const;  // group, resource, version
  std::string commitLabels() const;    // group, operation (the verb), resource
  std::string storageLabels() const;   // group, resource
  std::string deprecationLabels(std::string_view removedIn) const;
  struct Code {
    std::atomic<int> status = 0;
    std::atomic<uint64_t> count = 0;
  };
  const std::array<Code, 16>& codes() const { return codes_; }
  bool dryRun() const { return dryRun_; }

  AtomicHistogram<kDurationBounds.size()> durations;
  AtomicHistogram<kSliBounds.size()> sli;
  AtomicHistogram<kResponseBounds.size()> responses;
  AtomicHistogram<kWatchEventBounds.size()> eventSizes;
  std::atomic<uint64_t> events = 0;
  std::atomic<int64_t> open = 0;           // of long-running requests
  std::atomic<const std::string_view*> removedRelease = nullptr;  // null: not of a deprecated API

 private:
  std::string group_, version_, resource_, subresource_, verb_, scope_;
  bool component_, dryRun_;
  std::array<Code, 16> codes_;  // a status beyond them shares the last one
};

// Series are never removed. Their number is bounded by what is served; beyond the table's room all share one.
class SeriesTable {
 public:
  SeriesTable();
  Series& of(const SeriesKey& key);
  std::vector<const Series*> all() const;  // sorted by labels

 private:
  static constexpr size_t kSlots = 8192, kMaxSeries = 6000;
  Series& insert(const SeriesKey& key, size_t hash);
  std::unique_ptr<std::atomic<Series*>[]> slots_;
  mutable std::mutex mutex_;  // guards series_, and writes to slots_
  std::vector<std::unique_ptr<Series>> series_;
};

}  // namespace skiff::apiserver
