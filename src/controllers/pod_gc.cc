// Removes pods that nobody else will: too many finished ones, those of nodes that are gone, those deleted before they
// ever had a node, and those stuck on nodes declared out of service.
#include "base/strings.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using api::core::v1::Node;
using client::Requeue;

constexpr seconds kNodeQuarantine{40};  // a node that was deleted may be about to register again
constexpr std::string_view kTerminatedKey = "terminated";

bool isOutOfService(const Node& node) {
  return std::any_of(node.spec.taints.begin(), node.spec.taints.end(),
                     [](const auto& taint) { return taint.key == "node.kubernetes.io/out-of-service"; });
}

class PodGarbageCollector final : public Controller {
 public:
  explicit PodGarbageCollector(Context& context)
      : Controller(context, "podgc", 1),
        pods_(context.informers.of<Pod>()),
        nodes_(context.informers.of<Node>()) {
    pods_.addIndex("nodeName", [](const Pod& pod) { return std::vector<std::string>{pod.spec.nodeName}; });
    auto look = [this](const PodPtr& pod) {
      if (isTerminating(*pod) && pod->spec.nodeName.empty()) queue().add("pod/" + keyOf(*pod));
      else if (isTerminal(*pod)) queue().add(std::string(kTerminatedKey));
      if (!pod->spec.nodeName.empty() && !nodes_.getByKey(pod->spec.nodeName))
        queue().addAfter("node/" + pod->spec.nodeName, kNodeQuarantine);
      else if (isTerminating(*pod) && !isReady(*pod))
        if (auto node = nodes_.getByKey(pod->spec.nodeName); node && isOutOfService(*node))
          queue().add("pod/" + keyOf(*pod));
    };
    pods_.addHandler({.onAdd = look, .onUpdate = [look](const auto&, const auto& now) { look(now); }});
    nodes_.addHandler({.onUpdate = [this](const auto&, const auto& now) {
                         if (!isOutOfService(*now)) return;
                         for (const auto& pod : pods_.byIndex("nodeName", now->metadata.name))
                           if (isTerminating(*pod)) queue().add("pod/" + keyOf(*pod));
                       },
                       .onDelete = [this](const auto& node) {
                         queue().addAfter("node/" + node->metadata.name, kNodeQuarantine);
                       }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    if (key == kTerminatedKey) return collectTerminated();
    auto parts = cut(key, "/");
    return parts->first == "node" ? collectOrphans(std::string(parts->second)) : collectTerminating(parts->second);
  }

 private:
  Result<Requeue> collectTerminated() {
    std::vector<PodPtr> finished;
    for (auto& pod : pods_.list())
      if (isTerminal(*pod) && !isTerminating(*pod)) finished.push_back(std::move(pod));
    int excess = int(finished.size()) - ctx_.options.terminatedPodThreshold;
    if (ctx_.options.terminatedPodThreshold <= 0 || excess <= 0) return done();
    std::sort(finished.begin(), finished.end(), [](const auto& a, const auto& b) {
      return a->metadata.creationTimestamp < b->metadata.creationTimestamp;
    });
    for (int i = 0; i < excess; ++i) TRY(failAndDelete(*finished[size_t(i)], ""));
    return done();
  }

  Result<Requeue> collectOrphans(const std::string& nodeName) {
    if (nodes_.getByKey(nodeName)) return done();
    auto live = ctx_.client->get<Node>({}, nodeName);
    if (live.ok()) return done();
    if (!live.failedWith(Reason::NotFound)) return std::move(live).error();
    for (const auto& pod : pods_.byIndex("nodeName", nodeName))
      TRY(failAndDelete(*pod, "PodGC: node no longer exists"));
    return done();
  }

  Result<Requeue> collectTerminating(std::string_view podKey) {
    auto pod = pods_.getByKey(podKey);
    if (!pod || !isTerminating(*pod)) return done();
    if (pod->spec.nodeName.empty()) {
      TRY(failAndDelete(*pod, ""));
      return done();
    }
    auto node = nodes_.getByKey(pod->spec.nodeName);
    if (node && isOutOfService(*node) && !conditionIs(node->status.conditions, "Ready", "True"))
      TRY(failAndDelete(*pod, ""));
    return done();
  }

  // No kubelet will ever report the end of such a pod: its phase is set here before it goes.
  Status failAndDelete(const Pod& pod, std::string_view disruption) {
    if (!isTerminal(pod)) {
      Pod failed = pod;
      failed.status.phase = "Failed";
      if (!disruption.empty()) {
        setCondition(failed.status.conditions, "DisruptionTarget", "True", "DeletionByPodGC", disruption,
                     ctx_.clock.now());
      }
      auto updated = ctx_.client->updateStatus(failed);
      if (updated.failedWith(Reason::NotFound)) return okStatus();
      if (!updated.ok()) return std::move(updated).error();
    }
    return ignoreNotFound(ctx_.client->remove<Pod>(pod.metadata.namespace_, pod.metadata.name,
                                                   {.gracePeriodSeconds = 0, .uid = pod.metadata.uid}));
  }

  client::Informer<Pod> pods_;
  client::Informer<Node> nodes_;
};

}  // namespace

std::unique_ptr<Controller> createPodGarbageCollector(Context& context) {
  return std::make_unique<PodGarbageCollector>(context);
}

}  // namespace skiff::controllers
