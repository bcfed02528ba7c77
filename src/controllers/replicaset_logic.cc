#include "controllers/replicaset_logic.h"

#include "base/strings.h"

namespace skiff::controllers {
namespace {

int64_t deletionCost(const Pod& pod) {
  auto it = pod.metadata.annotations.find("controller.kubernetes.io/pod-deletion-cost");
  return it == pod.metadata.annotations.end() ? 0 : parseInt(it->second).value_or(0);
}

int restarts(const Pod& pod) {
  int most = 0;
  for (const auto& status : pod.status.containerStatuses) most = std::max(most, status.restartCount);
  return most;
}

int phaseRank(const Pod& pod) {
  if (pod.status.phase == "Running") return 2;
  return pod.status.phase == "Unknown" ? 1 : 0;
}

WallTime readySince(const Pod& pod) {
  const PodCondition* ready = findCondition(pod.status.conditions, "Ready");
  return ready != nullptr && ready->status == "True" ? ready->lastTransitionTime.value : WallTime{};
}

}  // namespace

std::vector<PodPtr> podsToDelete(std::vector<PodPtr> pods, size_t count,
                                 const std::map<std::string, int>& podsOnNode) {
  if (count >= pods.size()) return pods;
  auto crowd = [&](const Pod& pod) {
    auto it = podsOnNode.find(pod.spec.nodeName);
    return it == podsOnNode.end() ? 0 : it->second;
  };
  std::stable_sort(pods.begin(), pods.end(), [&](const PodPtr& pa, const PodPtr& pb) {
    const Pod &a = *pa, &b = *pb;
    if (a.spec.nodeName.empty() != b.spec.nodeName.empty()) return a.spec.nodeName.empty();
    if (phaseRank(a) != phaseRank(b)) return phaseRank(a) < phaseRank(b);
    if (isReady(a) != isReady(b)) return !isReady(a);
    if (deletionCost(a) != deletionCost(b)) return deletionCost(a) < deletionCost(b);
    if (crowd(a) != crowd(b)) return crowd(a) > crowd(b);
    if (readySince(a) != readySince(b)) return readySince(a) > readySince(b);
    if (restarts(a) != restarts(b)) return restarts(a) > restarts(b);
    return a.metadata.creationTimestamp > b.metadata.creationTimestamp;
  });
  pods.resize(count);
  return pods;
}

ReplicaSetStatus replicaSetStatus(const ReplicaSet& rs, const std::vector<PodPtr>& active, int terminating,
                                  const ReplicaFailure& failure, WallTime now) {
  ReplicaSetStatus status;
  status.conditions = rs.status.conditions;
  status.observedGeneration = rs.metadata.generation;
  status.replicas = int32_t(active.size());
  status.terminatingReplicas = terminating;
  const auto& wanted = rs.spec.template_.metadata.labels;
  for (const auto& pod : active) {
    const auto& labels = pod->metadata.labels;
    bool full = std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
      auto it = labels.find(label.first);
      return it != labels.end() && it->second == label.second;
    });
    status.fullyLabeledReplicas += full;
    status.readyReplicas += isReady(*pod);
    status.availableReplicas += isAvailable(*pod, rs.spec.minReadySeconds, now);
  }
  bool had = findCondition(status.conditions, "ReplicaFailure") != nullptr;
  if (failure.failed && !had)
    setCondition(status.conditions, "ReplicaFailure", "True", failure.reason, failure.message, now);
  else if (!failure.failed && had)
    removeCondition(status.conditions, "ReplicaFailure");
  return status;
}

}  // namespace skiff::controllers
