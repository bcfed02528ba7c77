// The arithmetic of rollouts as pure functions over a Deployment and its ReplicaSets.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controllers/pod_util.h"
#include "gen/apps_v1.h"

namespace skiff::controllers {

using api::apps::v1::Deployment;
using api::apps::v1::DeploymentStatus;
using api::apps::v1::ReplicaSet;
using ReplicaSetPtr = std::shared_ptr<const ReplicaSet>;
using ReplicaSets = std::vector<ReplicaSetPtr>;

inline constexpr std::string_view kRevision = "deployment.kubernetes.io/revision";
inline constexpr std::string_view kRevisionHistory = "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view kDesiredReplicas = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view kMaxReplicas = "deployment.kubernetes.io/max-replicas";
inline constexpr std::string_view kTemplateHash = "pod-template-hash";

int32_t replicasOf(const ReplicaSet& rs);
int32_t replicasOf(const Deployment& d);
bool isRollingUpdate(const Deployment& d);
struct Fenceposts {
  int32_t surge = 0, unavailable = 0;
};
Fenceposts fenceposts(const Deployment& d);  // zero unless rolling; never both zero while rolling

int64_t revisionOf(const api::meta::v1::ObjectMeta& meta);
bool sameTemplate(const PodTemplateSpec& a, const PodTemplateSpec& b);  // but for pod-template-hash
// The oldest set with the deployment's template; null when a new one is needed.
ReplicaSetPtr findNewReplicaSet(const Deployment& d, const ReplicaSets& all);
ReplicaSets withReplicas(const ReplicaSets& sets);
void sortByCreation(ReplicaSets& sets);
int32_t totalReplicas(const ReplicaSets& sets);    // spec
int32_t totalAvailable(const ReplicaSets& sets);   // status

// Sizes that differ from what is: the set and its new number.
struct Scale {
  ReplicaSetPtr set;
  int32_t to;
};
int32_t newReplicaSetSize(const Deployment& d, const ReplicaSets& all, const ReplicaSet& newSet);
std::vector<Scale> scaleDownOld(const Deployment& d, const ReplicaSets& all, const ReplicaSets& old, const ReplicaSet& newSet);
// All active sets in proportion when the deployment is scaled in the middle of a rollout.
std::vector<Scale> proportionalScale(const Deployment& d, ReplicaSets active);
bool isScalingEvent(const Deployment& d, const ReplicaSets& all);
bool isSaturated(const Deployment& d, const ReplicaSet* newSet);

// Brings the desired-replicas and max-replicas annotations up to date; true when they changed.
bool setReplicasAnnotations(ReplicaSet& rs, const Deployment& d);
// Copies the deployment's annotations and sets the revision; true when something changed.
bool setNewReplicaSetAnnotations(const Deployment& d, ReplicaSet& rs, int64_t newRevision, bool exists);

bool deploymentComplete(const Deployment& d, const DeploymentStatus& status);
bool deploymentTimedOut(const Deployment& d, const DeploymentStatus& status, WallTime now);
// As the upstream helper: nothing changes while status and reason stay; lastUpdateTime is always set.
void setDeploymentCondition(DeploymentStatus& status, std::string_view type, std::string_view value,
                            std::string_view reason, std::string message, WallTime now);
DeploymentStatus deploymentStatus(const Deployment& d, const ReplicaSets& all, const ReplicaSet* newSet, WallTime now);
// With the Progressing and ReplicaFailure conditions of a rollout.
DeploymentStatus rolloutStatus(const Deployment& d, const ReplicaSets& all, const ReplicaSet* newSet, WallTime now);
// When a stuck rollout has to be looked at again.
std::optional<milliseconds> untilDeadline(const Deployment& d, const DeploymentStatus& status, WallTime now);
// Old sets beyond revisionHistoryLimit.
ReplicaSets beyondHistory(const Deployment& d, const ReplicaSets& old);

}  // namespace skiff::controllers
