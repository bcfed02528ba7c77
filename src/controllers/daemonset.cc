// DaemonSets: a pod on each fitting node, rolling updates node by node, a history of templates.
#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/daemonset_logic.h"
#include "controllers/history.h"
#include "controllers/pod_control.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using client::Requeue;
using NodePods = std::map<std::string, std::vector<PodPtr>>;  // by node name

constexpr size_t kBurst = 250;

std::string hashOf(const Pod& pod) {
  auto it = pod.metadata.labels.find(std::string(kControllerRevisionHash));
  return it == pod.metadata.labels.end() ? std::string() : it->second;
}
std::string hashOf(const ControllerRevision& revision) {
  auto it = revision.metadata.labels.find(std::string(kControllerRevisionHash));
  return it == revision.metadata.labels.end() ? std::string() : it->second;
}

api::LabelSelector selectorOf(const DaemonSet& ds) {
  if (!ds.spec.selector) return api::LabelSelector::nothing();
  auto made = api::LabelSelector::fromTyped(*ds.spec.selector);
  return made.ok() ? std::move(made).value() : api::LabelSelector::nothing();
}

struct Work {
  std::vector<std::string> create;  // node names
  std::vector<PodPtr> remove;
};

class DaemonSetController final : public Controller {
 public:
  explicit DaemonSetController(Context& context)
      : Controller(context, "daemonset", 2),
        sets_(context.informers.of<DaemonSet>()),
        pods_(context.informers.of<Pod>()),
        nodes_(context.informers.of<Node>()),
        revisions_(context.informers.of<ControllerRevision>()),
        history_(context, revisions_),
        recorder_(context.recorder("daemonset-controller")),
        expectations_(context.clock),
        podControl_(context, recorder_) {
    addControllerIndex(pods_);
    addControllerIndex(revisions_);
    sets_.addHandler({.onAdd = [this](const auto& ds) { queue().add(keyOf(*ds)); },
                      .onUpdate = [this](const auto&, const auto& now) { queue().add(keyOf(*now)); },
                      .onDelete = [this](const auto& ds) {
                        expectations_.forget(keyOf(*ds));
                        queue().add(keyOf(*ds));
                      }});
    PodEvents<DaemonSet>{sets_, &expectations_, &queue(), selectorOf, {}}.attach(pods_);
    revisions_.addHandler([this](const RevisionPtr& revision) {
      const OwnerReference* ref = controllerOf(revision->metadata);
      if (ref != nullptr && ref->kind == DaemonSet::kKind) queue().add(revision->metadata.namespace_ + "/" + ref->name);
    });
    nodes_.addHandler({.onAdd = [this](const auto&) { enqueueAll(); },
                       .onUpdate = [this](const auto& before, const auto& now) {
                         bool same = before->metadata.labels == now->metadata.labels &&
                                     before->spec.unschedulable == now->spec.unschedulable &&
                                     sameTaints(before->spec.taints, now->spec.taints);
                         if (!same) enqueueAll();
                       },
                       .onDelete = [this](const auto&) { enqueueAll(); }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = sets_.getByKey(key);
    if (!known) return done();
    DaemonSet ds = *known;
    if (ds.spec.selector && ds.spec.selector->matchLabels.empty() && ds.spec.selector->matchExpressions.empty()) {
      recorder_.record(ds, "Warning", "SelectingAll",
                       "This daemon set is selecting all pods. A non-empty selector is required.");
      return done();
    }
    if (ds.metadata.deletionTimestamp) return done();
    auto selector = selectorOf(ds);
    auto revisions = TRY((claimObjects<DaemonSet, ControllerRevision>(*ctx_.client, ds, selector, revisions_)));
    RevisionPtr current = TRY(syncRevision(ds, revisions));
    std::string hash = hashOf(*current);
    auto claimed = TRY((claimObjects<DaemonSet, Pod>(*ctx_.client, ds, selector, pods_)));
    NodePods byNode;
    for (const auto& pod : claimed) byNode[targetNode(*pod)].push_back(pod);
    auto nodes = nodes_.list();

    Status managed = okStatus();
    if (expectations_.satisfied(key)) {
      managed = carryOut(key, ds, hash, plan(ds, nodes, byNode));
      if (managed.ok() && expectations_.satisfied(key) && ds.spec.updateStrategy.type != "OnDelete")
        managed = carryOut(key, ds, hash, planRollout(ds, nodes, byNode, hash));
      if (managed.ok()) managed = cleanHistory(ds, revisions, claimed, current);
    }
    TRY(writeStatus(*known, ds, nodes, byNode, hash));
    if (!managed.ok()) return std::move(managed).error();
    milliseconds soonest{0};
    for (const auto& pod : claimed)
      if (auto wait = untilAvailable(*pod, ds.spec.minReadySeconds, ctx_.clock.now()); wait && (soonest.count() == 0 || *wait < soonest))
        soonest = *wait;
    return again(soonest);
  }

 private:
  static bool sameTaints(const std::vector<api::core::v1::Taint>& a, const std::vector<api::core::v1::Taint>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
      return x.key == y.key && x.value == y.value && x.effect == y.effect;
    });
  }

