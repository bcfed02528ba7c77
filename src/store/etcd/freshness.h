// Answers "is what we have in memory as new as what anybody was told?" for all who ask at the same moment with one
// question to etcd: a read that a quorum agrees on says the newest revision, and the watch proves when we have it.
#pragma once
#include <condition_variable>
#include <mutex>
#include <vector>

#include "rt/executor.h"
#include "store/etcd/follower.h"

namespace skiff::store::etcd {

class Freshness {
 public:
  using Ready = UniqueFunction<void(Status)>;
  Freshness(Api& api, Follower& follower, const KeyPrefix& prefix);
  ~Freshness() { stop(); }
  void stop();
  void whenFresh(Ready ready);

 private:
  void run();
  Status prove();

  Api& api_;
  Follower& follower_;
  const KeyPrefix& prefix_;
  std::mutex mutex_;  // guards the three below
  std::condition_variable changed_;
  std::vector<Ready> waiting_;
  bool stopped_ = false;
  rt::Thread thread_;
};

}  // namespace skiff::store::etcd
