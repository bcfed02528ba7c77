#include "controllers/deployment_logic.h"

#include <cmath>

#include "base/strings.h"

namespace skiff::controllers {
namespace {

using api::apps::v1::DeploymentCondition;

bool hasDeadline(const Deployment& d) {
  return d.spec.progressDeadlineSeconds && *d.spec.progressDeadlineSeconds != INT32_MAX;
}

std::optional<int32_t> intAnnotation(const ReplicaSet& rs, std::string_view key) {
  auto it = rs.metadata.annotations.find(std::string(key));
  if (it == rs.metadata.annotations.end()) return std::nullopt;
  auto number = parseInt(it->second);
  if (!number || *number < 0 || *number > INT32_MAX) return std::nullopt;
  return int32_t(*number);
}

// How many pods a set gains (or loses) as its share of the change.
int32_t shareOf(const ReplicaSet& rs, const Deployment& d) {
  int32_t wanted = replicasOf(d);
  if (wanted == 0) return -replicasOf(rs);
  int32_t most = wanted + fenceposts(d).surge;
  auto before = intAnnotation(rs, kMaxReplicas);
  int32_t mostBefore = before && *before > 0 ? *before : std::max(1, d.status.replicas);
  return int32_t(std::lround(double(replicasOf(rs)) * most / mostBefore)) - replicasOf(rs);
}

bool isReplicaAnnotation(std::string_view key) {
  return key == kRevision || key == kRevisionHistory || key == kDesiredReplicas || key == kMaxReplicas ||
         key == "kubectl.kubernetes.io/last-applied-configuration" || key == "deprecated.deployment.rollback.to";
}

bool progressed(const DeploymentStatus& before, const DeploymentStatus& now) {
  return now.updatedReplicas > before.updatedReplicas ||
         now.replicas - now.updatedReplicas < before.replicas - before.updatedReplicas ||
         now.readyReplicas > before.readyReplicas || now.availableReplicas > before.availableReplicas;
}

}  // namespace

int32_t replicasOf(const ReplicaSet& rs) { return rs.spec.replicas.value_or(1); }
int32_t replicasOf(const Deployment& d) { return d.spec.replicas.value_or(1); }
bool isRollingUpdate(const Deployment& d) { return d.spec.strategy.type != "Recreate"; }

Fenceposts fenceposts(const Deployment& d) {
  if (!isRollingUpdate(d)) return {};
  api::IntOrString surge = api::IntOrString::of("25%"), unavailable = api::IntOrString::of("25%");
  if (d.spec.strategy.rollingUpdate) {
    surge = d.spec.strategy.rollingUpdate->maxSurge.value_or(surge);
    unavailable = d.spec.strategy.rollingUpdate->maxUnavailable.value_or(unavailable);
  }
  Fenceposts out;
  out.surge = api::scaledValue(surge, replicasOf(d), true).value_or(0);
  out.unavailable = api::scaledValue(unavailable, replicasOf(d), false).value_or(0);
  // Percentages may both come to nothing; then one pod at a time goes down.
  if (out.surge == 0 && out.unavailable == 0) out.unavailable = 1;
  out.unavailable = std::min(out.unavailable, replicasOf(d));
  return out;
}

int64_t revisionOf(const api::meta::v1::ObjectMeta& meta) {
  auto it = meta.annotations.find(std::string(kRevision));
  return it == meta.annotations.end() ? 0 : parseInt(it->second).value_or(0);
}

bool sameTemplate(const PodTemplateSpec& a, const PodTemplateSpec& b) {
  PodTemplateSpec left = a, right = b;
  left.metadata.labels.erase(std::string(kTemplateHash));
  right.metadata.labels.erase(std::string(kTemplateHash));
  return api::equal(left, right);
}

void sortByCreation(ReplicaSets& sets) {
  std::sort(sets.begin(), sets.end(), [](const auto& a, const auto& b) {
    return std::tie(a->metadata.creationTimestamp, a->metadata.name) <
           std::tie(b->metadata.creationTimestamp, b->metadata.name);
  });
}

ReplicaSetPtr findNewReplicaSet(const Deployment& d, const ReplicaSets& all) {
  ReplicaSets sorted = all;
  sortByCreation(sorted);
  for (const auto& rs : sorted)
    if (sameTemplate(rs->spec.template_, d.spec.template_)) return rs;
  return nullptr;
}

ReplicaSets withReplicas(const ReplicaSets& sets) {
  ReplicaSets out;
  for (const auto& rs : sets)
    if (rs && replicasOf(*rs) > 0) out.push_back(rs);
  return out;
}

int32_t totalReplicas(const ReplicaSets& sets) {
  int32_t sum = 0;
  for (const auto& rs : sets) sum += replicasOf(*rs);
  return sum;
}

int32_t totalAvailable(const ReplicaSets& sets) {
  int32_t sum = 0;
  for (const auto& rs : sets) sum += rs->status.availableReplicas;
  return sum;
}

int32_t newReplicaSetSize(const Deployment& d, const ReplicaSets& all, const ReplicaSet& newSet) {
  int32_t wanted = replicasOf(d), current = replicasOf(newSet);
  if (!isRollingUpdate(d)) return wanted;
  if (current >= wanted) return wanted;
  int32_t room = wanted + fenceposts(d).surge - totalReplicas(all);
  if (room <= 0) return current;
  return current + std::min(room, wanted - current);
}

std::vector<Scale> scaleDownOld(const Deployment& d, const ReplicaSets& all, const ReplicaSets& old,
                                const ReplicaSet& newSet) {
  int32_t minAvailable = replicasOf(d) - fenceposts(d).unavailable;
  int32_t newUnavailable = replicasOf(newSet) - newSet.status.availableReplicas;
  int32_t mayGo = totalReplicas(all) - minAvailable - newUnavailable;
  if (totalReplicas(old) == 0 || mayGo <= 0) return {};
  ReplicaSets sorted = old;
  sortByCreation(sorted);
  std::map<std::string, int32_t> size;
  // First the pods that do not work: they are no loss.
  int32_t cleaned = 0;
  for (const auto& rs : sorted) {
    int32_t unhealthy = std::max(0, replicasOf(*rs) - rs->status.availableReplicas);
    int32_t drop = std::min(mayGo - cleaned, unhealthy);
    size[rs->metadata.name] = replicasOf(*rs) - drop;
    cleaned += drop;
  }
  // Then as many working ones as the promise of availability leaves.
  int32_t spare = totalAvailable(all) - minAvailable;
  for (const auto& rs : sorted) {
    if (spare <= 0) break;
    int32_t drop = std::min(spare, size[rs->metadata.name]);
    size[rs->metadata.name] -= drop;
    spare -= drop;
  }
  std::vector<Scale> out;
  for (const auto& rs : sorted)
    if (size[rs->metadata.name] != replicasOf(*rs)) out.push_back({rs, size[rs->metadata.name]});
  return out;
}

std::vector<Scale> proportionalScale(const Deployment& d, ReplicaSets active) {
  int32_t allowed = replicasOf(d) > 0 ? replicasOf(d) + fenceposts(d).surge : 0;
  int32_t toAdd = allowed - totalReplicas(active);
  std::sort(active.begin(), active.end(), [&](const auto& a, const auto& b) {
    if (replicasOf(*a) != replicasOf(*b)) return replicasOf(*a) > replicasOf(*b);
    // Ties: growth favours the newer set, shrinking takes from the older.
    return toAdd > 0 ? a->metadata.creationTimestamp > b->metadata.creationTimestamp
                     : a->metadata.creationTimestamp < b->metadata.creationTimestamp;
  });
  std::vector<Scale> out;
  int32_t added = 0;
  for (const auto& rs : active) {
    int32_t share = 0;
    if (toAdd != 0 && added != toAdd && replicasOf(*rs) != 0) {
      int32_t left = toAdd - added;
      share = toAdd > 0 ? std::min(shareOf(*rs, d), left) : std::max(shareOf(*rs, d), left);
    }
    added += share;
    out.push_back({rs, replicasOf(*rs) + share});
  }
  if (!out.empty() && toAdd != 0) out[0].to = std::max(0, out[0].to + toAdd - added);
  return out;
}

bool isScalingEvent(const Deployment& d, const ReplicaSets& all) {
  for (const auto& rs : withReplicas(all))
    if (auto desired = intAnnotation(*rs, kDesiredReplicas); desired && *desired != replicasOf(d)) return true;
  return false;
}

bool isSaturated(const Deployment& d, const ReplicaSet* newSet) {
  if (newSet == nullptr) return false;
  int32_t wanted = replicasOf(d);
  return replicasOf(*newSet) == wanted && intAnnotation(*newSet, kDesiredReplicas) == wanted &&
         newSet->status.availableReplicas == wanted;
}

bool setReplicasAnnotations(ReplicaSet& rs, const Deployment& d) {
  bool changed = false;
  auto set = [&](std::string_view key, int32_t value) {
    std::string& slot = rs.metadata.annotations[std::string(key)];
    std::string text = std::to_string(value);
    if (slot != text) changed = true;
    slot = std::move(text);
  };
  set(kDesiredReplicas, replicasOf(d));
  set(kMaxReplicas, replicasOf(d) + fenceposts(d).surge);
  return changed;
}

bool setNewReplicaSetAnnotations(const Deployment& d, ReplicaSet& rs, int64_t newRevision, bool exists) {
  bool changed = false;
  for (const auto& [key, value] : d.metadata.annotations) {
    if (isReplicaAnnotation(key)) continue;
    auto it = rs.metadata.annotations.find(key);
    if (it != rs.metadata.annotations.end() && it->second == value) continue;
    rs.metadata.annotations[key] = value;
    changed = true;
  }
  std::string& slot = rs.metadata.annotations[std::string(kRevision)];
  int64_t old = parseInt(slot).value_or(0);
  if (old < newRevision) {
    // A set that is rolled back to remembers the revisions it was known under.
    if (old > 0) {
      std::string& history = rs.metadata.annotations[std::string(kRevisionHistory)];
      if (!history.empty()) history += ",";
      history += std::to_string(old);
    }
    rs.metadata.annotations[std::string(kRevision)] = std::to_string(newRevision);
    changed = true;
  }
  if (!exists) changed |= setReplicasAnnotations(rs, d);
  return changed;
}

bool deploymentComplete(const Deployment& d, const DeploymentStatus& status) {
  int32_t wanted = replicasOf(d);
  return status.updatedReplicas == wanted && status.replicas == wanted && status.availableReplicas == wanted &&
         status.observedGeneration >= d.metadata.generation;
}

bool deploymentTimedOut(const Deployment& d, const DeploymentStatus& status, WallTime now) {
  const auto* progressing = findCondition(status.conditions, "Progressing");
  if (!hasDeadline(d) || progressing == nullptr || progressing->reason == "NewReplicaSetAvailable") return false;
  if (progressing->reason == "ProgressDeadlineExceeded") return true;
  return progressing->lastUpdateTime.value + seconds(*d.spec.progressDeadlineSeconds) < now;
}

void setDeploymentCondition(DeploymentStatus& status, std::string_view type, std::string_view value,
                            std::string_view reason, std::string message, WallTime now) {
  const auto* current = findCondition(status.conditions, type);
  if (current != nullptr && current->status == value && current->reason == reason) return;
  DeploymentCondition fresh;
  fresh.type = std::string(type);
  fresh.status = std::string(value);
  fresh.reason = std::string(reason);
  fresh.message = std::move(message);
  fresh.lastUpdateTime = {now};
  fresh.lastTransitionTime = {now};
  if (current != nullptr && current->status == value) fresh.lastTransitionTime = current->lastTransitionTime;
  removeCondition(status.conditions, type);
  status.conditions.push_back(std::move(fresh));
}

DeploymentStatus deploymentStatus(const Deployment& d, const ReplicaSets& all, const ReplicaSet* newSet, WallTime now) {
  DeploymentStatus status;
  status.observedGeneration = d.metadata.generation;
  status.conditions = d.status.conditions;
  status.collisionCount = d.status.collisionCount;
  int32_t terminating = 0;
  for (const auto& rs : all) {
    status.replicas += rs->status.replicas;
    status.readyReplicas += rs->status.readyReplicas;
    terminating += rs->status.terminatingReplicas.value_or(0);
  }
  status.terminatingReplicas = terminating;
  status.availableReplicas = totalAvailable(all);
  status.unavailableReplicas = std::max(0, totalReplicas(all) - status.availableReplicas);
  if (newSet != nullptr) status.updatedReplicas = newSet->status.replicas;
  if (status.availableReplicas >= replicasOf(d) - fenceposts(d).unavailable)
    setDeploymentCondition(status, "Available", "True", "MinimumReplicasAvailable",
                           "Deployment has minimum availability.", now);
  else
    setDeploymentCondition(status, "Available", "False", "MinimumReplicasUnavailable",
                           "Deployment does not have minimum availability.", now);
  return status;
}

DeploymentStatus rolloutStatus(const Deployment& d, const ReplicaSets& all, const ReplicaSet* newSet, WallTime now) {
  DeploymentStatus status = deploymentStatus(d, all, newSet, now);
  if (!hasDeadline(d)) removeCondition(status.conditions, "Progressing");
  const auto* current = findCondition(d.status.conditions, "Progressing");
  bool wasComplete = status.replicas == status.updatedReplicas && current != nullptr &&
                     current->reason == "NewReplicaSetAvailable";
  std::string subject = newSet != nullptr ? concat("ReplicaSet ", skiff::quoted(newSet->metadata.name))
                                          : concat("Deployment ", skiff::quoted(d.metadata.name));
  if (hasDeadline(d) && !wasComplete) {
    if (deploymentComplete(d, status)) {
      setDeploymentCondition(status, "Progressing", "True", "NewReplicaSetAvailable",
                             subject + " has successfully progressed.", now);
    } else if (progressed(d.status, status)) {
      // Each step forward starts the deadline anew, though status and reason stay.
      std::optional<api::Time> since;
      if (current != nullptr && current->status == "True") since = current->lastTransitionTime;
      removeCondition(status.conditions, "Progressing");
      setDeploymentCondition(status, "Progressing", "True", "ReplicaSetUpdated", subject + " is progressing.", now);
      if (since) status.conditions.back().lastTransitionTime = *since;
    } else if (deploymentTimedOut(d, d.status, now)) {
      setDeploymentCondition(status, "Progressing", "False", "ProgressDeadlineExceeded",
                             subject + " has timed out progressing.", now);
    }
  }
  const api::apps::v1::ReplicaSetCondition* failure =
      newSet != nullptr ? findCondition(newSet->status.conditions, "ReplicaFailure") : nullptr;
  for (const auto& rs : all)
    if (failure == nullptr && newSet == nullptr) failure = findCondition(rs->status.conditions, "ReplicaFailure");
  if (failure != nullptr)
    setDeploymentCondition(status, "ReplicaFailure", failure->status, failure->reason, failure->message, now);
  else
    removeCondition(status.conditions, "ReplicaFailure");
  return status;
}

std::optional<milliseconds> untilDeadline(const Deployment& d, const DeploymentStatus& status, WallTime now) {
  const auto* progressing = findCondition(status.conditions, "Progressing");
  if (!hasDeadline(d) || progressing == nullptr) return std::nullopt;
  if (deploymentComplete(d, status) || progressing->reason == "ProgressDeadlineExceeded") return std::nullopt;
  auto at = progressing->lastUpdateTime.value + seconds(*d.spec.progressDeadlineSeconds) + seconds(1);
  return std::max(milliseconds(1000), std::chrono::ceil<milliseconds>(at - now));
}

ReplicaSets beyondHistory(const Deployment& d, const ReplicaSets& old) {
  int32_t limit = d.spec.revisionHistoryLimit.value_or(INT32_MAX);
  ReplicaSets living;
  for (const auto& rs : old)
    if (!rs->metadata.deletionTimestamp) living.push_back(rs);
  if (limit == INT32_MAX || int64_t(living.size()) <= limit) return {};
  std::stable_sort(living.begin(), living.end(), [](const auto& a, const auto& b) {
    return revisionOf(a->metadata) < revisionOf(b->metadata);
  });
  living.resize(living.size() - size_t(limit));
  std::erase_if(living, [](const auto& rs) {
    return rs->status.replicas != 0 || replicasOf(*rs) != 0 || rs->metadata.generation > rs->status.observedGeneration;
  });
  return living;
}

}  // namespace skiff::controllers