  void enqueueAll() {
    for (const auto& ds : sets_.list()) queue().add(keyOf(*ds));
  }

  Result<RevisionPtr> syncRevision(DaemonSet& ds, const std::vector<RevisionPtr>& all) {
    RevisionOwner owner{ds.metadata.namespace_, ds.metadata.name, newControllerRef(ds),
                        ds.spec.template_.metadata.labels};
    auto before = ds.status.collisionCount;
    RevisionPtr current = TRY(history_.sync(owner, all, templatePatch(ds.spec.template_), ds.status.collisionCount));
    if (before != ds.status.collisionCount) ds = TRY(ctx_.client->updateStatus(ds));
    return current;
  }

  Status cleanHistory(const DaemonSet& ds, const std::vector<RevisionPtr>& all, const std::vector<PodPtr>& pods,
                      const RevisionPtr& current) {
    std::set<std::string> hashes, inUse{current->metadata.name};
    for (const auto& pod : pods) hashes.insert(hashOf(*pod));
    for (const auto& revision : all)
      if (hashes.contains(hashOf(*revision))) inUse.insert(revision->metadata.name);
    return history_.truncate(all, inUse, ds.spec.revisionHistoryLimit.value_or(10));
  }

  // Which nodes lack a pod, which pods are too many or where they should not be.
  Work plan(const DaemonSet& ds, const std::vector<std::shared_ptr<const Node>>& nodes, const NodePods& byNode) {
    Work work;
    std::set<std::string> existing;
    bool surges = ds.spec.updateStrategy.type != "OnDelete" && daemonBudget(ds, int(nodes.size())).surge > 0;
    for (const auto& node : nodes) {
      existing.insert(node->metadata.name);
      auto verdict = judgeNode(ds, *node);
      auto found = byNode.find(node->metadata.name);
      if (found == byNode.end()) {
        if (verdict.shouldRun) work.create.push_back(node->metadata.name);
        continue;
      }
      if (!verdict.shouldContinue) {
        for (const auto& pod : found->second)
          if (!isTerminating(*pod)) work.remove.push_back(pod);
        continue;
      }
      std::vector<PodPtr> running;
      bool anyLeft = false;
      for (const auto& pod : found->second) {
        if (isTerminating(*pod)) {
          anyLeft = true;
          continue;
        }
        if (pod->status.phase == "Failed" || pod->status.phase == "Succeeded") {
          bool failed = pod->status.phase == "Failed";
          recorder_.record(ds, failed ? "Warning" : "Normal", failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                           concat("Found ", failed ? "failed" : "succeeded", " daemon pod ", keyOf(*pod), " on node ",
                                  node->metadata.name, failed ? ", will try to kill it" : ", will try to delete it"));
          work.remove.push_back(pod);
          anyLeft = true;  // its deletion brings us back to replace it
          continue;
        }
        running.push_back(pod);
      }
      if (running.empty() && !anyLeft && verdict.shouldRun) work.create.push_back(node->metadata.name);
      size_t most = surges ? 2 : 1;
      if (running.size() > most) {
        std::stable_sort(running.begin(), running.end(), [](const PodPtr& a, const PodPtr& b) {
          return a->metadata.creationTimestamp < b->metadata.creationTimestamp;
        });
        work.remove.insert(work.remove.end(), running.begin() + std::ptrdiff_t(most), running.end());
      }
    }
    // Pods of nodes that are gone and that nobody scheduled: the pod garbage collector has the bound ones.
    for (const auto& [name, pods] : byNode)
      if (!existing.contains(name))
        for (const auto& pod : pods)
          if (pod->spec.nodeName.empty() && !isTerminating(*pod)) work.remove.push_back(pod);
    return work;
  }

