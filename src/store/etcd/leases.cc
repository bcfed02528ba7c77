#include "store/etcd/leases.h"

#include <algorithm>

namespace skiff::store::etcd {
namespace {

constexpr seconds kMaxReuse{60};
constexpr int kReuseDivisor = 20;
constexpr int kMaxWrites = 1000;  // keys of one lease are deleted in one step: etcd should not stall at it
constexpr milliseconds kGrantTimeout{5000};

}  // namespace

Result<int64_t> Leases::leaseFor(seconds timeToLive) {
  std::lock_guard lock(mutex_);
  Current& current = current_[timeToLive];
  SteadyTime now = clock_.steadyNow();
  if (current.id == 0 || now >= current.usableUntil || current.writes >= kMaxWrites) {
    seconds reuse = std::min(kMaxReuse, timeToLive / kReuseDivisor);
    current = {TRY(api_.grantLease(timeToLive + reuse, kGrantTimeout)), now + reuse, 0};
  }
  ++current.writes;
  return current.id;
}

void Leases::forget(int64_t lease) {
  std::lock_guard lock(mutex_);
  std::erase_if(current_, [&](const auto& item) { return item.second.id == lease; });
}

}  // namespace skiff::store::etcd
