// Pods that wait for a node: ready ones by priority, failed ones in backoff, and unschedulable ones until an event that
// may help them.
//
//            add            pop                  bound
//   (API) ---------> ready -----> being decided -------> (gone)
//                     ^  ^               |  |
//        backoff over |  | event         |  | no node fits
//                  backoff <-------------+  +----------> unschedulable
//                     ^          error                     |
//                     +-------------- event that may help --+
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "scheduler/cluster_state.h"

namespace skiff::scheduler {

enum class ClusterEvent { NodeChanged, PodGone, PodPlaced, Other };

struct QueuedPod {
  PodInfoPtr info;
  int attempts = 0;
  SteadyTime since{};
};

class SchedulingQueue {
 public:
  explicit SchedulingQueue(const Clock& clock = Clock::real()) : clock_(clock) {}

  void put(const PodPtr& pod);  // new or changed: a changed spec may fit now
  void remove(const std::string& uid);
  std::optional<QueuedPod> pop();  // blocks; nullopt after close()
  // A popped pod comes back, if it has not been removed meanwhile.
  void unschedulable(QueuedPod pod);
  void failed(QueuedPod pod);  // an error: again after backoff
  void done(const std::string& uid);  // bound: forget it
  void wake(ClusterEvent event);
  void close();
  size_t size() const;

 private:
  struct Rank {  // ready order: higher priority, then earlier
    int32_t priority;
    uint64_t sequence;
    std::string uid;
    bool operator<(const Rank& other) const {
      return std::tie(other.priority, sequence, uid) < std::tie(priority, other.sequence, other.uid);
    }
  };
  enum class Where { Ready, Deciding, Backoff, Unschedulable };
  struct Entry {
    QueuedPod pod;
    Where where;
    Rank rank;
    SteadyTime due{};     // end of backoff, or of patience with no event
    bool wakeAgain = false;  // an event came while it was being decided
  };
  void makeReadyLocked(Entry& entry);
  void parkLocked(QueuedPod pod, Where where);
  std::optional<SteadyTime> moveDueLocked();
  static milliseconds backoffOf(int attempts);

  const Clock& clock_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::unordered_map<std::string, Entry> entries_;  // by uid
  std::set<Rank> ready_;
  std::multimap<SteadyTime, std::string> due_;
  uint64_t sequence_ = 0;
  bool closed_ = false;
};

}  // namespace skiff::scheduler
