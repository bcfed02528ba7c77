// Decisions of the ReplicaSet controller as pure functions.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "controllers/pod_util.h"
#include "gen/apps_v1.h"

namespace skiff::controllers {

using api::apps::v1::ReplicaSet;
using api::apps::v1::ReplicaSetStatus;

// The `count` pods to delete first: those that do least good (unscheduled, not ready, cheap by
// controller.kubernetes.io/pod-deletion-cost, crowded on a node, young, restarted).
std::vector<PodPtr> podsToDelete(std::vector<PodPtr> pods, size_t count, const std::map<std::string, int>& podsOnNode);

struct ReplicaFailure {
  bool failed = false;
  std::string reason, message;  // FailedCreate, FailedDelete
};
ReplicaSetStatus replicaSetStatus(const ReplicaSet& rs, const std::vector<PodPtr>& active, int terminating,
                                  const ReplicaFailure& failure, WallTime now);

}  // namespace skiff::controllers