  // Replaces old pods within the budget of unavailable (or surging) nodes.
  Work planRollout(const DaemonSet& ds, const std::vector<std::shared_ptr<const Node>>& nodes, const NodePods& byNode,
                   const std::string& hash) {
    Work work;
    WallTime now = ctx_.clock.now();
    int desired = 0, unavailable = 0, surging = 0;
    for (const auto& node : nodes) desired += judgeNode(ds, *node).shouldRun;
    auto budget = daemonBudget(ds, desired);
    std::vector<PodPtr> oldAvailable, oldUnavailable;
    std::vector<std::string> surgeAllowed;
    for (const auto& node : nodes) {
      if (!judgeNode(ds, *node).shouldRun) continue;
      PodPtr oldPod, newPod;
      auto found = byNode.find(node->metadata.name);
      if (found != byNode.end())
        for (const auto& pod : found->second) {
          if (isTerminating(*pod)) continue;
          (hashOf(*pod) == hash ? newPod : oldPod) = pod;
        }
      bool newReady = newPod && isAvailable(*newPod, ds.spec.minReadySeconds, now);
      bool oldReady = oldPod && isAvailable(*oldPod, ds.spec.minReadySeconds, now);
      if (budget.surge == 0) {
        if (!newReady && !oldReady) ++unavailable;
        if (oldPod && !newPod) (oldReady ? oldAvailable : oldUnavailable).push_back(oldPod);
        continue;
      }
      if (oldPod && newPod) {
        if (newReady) work.remove.push_back(oldPod);
        else ++surging;
      } else if (oldPod && !newPod) {
        if (!oldReady) work.remove.push_back(oldPod);  // nothing to keep up
        else surgeAllowed.push_back(node->metadata.name);
      }
    }
    if (budget.surge > 0) {
      for (const auto& name : surgeAllowed)
        if (surging++ < budget.surge) work.create.push_back(name);
      return work;
    }
    work.remove = oldUnavailable;
    for (const auto& pod : oldAvailable)
      if (unavailable++ < budget.unavailable) work.remove.push_back(pod);
    return work;
  }

  Status carryOut(const std::string& key, const DaemonSet& ds, const std::string& hash, Work work) {
    auto about = client::EventRecorder::referenceTo(ds);
    if (work.create.size() > kBurst) work.create.resize(kBurst);
    Status created = okStatus(), removed = okStatus();
    if (!work.create.empty())
      created = podControl_.createMany(about, expectations_, key, int(work.create.size()), [&](int i) {
        Pod pod = daemonPod(ds, work.create[size_t(i)], hash);
        pod.metadata.ownerReferences.push_back(newControllerRef(ds));
        return pod;
      });
    if (!work.remove.empty()) removed = podControl_.removeMany(about, expectations_, key, work.remove);
    return created.ok() ? std::move(removed) : std::move(created);
  }

  Status writeStatus(const DaemonSet& known, const DaemonSet& ds,
                     const std::vector<std::shared_ptr<const Node>>& nodes, const NodePods& byNode,
                     const std::string& hash) {
    auto status = ds.status;
    status.desiredNumberScheduled = status.currentNumberScheduled = status.numberMisscheduled = 0;
    status.numberReady = status.updatedNumberScheduled = status.numberAvailable = 0;
    WallTime now = ctx_.clock.now();
    for (const auto& node : nodes) {
      bool wanted = judgeNode(ds, *node).shouldRun;
      status.desiredNumberScheduled += wanted;
      auto found = byNode.find(node->metadata.name);
      if (found == byNode.end()) continue;
      if (!wanted) {
        ++status.numberMisscheduled;
        continue;
      }
      ++status.currentNumberScheduled;
      // The oldest pod that is not on its way out speaks for the node.
      PodPtr oldest;
      for (const auto& pod : found->second)
        if (!isTerminating(*pod) && (!oldest || isReady(*pod) > isReady(*oldest) ||
                                     (isReady(*pod) == isReady(*oldest) &&
                                      pod->metadata.creationTimestamp < oldest->metadata.creationTimestamp)))
          oldest = pod;
      if (!oldest) continue;
      status.numberReady += isReady(*oldest);
      status.numberAvailable += isAvailable(*oldest, ds.spec.minReadySeconds, now);
      status.updatedNumberScheduled += hashOf(*oldest) == hash;
    }
    status.numberUnavailable = status.desiredNumberScheduled - status.numberAvailable;
    status.observedGeneration = ds.metadata.generation;
    if (api::equal(status, known.status)) return okStatus();
    DaemonSet updated = ds;
    updated.status = status;
    auto written = ctx_.client->updateStatus(updated);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return okStatus();
  }

  client::Informer<DaemonSet> sets_;
  client::Informer<Pod> pods_;
  client::Informer<Node> nodes_;
  client::Informer<ControllerRevision> revisions_;
  RevisionHistory history_;
  client::EventRecorder& recorder_;
  Expectations expectations_;
  PodControl podControl_;
};

}  // namespace

std::unique_ptr<Controller> createDaemonSetController(Context& context) {
  return std::make_unique<DaemonSetController>(context);
}

}  // namespace skiff::controllers
