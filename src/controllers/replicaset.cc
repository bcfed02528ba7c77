// ReplicaSets and ReplicationControllers: as many pods of a template as wanted. A ReplicationController is worked on in
// the form of a ReplicaSet; only its selector, its reference and the writing of its status are its own.
#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/pod_control.h"
#include "controllers/registry.h"
#include "controllers/replicaset_logic.h"

namespace skiff::controllers {
namespace {

using api::core::v1::ReplicationController;
using client::Requeue;

constexpr int kBurst = 500;  // pods made or deleted in one go, as upstream

// A field selects what the ReplicaSet form has; the rest is the same.
const ReplicaSet& asReplicaSet(const ReplicaSet& rs) { return rs; }
ReplicaSet asReplicaSet(const ReplicationController& rc) {
  ReplicaSet rs;
  rs.metadata = rc.metadata;
  rs.spec.replicas = rc.spec.replicas;
  rs.spec.minReadySeconds = rc.spec.minReadySeconds;
  rs.spec.selector.emplace().matchLabels = rc.spec.selector;
  if (rc.spec.template_) rs.spec.template_ = *rc.spec.template_;
  rs.status.replicas = rc.status.replicas;
  rs.status.fullyLabeledReplicas = rc.status.fullyLabeledReplicas;
  rs.status.readyReplicas = rc.status.readyReplicas;
  rs.status.availableReplicas = rc.status.availableReplicas;
  rs.status.observedGeneration = rc.status.observedGeneration;
  for (const auto& c : rc.status.conditions)
    rs.status.conditions.push_back({c.type, c.status, c.lastTransitionTime, c.reason, c.message});
  return rs;
}

void writeStatus(ReplicaSet& rs, const ReplicaSetStatus& status) { rs.status = status; }
void writeStatus(ReplicationController& rc, const ReplicaSetStatus& status) {
  rc.status.replicas = status.replicas;
  rc.status.fullyLabeledReplicas = status.fullyLabeledReplicas;
  rc.status.readyReplicas = status.readyReplicas;
  rc.status.availableReplicas = status.availableReplicas;
  rc.status.observedGeneration = status.observedGeneration;
  rc.status.conditions.clear();
  for (const auto& c : status.conditions)
    rc.status.conditions.push_back({c.type, c.status, c.lastTransitionTime, c.reason, c.message});
}

api::LabelSelector selectorOf(const ReplicaSet& rs) {
  if (!rs.spec.selector) return api::LabelSelector::nothing();
  auto made = api::LabelSelector::fromTyped(*rs.spec.selector);
  return made.ok() ? std::move(made).value() : api::LabelSelector::nothing();
}
api::LabelSelector selectorOf(const ReplicationController& rc) {
  return rc.spec.selector.empty() ? api::LabelSelector::nothing() : api::LabelSelector::fromMap(rc.spec.selector);
}

template <class T>
class ReplicaController final : public Controller {
 public:
  ReplicaController(Context& context, std::string name, std::string_view component)
      : Controller(context, std::move(name), 5),
        owners_(context.informers.of<T>()),
        pods_(context.informers.of<Pod>()),
        recorder_(context.recorder(component)),
        expectations_(context.clock),
        podControl_(context, recorder_) {
    addControllerIndex(pods_);
    owners_.addHandler({.onAdd = [this](const auto& owner) { queue().add(keyOf(*owner)); },
                        .onUpdate = [this](const auto& before, const auto& now) {
                          if (before->metadata.uid != now->metadata.uid) expectations_.forget(keyOf(*now));
                          queue().add(keyOf(*now));
                        },
                        .onDelete = [this](const auto& owner) {
                          expectations_.forget(keyOf(*owner));
                          queue().add(keyOf(*owner));
                        }});
    PodEvents<T>{owners_, &expectations_, &queue(), [](const T& owner) { return selectorOf(owner); }, {}}.attach(pods_);
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto owner = owners_.getByKey(key);
    if (!owner) return done();
    bool settled = expectations_.satisfied(key);
    const ReplicaSet& rs = asReplicaSet(*owner);
    auto claimed = TRY((claimObjects<T, Pod>(*ctx_.client, *owner, selectorOf(*owner), pods_)));
    std::vector<PodPtr> active;
    int terminating = 0;
    for (auto& pod : claimed) {
      if (isActive(*pod)) active.push_back(std::move(pod));
      else if (isTerminating(*pod) && !isTerminal(*pod)) ++terminating;
    }

    Status managed = okStatus();
    ReplicaFailure failure;
    int missing = rs.spec.replicas.value_or(1) - int(active.size());
    if (settled && !rs.metadata.deletionTimestamp && missing != 0) {
      managed = missing > 0 ? grow(key, *owner, rs, std::min(missing, kBurst))
                            : shrink(key, *owner, active, std::min(-missing, kBurst));
      if (!managed.ok())
        failure = {true, missing > 0 ? "FailedCreate" : "FailedDelete", managed.error().message()};
    } else if (!settled) {
      // Unknown yet: what the last round said stays.
      if (const auto* known = findCondition(rs.status.conditions, "ReplicaFailure"))
        failure = {true, known->reason, known->message};
    }
    WallTime now = ctx_.clock.now();
    ReplicaSetStatus status = replicaSetStatus(rs, active, terminating, failure, now);
    if constexpr (std::is_same_v<T, ReplicationController>) status.terminatingReplicas.reset();
    if (!api::equal(status, rs.status)) {
      T updated = *owner;
      writeStatus(updated, status);
      auto written = ctx_.client->updateStatus(updated);
      if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    }
    if (!managed.ok()) return std::move(managed).error();
    return again(nextAvailable(active, rs.spec.minReadySeconds, now));
  }

