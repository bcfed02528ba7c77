// Deployments: a ReplicaSet for each version of the template, and the pace at which one takes over from another.
#include "api/selectors.h"
#include "base/log.h"
#include "base/strings.h"
#include "controllers/controller_ref.h"
#include "controllers/deployment_logic.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using client::Requeue;

// All of a deployment's sets, and the one of its present template (null when it has to be made).
struct Sets {
  ReplicaSets all, old;
  ReplicaSetPtr newSet;
};

class DeploymentController final : public Controller {
 public:
  explicit DeploymentController(Context& context)
      : Controller(context, "deployment", 5),
        deployments_(context.informers.of<Deployment>()),
        sets_(context.informers.of<ReplicaSet>()),
        pods_(context.informers.of<Pod>()),
        recorder_(context.recorder("deployment-controller")) {
    addControllerIndex(sets_);
    addControllerIndex(pods_);
    enqueueOwnKeys(deployments_);
    sets_.addHandler({.onAdd = [this](const auto& rs) { enqueueFor(*rs); },
                      .onUpdate = [this](const auto& before, const auto& now) {
                        const OwnerReference *was = controllerOf(before->metadata), *is = controllerOf(now->metadata);
                        if (was != nullptr && (is == nullptr || is->uid != was->uid)) enqueueFor(*before);
                        bool orphanUnchanged = is == nullptr && was == nullptr &&
                                               before->metadata.labels == now->metadata.labels;
                        if (!orphanUnchanged) enqueueFor(*now);
                      },
                      .onDelete = [this](const auto& rs) { enqueueFor(*rs); }});
    // Recreate waits for the last old pod to go.
    pods_.addHandler({.onUpdate = [this](const auto&, const auto& now) { if (isTerminal(*now)) podGone(*now); },
                      .onDelete = [this](const auto& pod) { podGone(*pod); }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = deployments_.getByKey(key);
    if (!known) return done();
    Deployment d = *known;
    if (!d.spec.selector || (d.spec.selector->matchLabels.empty() && d.spec.selector->matchExpressions.empty())) {
      recorder_.record(d, "Warning", "SelectingAll",
                       "This deployment is selecting all pods. A non-empty selector is required.");
      if (d.status.observedGeneration < d.metadata.generation) {
        d.status.observedGeneration = d.metadata.generation;
        TRY(ctx_.client->updateStatus(d));
      }
      return done();
    }
    auto selector = TRY(api::LabelSelector::fromTyped(*d.spec.selector));
    Sets sets;
    sets.all = TRY((claimObjects<Deployment, ReplicaSet>(*ctx_.client, d, selector, sets_)));
    if (d.metadata.deletionTimestamp) {
      findSets(d, sets);
      return writeStatus(d, deploymentStatus(d, sets.all, sets.newSet.get(), ctx_.clock.now()));
    }
    TRY(notePause(d));
    if (d.spec.paused || isScalingEvent(d, sets.all)) return syncScale(d, sets);
    return isRollingUpdate(d) ? rollingUpdate(d, sets) : recreate(d, sets);
  }

 private:
  void enqueueFor(const ReplicaSet& rs) {
    if (const OwnerReference* ref = controllerOf(rs.metadata)) {
      auto d = ref->kind == Deployment::kKind ? deployments_.get(rs.metadata.namespace_, ref->name) : nullptr;
      if (d && d->metadata.uid == ref->uid) queue().add(keyOf(*d));
      return;
    }
    for (const auto& d : deployments_.list(rs.metadata.namespace_)) {
      if (!d->spec.selector) continue;
      auto selector = api::LabelSelector::fromTyped(*d->spec.selector);
      if (selector.ok() && !selector->empty() && selector->matches(rs.metadata.labels)) queue().add(keyOf(*d));
    }
  }

  void podGone(const Pod& pod) {
    const OwnerReference* ref = controllerOf(pod.metadata);
    if (ref == nullptr || ref->kind != ReplicaSet::kKind) return;
    auto rs = sets_.get(pod.metadata.namespace_, ref->name);
    const OwnerReference* parent = rs ? controllerOf(rs->metadata) : nullptr;
    auto d = parent != nullptr ? deployments_.get(pod.metadata.namespace_, parent->name) : nullptr;
    if (d && !isRollingUpdate(*d)) queue().add(keyOf(*d));
  }

  // A pause is written down, so that the time it takes does not count against the deadline.
  Status notePause(Deployment& d) {
    if (!d.spec.progressDeadlineSeconds || *d.spec.progressDeadlineSeconds == INT32_MAX) return okStatus();
    const auto* progressing = findCondition(d.status.conditions, "Progressing");
    if (progressing != nullptr && progressing->reason == "ProgressDeadlineExceeded") return okStatus();
    bool noted = progressing != nullptr && progressing->reason == "DeploymentPaused";
    if (noted == d.spec.paused) return okStatus();
    if (d.spec.paused)
      setDeploymentCondition(d.status, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused",
                             ctx_.clock.now());
    else
      setDeploymentCondition(d.status, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed",
                             ctx_.clock.now());
    d = TRY(ctx_.client->updateStatus(d));
    return okStatus();
  }

  void findSets(const Deployment& d, Sets& sets) {
    sets.newSet = findNewReplicaSet(d, sets.all);
    sets.old.clear();
    for (const auto& rs : sets.all)
      if (!sets.newSet || rs->metadata.uid != sets.newSet->metadata.uid) sets.old.push_back(rs);
  }

  enum class IfMissing { Leave, Create };

  // Finds the new set, brings its revision and annotations up to date, makes it when asked to.
  Status prepareSets(Deployment& d, Sets& sets, IfMissing ifMissing) {
    findSets(d, sets);
    int64_t revision = 1;
    for (const auto& rs : sets.old) revision = std::max(revision, revisionOf(rs->metadata) + 1);
    if (sets.newSet) return refreshNewSet(d, sets, revision);
    if (ifMissing == IfMissing::Leave) return okStatus();
    return createNewSet(d, sets, revision);
  }

  Status refreshNewSet(Deployment& d, Sets& sets, int64_t revision) {
    ReplicaSet rs = *sets.newSet;
    bool changed = setNewReplicaSetAnnotations(d, rs, revision, true);
    if (rs.spec.minReadySeconds != d.spec.minReadySeconds) {
      rs.spec.minReadySeconds = d.spec.minReadySeconds;
      changed = true;
    }
    if (changed) {
      replace(sets, std::make_shared<const ReplicaSet>(TRY(ctx_.client->update(rs))));
      return okStatus();
    }
    bool needsUpdate = setRevision(d, rs);
    if (d.spec.progressDeadlineSeconds && findCondition(d.status.conditions, "Progressing") == nullptr) {
      setDeploymentCondition(d.status, "Progressing", "True", "FoundNewReplicaSet",
                             concat("Found new replica set ", skiff::quoted(rs.metadata.name)), ctx_.clock.now());
      needsUpdate = true;
    }
    if (needsUpdate) d = TRY(ctx_.client->updateStatus(d));
    return okStatus();
  }

  static bool setRevision(Deployment& d, const ReplicaSet& rs) {
    auto it = rs.metadata.annotations.find(std::string(kRevision));
    if (it == rs.metadata.annotations.end()) return false;
    std::string& slot = d.metadata.annotations[std::string(kRevision)];
    if (slot == it->second) return false;
    slot = it->second;
    return true;
  }

  ReplicaSet newSetFor(const Deployment& d, const Sets& sets, int64_t revision) {
    ReplicaSet rs;
    std::string hash = templateHash(api::toJson(d.spec.template_), d.status.collisionCount);
    rs.metadata.name = concat(d.metadata.name, "-", hash);
    rs.metadata.namespace_ = d.metadata.namespace_;
    rs.metadata.ownerReferences.push_back(newControllerRef(d));
    rs.spec.template_ = d.spec.template_;
    rs.spec.template_.metadata.labels[std::string(kTemplateHash)] = hash;
    rs.metadata.labels = rs.spec.template_.metadata.labels;
    rs.spec.selector = d.spec.selector;
    rs.spec.selector->matchLabels[std::string(kTemplateHash)] = hash;
    rs.spec.minReadySeconds = d.spec.minReadySeconds;
    rs.spec.replicas = 0;
    rs.spec.replicas = newReplicaSetSize(d, sets.all, rs);
    setNewReplicaSetAnnotations(d, rs, revision, false);
    return rs;
  }

  Status createNewSet(Deployment& d, Sets& sets, int64_t revision) {
    ReplicaSet wanted = newSetFor(d, sets, revision);
    auto created = ctx_.client->create(wanted);
    bool fresh = created.ok();
    if (created.failedWith(Reason::AlreadyExists)) {
      auto existing = ctx_.client->get<ReplicaSet>(wanted.metadata.namespace_, wanted.metadata.name);
      if (!existing.ok()) return std::move(existing).error();
      bool ours = isControlledBy(existing->metadata, d.metadata.uid) &&
                  sameTemplate(existing->spec.template_, d.spec.template_);
      if (!ours) {
        // Another template has this hash: the count moves the hash on.
        d.status.collisionCount = d.status.collisionCount.value_or(0) + 1;
        TRY(ctx_.client->updateStatus(d));
        return std::move(created).error();
      }
      created = std::move(existing);
    }
    if (!created.ok()) {
      if (isNamespaceTerminating(created.error())) return okStatus();
      std::string message = concat("Failed to create new replica set ", skiff::quoted(wanted.metadata.name), ": ",
                                   created.error().message());
      if (d.spec.progressDeadlineSeconds) {
        setDeploymentCondition(d.status, "Progressing", "False", "ReplicaSetCreateError", message, ctx_.clock.now());
        d = TRY(ctx_.client->updateStatus(d));
      }
      recorder_.record(d, "Warning", "ReplicaSetCreateError", message);
      return std::move(created).error();
    }
    auto rs = std::make_shared<const ReplicaSet>(std::move(created).value());
    if (fresh && replicasOf(*rs) > 0)
      recorder_.record(d, "Normal", "ScalingReplicaSet",
                       concat("Scaled up replica set ", rs->metadata.name, " from 0 to ", replicasOf(*rs)));
    bool needsUpdate = setRevision(d, *rs);
    if (fresh && d.spec.progressDeadlineSeconds) {
      setDeploymentCondition(d.status, "Progressing", "True", "NewReplicaSetCreated",
                             concat("Created new replica set ", skiff::quoted(rs->metadata.name)), ctx_.clock.now());
      needsUpdate = true;
    }
    sets.newSet = rs;
    sets.all.push_back(rs);
    if (needsUpdate) d = TRY(ctx_.client->updateStatus(d));
    return okStatus();
  }

  static void replace(Sets& sets, ReplicaSetPtr fresh) {
    for (auto* list : {&sets.all, &sets.old})
      for (auto& rs : *list)
        if (rs->metadata.uid == fresh->metadata.uid) rs = fresh;
    if (sets.newSet && sets.newSet->metadata.uid == fresh->metadata.uid) sets.newSet = fresh;
  }

  // True when something was scaled.
  Result<bool> scaleTo(const Deployment& d, Sets& sets, const ReplicaSetPtr& set, int32_t to) {
    ReplicaSet rs = *set;
    int32_t from = replicasOf(rs);
    bool annotated = setReplicasAnnotations(rs, d);
    if (from == to && !annotated) return false;
    rs.spec.replicas = to;
    replace(sets, std::make_shared<const ReplicaSet>(TRY(ctx_.client->update(rs))));
    if (from == to) return false;
    recorder_.record(d, "Normal", "ScalingReplicaSet",
                     concat("Scaled ", from < to ? "up" : "down", " replica set ", rs.metadata.name, " from ", from,
                            " to ", to));
    return true;
  }
  // Upstream touches a set only when its size changes here; annotations alone wait for the next change.
  Result<bool> scaleIfNeeded(const Deployment& d, Sets& sets, const ReplicaSetPtr& set, int32_t to) {
    if (replicasOf(*set) == to) return false;
    return scaleTo(d, sets, set, to);
  }

  Result<Requeue> syncScale(Deployment& d, Sets& sets) {
    TRY(prepareSets(d, sets, IfMissing::Leave));
    TRY(scale(d, sets));
    if (d.spec.paused) TRY(cleanUp(d, sets));
    return writeStatus(d, deploymentStatus(d, sets.all, sets.newSet.get(), ctx_.clock.now()));
  }

  Status scale(const Deployment& d, Sets& sets) {
    ReplicaSets active = withReplicas(sets.all);
    if (active.size() <= 1) {
      ReplicaSetPtr only = !active.empty() ? active[0] : sets.newSet;
      if (!only && !sets.old.empty()) {
        ReplicaSets old = sets.old;
        sortByCreation(old);
        only = old.back();
      }
      if (only && replicasOf(*only) != replicasOf(d)) TRY(scaleTo(d, sets, only, replicasOf(d)));
      else if (only) TRY(scaleTo(d, sets, only, replicasOf(*only)));
      return okStatus();
    }
    if (isSaturated(d, sets.newSet.get())) {
      for (const auto& rs : withReplicas(sets.old)) TRY(scaleIfNeeded(d, sets, rs, 0));
      return okStatus();
    }
    if (isRollingUpdate(d))
      for (const Scale& step : proportionalScale(d, active)) TRY(scaleTo(d, sets, step.set, step.to));
    return okStatus();
  }

  Result<Requeue> rollingUpdate(Deployment& d, Sets& sets) {
    TRY(prepareSets(d, sets, IfMissing::Create));
    if (!sets.newSet) return done();  // the namespace is on its way out
    bool scaled = TRY(scaleIfNeeded(d, sets, sets.newSet, newReplicaSetSize(d, sets.all, *sets.newSet)));
    if (!scaled)
      for (const Scale& step : scaleDownOld(d, sets.all, sets.old, *sets.newSet))
        scaled |= TRY(scaleIfNeeded(d, sets, step.set, step.to));
    if (!scaled && deploymentComplete(d, d.status)) TRY(cleanUp(d, sets));
    return writeRolloutStatus(d, sets);
  }

  Result<Requeue> recreate(Deployment& d, Sets& sets) {
    TRY(prepareSets(d, sets, IfMissing::Leave));
    bool scaled = false;
    for (const auto& rs : withReplicas(sets.old)) scaled |= TRY(scaleIfNeeded(d, sets, rs, 0));
    if (scaled || oldPodsRun(sets)) return writeRolloutStatus(d, sets);
    if (!sets.newSet) TRY(prepareSets(d, sets, IfMissing::Create));
    if (!sets.newSet) return done();
    TRY(scaleIfNeeded(d, sets, sets.newSet, replicasOf(d)));
    if (deploymentComplete(d, d.status)) TRY(cleanUp(d, sets));
    return writeRolloutStatus(d, sets);
  }

  bool oldPodsRun(const Sets& sets) const {
    for (const auto& rs : sets.old) {
      if (rs->status.replicas > 0) return true;
      for (const auto& pod : pods_.byIndex(kControllerIndex, rs->metadata.uid))
        if (!isTerminal(*pod)) return true;
    }
    return false;
  }

  Status cleanUp(const Deployment& d, const Sets& sets) {
    for (const auto& rs : beyondHistory(d, sets.old))
      TRY(ignoreNotFound(ctx_.client->remove<ReplicaSet>(rs->metadata.namespace_, rs->metadata.name,
                                                         {.propagationPolicy = "Background", .uid = rs->metadata.uid})));
    return okStatus();
  }

  Result<Requeue> writeRolloutStatus(Deployment& d, const Sets& sets) {
    WallTime now = ctx_.clock.now();
    DeploymentStatus status = rolloutStatus(d, sets.all, sets.newSet.get(), now);
    auto wait = untilDeadline(d, status, now);
    TRY(writeStatus(d, status));
    return again(wait.value_or(milliseconds(0)));
  }

  Result<Requeue> writeStatus(const Deployment& d, const DeploymentStatus& status) {
    if (api::equal(status, d.status)) return done();
    Deployment updated = d;
    updated.status = status;
    auto written = ctx_.client->updateStatus(updated);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return done();
  }

  client::Informer<Deployment> deployments_;
  client::Informer<ReplicaSet> sets_;
  client::Informer<Pod> pods_;
  client::EventRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Controller> createDeploymentController(Context& context) {
  return std::make_unique<DeploymentController>(context);
}

}  // namespace skiff::controllers
