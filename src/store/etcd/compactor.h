// Compaction that all API servers on one etcd agree on: the key compact_rev_key holds the revision of the last round;
// who raises its version does the next one. Each server wakes once an interval, one of them wins.
#pragma once
#include <functional>

#include "rt/executor.h"
#include "rt/stop.h"
#include "store/etcd/api.h"

namespace skiff::store::etcd {

class Compactor {
 public:
  // `compacted` is told what was compacted, by us or by another server. An interval of 0: never.
  Compactor(Api& api, milliseconds interval, std::function<void(int64_t)> compacted);
  ~Compactor() { stop(); }
  void stop();

  // One round, as done after each interval.
  Status round();

 private:
  void run();

  Api& api_;
  const milliseconds interval_;
  const std::function<void(int64_t)> compacted_;
  int64_t version_ = 0;   // of the key, as last seen
  int64_t revision_ = 0;  // etcd's at the last round: what the next one compacts; 0: none yet
  rt::StopSignal stop_;
  rt::Thread thread_;
};

}  // namespace skiff::store::etcd