 private:
  Status grow(const std::string& key, const T& owner, const ReplicaSet& rs, int count) {
    return podControl_.createMany(client::EventRecorder::referenceTo(owner), expectations_, key, count, [&](int) {
      Pod pod = podFromTemplate(rs.spec.template_, rs.metadata.namespace_, rs.metadata.name);
      pod.metadata.ownerReferences.push_back(newControllerRef(owner));
      return pod;
    });
  }

  Status shrink(const std::string& key, const T& owner, const std::vector<PodPtr>& active, int count) {
    return podControl_.removeMany(client::EventRecorder::referenceTo(owner), expectations_, key,
                                  podsToDelete(active, size_t(count), relatedPodsOnNodes(owner)));
  }

  // Pods of this and its sister sets (of one deployment) by node.
  std::map<std::string, int> relatedPodsOnNodes(const T& owner) const {
    std::map<std::string, int> out;
    const OwnerReference* parent = controllerOf(owner.metadata);
    for (const auto& sister : owners_.list(owner.metadata.namespace_)) {
      bool related = sister->metadata.uid == owner.metadata.uid ||
                     (parent != nullptr && isControlledBy(sister->metadata, parent->uid));
      if (!related) continue;
      for (const auto& pod : pods_.byIndex(kControllerIndex, sister->metadata.uid))
        if (isActive(*pod)) ++out[pod->spec.nodeName];
    }
    return out;
  }

  static milliseconds nextAvailable(const std::vector<PodPtr>& pods, int32_t minReadySeconds, WallTime now) {
    milliseconds soonest{0};
    for (const auto& pod : pods)
      if (auto wait = untilAvailable(*pod, minReadySeconds, now); wait && (soonest.count() == 0 || *wait < soonest))
        soonest = *wait;
    return soonest;
  }

  client::Informer<T> owners_;
  client::Informer<Pod> pods_;
  client::EventRecorder& recorder_;
  Expectations expectations_;
  PodControl podControl_;
};

}  // namespace

std::unique_ptr<Controller> createReplicaSetController(Context& context) {
  return std::make_unique<ReplicaController<ReplicaSet>>(context, "replicaset", "replicaset-controller");
}

std::unique_ptr<Controller> createReplicationController(Context& context) {
  return std::make_unique<ReplicaController<ReplicationController>>(context, "replicationcontroller",
                                                                   "replication-controller");
}

}  // namespace skiff::controllers
