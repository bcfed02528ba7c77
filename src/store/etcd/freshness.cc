#include "store/etcd/freshness.h"

#include "base/strings.h"

namespace skiff::store::etcd {
namespace {

constexpr milliseconds kAskTimeout{4000};     // for the newest revision: a member answers or there is no quorum
constexpr milliseconds kFollowTimeout{5000};  // for the watch to reach it; a new watch on another member fits in
constexpr size_t kMaxWaiting = 100000;        // requests have memory of their own; more than this is a flood

}  // namespace

Freshness::Freshness(Api& api, Follower& follower, const KeyPrefix& prefix)
    : api_(api), follower_(follower), prefix_(prefix), thread_("etcd-fresh", [this] { run(); }) {}

void Freshness::stop() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  changed_.notify_all();
  thread_.join();
}

void Freshness::whenFresh(Ready ready) {
  {
    std::lock_guard lock(mutex_);
    if (!stopped_ && waiting_.size() < kMaxWaiting) {
      waiting_.push_back(std::move(ready));
      if (waiting_.size() == 1) changed_.notify_all();
      return;
    }
  }
  ready(Error(Reason::ServiceUnavailable, "etcd: too many requests wait for it, or the server stops"));
}

void Freshness::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopped_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    // Who comes while the question is under way may know of something newer: the next question is for them.
    std::vector<Ready> batch = std::exchange(waiting_, {});
    bool stopped = stopped_;
    lock.unlock();
    Status proven = stopped ? Status(Error(Reason::ServiceUnavailable, "the server stops")) : prove();
    for (Ready& ready : batch) ready(proven);
    lock.lock();
  }
}

Status Freshness::prove() {
  RangeRequest request{.key = prefix_.outside(), .countOnly = true};  // no such key: the cheapest read
  RangeResponse answer = TRY(api_.range(request, kAskTimeout));
  if (follower_.await(answer.revision, Clock::real().steadyNow() + kFollowTimeout)) return okStatus();
  return Error(Reason::Timeout, concat("etcd: Too large resource version: ", answer.revision, ", current: ",
                                       follower_.keys().revision()));
}

}  // namespace skiff::store::etcd
