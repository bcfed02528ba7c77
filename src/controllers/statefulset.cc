// StatefulSets: pods with a name and storage of their own, made, updated and deleted in order.
#include "controllers/statefulset_logic.h"

#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/history.h"
#include "controllers/parallel.h"
#include "controllers/pod_control.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using client::Requeue;

api::LabelSelector selectorOf(const StatefulSet& set) {
  if (!set.spec.selector) return api::LabelSelector::nothing();
  auto made = api::LabelSelector::fromTyped(*set.spec.selector);
  return made.ok() ? std::move(made).value() : api::LabelSelector::nothing();
}

bool deletesClaims(const StatefulSet& set, bool whenDeleted) {
  const auto& policy = set.spec.persistentVolumeClaimRetentionPolicy;
  return policy && (whenDeleted ? policy->whenDeleted : policy->whenScaled) == "Delete";
}

OwnerReference plainOwner(std::string_view apiVersion, std::string_view kind, const ObjectMeta& meta) {
  OwnerReference ref;
  ref.apiVersion = std::string(apiVersion);
  ref.kind = std::string(kind);
  ref.name = meta.name;
  ref.uid = meta.uid;
  return ref;
}

class StatefulSetController final : public Controller {
 public:
  explicit StatefulSetController(Context& context)
      : Controller(context, "statefulset", 5),
        sets_(context.informers.of<StatefulSet>()),
        pods_(context.informers.of<Pod>()),
        claims_(context.informers.of<PersistentVolumeClaim>()),
        revisions_(context.informers.of<ControllerRevision>()),
        history_(context, revisions_),
        recorder_(context.recorder("statefulset-controller")),
        expectations_(context.clock) {
    addControllerIndex(pods_);
    addControllerIndex(revisions_);
    enqueueOwnKeys(sets_);
    PodEvents<StatefulSet>{sets_, &expectations_, &queue(), selectorOf, {}}.attach(pods_);
    revisions_.addHandler([this](const RevisionPtr& revision) {
      const OwnerReference* ref = controllerOf(revision->metadata);
      if (ref != nullptr && ref->kind == StatefulSet::kKind) queue().add(revision->metadata.namespace_ + "/" + ref->name);
    });
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = sets_.getByKey(key);
    if (!known) {
      expectations_.forget(key);
      return done();
    }
    // Names make creations idempotent, but a stale cache would still report wrong numbers.
    if (!expectations_.satisfied(key)) return done();
    StatefulSet set = *known;
    auto selector = selectorOf(set);
    auto revisions = TRY((claimObjects<StatefulSet, ControllerRevision>(*ctx_.client, set, selector, revisions_)));
    auto pods = TRY((claimObjects<StatefulSet, Pod>(*ctx_.client, set, selector, pods_, {}, [&](const Pod& pod) {
      return ordinalOf(set, pod.metadata.name).has_value();
    })));
    if (set.metadata.deletionTimestamp) return done();
    RevisionOwner owner{set.metadata.namespace_, set.metadata.name, newControllerRef(set),
                        set.spec.template_.metadata.labels};
    RevisionPtr update =
        TRY(history_.sync(owner, revisions, templatePatch(set.spec.template_), set.status.collisionCount));
    RevisionPtr current = update;
    for (const auto& revision : revisions)
      if (revision->metadata.name == set.status.currentRevision) current = revision;

    StatefulPlan plan = planStatefulSet(set, pods, current->metadata.name, update->metadata.name, ctx_.clock.now());
    Status managed = carryOut(key, set, plan, *current, *update);
    if (managed.ok()) managed = ownClaims(set, pods);
    if (managed.ok() && !api::equal(plan.status, known->status)) {
      StatefulSet updated = set;
      updated.status = plan.status;
      auto written = ctx_.client->updateStatus(updated);
      if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    }
    if (!managed.ok()) return std::move(managed).error();
    TRY(cleanHistory(set, revisions, pods, *current, *update));
    return again(plan.again.value_or(milliseconds(0)));
  }

 private:
  void recordPod(const StatefulSet& set, std::string_view verb, const std::string& pod, const Status& status) {
    std::string reason = verb == "create" ? "Create" : "Delete";
    if (status.ok())
      recorder_.record(set, "Normal", "Successful" + reason,
                       concat(verb, " Pod ", pod, " in StatefulSet ", set.metadata.name, " successful"));
    else
      recorder_.record(set, "Warning", "Failed" + reason,
                       concat(verb, " Pod ", pod, " in StatefulSet ", set.metadata.name,
                              " failed error: ", status.error().message()));
  }

  Status carryOut(const std::string& key, const StatefulSet& set, const StatefulPlan& plan,
                  const ControllerRevision& current, const ControllerRevision& update) {
    for (const auto& [pod, recreate] : plan.remove) {
      if (recreate) {
        bool failed = pod->status.phase == "Failed";
        recorder_.record(set, failed ? "Warning" : "Normal", failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
                         concat("StatefulSet ", keyOf(set), " is recreating ", failed ? "failed" : "terminated", " Pod ",
                                pod->metadata.name));
      }
      expectations_.expectDeletions(key, {pod->metadata.uid});
      auto removed = ctx_.client->remove<Pod>(pod->metadata.namespace_, pod->metadata.name, {.uid = pod->metadata.uid});
      if (!removed.ok()) expectations_.deletionObserved(key, pod->metadata.uid);
      if (removed.failedWith(Reason::NotFound) || removed.failedWith(Reason::Conflict)) continue;
      recordPod(set, "delete", pod->metadata.name, removed);
      TRY(std::move(removed));
    }
    return runParallel(ctx_.executor, int(plan.create.size()), [&](int i) -> Status {
      const auto& step = plan.create[size_t(i)];
      const ControllerRevision& revision = step.revision == update.metadata.name ? update : current;
      return createPod(key, set, step.ordinal, revision, step.revision == update.metadata.name);
    });
  }

