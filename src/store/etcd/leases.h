// Leases for what has a time to live. One is shared by all writes of a minute: an hour's events need 60 leases.
#pragma once
#include <map>
#include <mutex>

#include "store/etcd/api.h"

namespace skiff::store::etcd {

// Thread safe.
class Leases {
 public:
  Leases(Api& api, const Clock& clock) : api_(api), clock_(clock) {}
  // A lease that holds for at least `timeToLive`, at most a twentieth (or a minute) longer.
  Result<int64_t> leaseFor(seconds timeToLive);
  // etcd does not know it any more.
  void forget(int64_t lease);

 private:
  struct Current {
    int64_t id = 0;
    SteadyTime usableUntil;
    int writes = 0;
  };
  Api& api_;
  const Clock& clock_;
  std::mutex mutex_;  // guards current_; held while a lease is granted, so that one is enough for all who wait
  std::map<seconds, Current> current_;  // by time to live
};

}  // namespace skiff::store::etcd
