#include "client/leader.h"

#include "base/clock.h"
#include "base/log.h"
#include "gen/coordination_v1.h"

namespace skiff::client {
namespace {

using api::coordination::v1::Lease;

class Elector {
 public:
  Elector(const Client& client, const LeaderElection& election) : client_(client), election_(election) {}

  // True if the lease is ours now.
  bool acquireOrRenew() {
    auto lease = client_.get<Lease>(election_.ns, election_.name);
    if (lease.failedWith(Reason::NotFound)) return create();
    if (!lease.ok()) return false;
    auto& spec = lease->spec;
    std::string holder = spec.holderIdentity.value_or("");
    std::string seen = holder + "@" + (spec.renewTime ? formatRfc3339Micro(spec.renewTime->value) : "");
    auto now = Clock::real().steadyNow();
    if (seen != lastSeen_) {  // freshness is judged by our own clock only
      lastSeen_ = seen;
      lastChange_ = now;
    }
    bool ours = holder == election_.identity;
    auto term = seconds(spec.leaseDurationSeconds.value_or(15));
    if (!ours && !holder.empty() && now < lastChange_ + term) return false;
    if (!ours) {
      spec.leaseTransitions = spec.leaseTransitions.value_or(0) + 1;
      spec.acquireTime = api::MicroTime{Clock::real().now()};
    }
    spec.holderIdentity = election_.identity;
    spec.leaseDurationSeconds = int32_t(election_.leaseDuration.count());
    spec.renewTime = api::MicroTime{Clock::real().now()};
    return client_.update(*lease).ok();
  }

  void release() {
    auto lease = client_.get<Lease>(election_.ns, election_.name);
    if (!lease.ok() || lease->spec.holderIdentity.value_or("") != election_.identity) return;
    lease->spec.holderIdentity = "";
    lease->spec.leaseDurationSeconds = 1;
    lease->spec.renewTime = api::MicroTime{Clock::real().now()};
    [[maybe_unused]] auto released = client_.update(*lease);
  }

 private:
  bool create() {
    Lease lease;
    lease.metadata.namespace_ = election_.ns;
    lease.metadata.name = election_.name;
    lease.spec.holderIdentity = election_.identity;
    lease.spec.leaseDurationSeconds = int32_t(election_.leaseDuration.count());
    lease.spec.acquireTime = lease.spec.renewTime = api::MicroTime{Clock::real().now()};
    lease.spec.leaseTransitions = 0;
    return client_.create(lease).ok();
  }

  const Client& client_;
  const LeaderElection& election_;
  std::string lastSeen_;
  SteadyTime lastChange_{};
};

}  // namespace

void runLeaderElection(const Client& client, const LeaderElection& election, rt::StopSignal& stop,
                       std::function<void()> onLead) {
  Elector elector(client, election);
  while (!elector.acquireOrRenew())
    if (stop.waitFor(election.retryPeriod)) return;
  log::info("Became leader", {{"lease", election.name}, {"identity", election.identity}});
  onLead();
  auto renewed = Clock::real().steadyNow();
  while (!stop.waitFor(election.retryPeriod)) {
    auto now = Clock::real().steadyNow();
    if (elector.acquireOrRenew()) {
      renewed = now;
    } else if (now - renewed > election.renewDeadline) {
      log::error("Lost leadership", {{"lease", election.name}});
      return;
    }
  }
  elector.release();
}

}  // namespace skiff::client
