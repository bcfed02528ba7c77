// Leader election over a coordination.k8s.io Lease, as upstream's components do it.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "client/client.h"
#include "rt/stop.h"

namespace skiff::client {

struct LeaderElection {
  std::string ns = "kube-system";
  std::string name;      // "kube-scheduler"
  std::string identity;  // host_uuid
  seconds leaseDuration{15}, renewDeadline{10}, retryPeriod{2};
};
// Blocks: waits to lead, calls onLead, renews; returns when leadership is lost or stop is raised (and then releases).
void runLeaderElection(const Client& client, const LeaderElection& election, rt::StopSignal& stop,
                       std::function<void()> onLead);

}  // namespace skiff::client
