// Where threads wait for the state in memory to reach a revision.
#pragma once
#include <condition_variable>
#include <map>
#include <mutex>

#include "base/clock.h"
#include "store/store.h"

namespace skiff::store::etcd {

// Thread safe.
class RevisionGate {
 public:
  void advance(Revision revision) {
    std::lock_guard lock(mutex_);
    if (revision <= reached_) return;
    reached_ = revision;
    for (auto waiter = waiters_.begin(); waiter != waiters_.end() && waiter->first <= revision; ++waiter)
      waiter->second->notify_one();
  }
  // False: not in time, or closed.
  bool wait(Revision revision, SteadyTime deadline) {
    std::unique_lock lock(mutex_);
    if (reached_ >= revision) return true;
    std::condition_variable changed;
    auto place = waiters_.emplace(revision, &changed);
    changed.wait_until(lock, deadline, [&] { return reached_ >= revision || closed_; });
    waiters_.erase(place);
    return reached_ >= revision;
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (auto& [revision, waiter] : waiters_) waiter->notify_one();
  }

 private:
  std::mutex mutex_;  // guards everything below
  Revision reached_ = 0;
  bool closed_ = false;
  std::multimap<Revision, std::condition_variable*> waiters_;
};

}  // namespace skiff::store::etcd