  Status createPod(const std::string& key, const StatefulSet& set, int ordinal, const ControllerRevision& revision,
                   bool isUpdate) {
    PodTemplateSpec podTemplate = set.spec.template_;
    if (!isUpdate) podTemplate = TRY(templateOf(revision));
    Pod pod = statefulPod(set, podTemplate, ordinal, revision.metadata.name);
    pod.metadata.ownerReferences.push_back(newControllerRef(set));
    Status status = createClaims(set, ordinal, pod.metadata.name);
    if (status.ok()) {
      expectations_.expectCreations(key, 1);
      auto created = ctx_.client->create(pod);
      if (!created.ok()) {
        expectations_.creationObserved(key);
        // The old one is still leaving, or the namespace is: nothing to report.
        if (created.failedWith(Reason::AlreadyExists)) return std::move(created).error();
        if (isNamespaceTerminating(created.error())) return okStatus();
        status = std::move(created).error();
      }
    }
    recordPod(set, "create", pod.metadata.name, status);
    return status;
  }

  Status createClaims(const StatefulSet& set, int ordinal, const std::string& podName) {
    for (PersistentVolumeClaim& claim : claimsOf(set, ordinal)) {
      if (auto existing = claims_.get(claim.metadata.namespace_, claim.metadata.name)) {
        if (existing->metadata.deletionTimestamp)
          return internalError(concat("pvc ", claim.metadata.name, " is being deleted"));
        continue;
      }
      if (deletesClaims(set, true)) claim.metadata.ownerReferences.push_back(newControllerRef(set));
      auto created = ctx_.client->create(claim);
      if (created.failedWith(Reason::AlreadyExists)) continue;
      if (!created.ok()) {
        recorder_.record(set, "Warning", "FailedCreate",
                         concat("create Claim ", claim.metadata.name, " for Pod ", podName, " in StatefulSet ",
                                set.metadata.name, " failed error: ", created.error().message()));
        return std::move(created).error();
      }
      recorder_.record(set, "Normal", "SuccessfulCreate",
                       concat("create Claim ", claim.metadata.name, " Pod ", podName, " in StatefulSet ",
                              set.metadata.name, " success"));
    }
    return okStatus();
  }

  // Claims belong to the set, to a pod that is scaled away, or to nobody, as the retention policy says.
  Status ownClaims(const StatefulSet& set, const std::vector<PodPtr>& pods) {
    if (set.spec.volumeClaimTemplates.empty() || !set.spec.persistentVolumeClaimRetentionPolicy) return okStatus();
    int end = (set.spec.ordinals ? set.spec.ordinals->start : 0) + set.spec.replicas.value_or(1);
    for (const auto& pod : pods) {
      int ordinal = *ordinalOf(set, pod->metadata.name);
      bool ownedBySet = deletesClaims(set, true);
      bool ownedByPod = deletesClaims(set, false) && ordinal >= end;
      for (const auto& from : set.spec.volumeClaimTemplates) {
        auto claim = claims_.get(set.metadata.namespace_, claimName(set, from, ordinal));
        if (!claim || claim->metadata.deletionTimestamp) continue;
        PersistentVolumeClaim updated = *claim;
        auto& refs = updated.metadata.ownerReferences;
        std::erase_if(refs, [&](const auto& ref) {
          return ref.uid == set.metadata.uid || (ref.kind == "Pod" && ref.name == pod->metadata.name);
        });
        if (ownedByPod) refs.push_back(plainOwner("v1", "Pod", pod->metadata));
        else if (ownedBySet) refs.push_back(newControllerRef(set));
        if (api::equal(updated.metadata, claim->metadata)) continue;
        auto written = ctx_.client->update(updated);
        if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
      }
    }
    return okStatus();
  }

  Status cleanHistory(const StatefulSet& set, const std::vector<RevisionPtr>& revisions, const std::vector<PodPtr>& pods,
                      const ControllerRevision& current, const ControllerRevision& update) {
    std::set<std::string> inUse{current.metadata.name, update.metadata.name};
    for (const auto& pod : pods)
      if (auto it = pod->metadata.labels.find(std::string(kControllerRevisionHash)); it != pod->metadata.labels.end())
        inUse.insert(it->second);
    return history_.truncate(revisions, inUse, set.spec.revisionHistoryLimit.value_or(10));
  }

  client::Informer<StatefulSet> sets_;
  client::Informer<Pod> pods_;
  client::Informer<PersistentVolumeClaim> claims_;
  client::Informer<ControllerRevision> revisions_;
  RevisionHistory history_;
  client::EventRecorder& recorder_;
  Expectations expectations_;
};

}  // namespace

std::unique_ptr<Controller> createStatefulSetController(Context& context) {
  return std::make_unique<StatefulSetController>(context);
}

}  // namespace skiff::controllers
