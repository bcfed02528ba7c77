// Deletes pods that do not (or no longer) tolerate the NoExecute taints of their node.
#include "controllers/taint_eviction.h"

#include "base/strings.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"

namespace skiff::controllers {

bool tolerates(const Toleration& toleration, const Taint& taint) {
  if (!toleration.effect.empty() && toleration.effect != taint.effect) return false;
  if (!toleration.key.empty() && toleration.key != taint.key) return false;
  if (toleration.operator_ == "Exists") return true;
  if (toleration.operator_ == "Lt" || toleration.operator_ == "Gt") {
    auto limit = parseInt(toleration.value), value = parseInt(taint.value);
    if (!limit || !value) return false;
    return toleration.operator_ == "Lt" ? *value < *limit : *value > *limit;
  }
  return !toleration.key.empty() && toleration.value == taint.value;  // Equal
}

std::vector<Taint> noExecuteTaints(const std::vector<Taint>& taints) {
  std::vector<Taint> out;
  for (const Taint& taint : taints)
    if (taint.effect == "NoExecute") out.push_back(taint);
  return out;
}

Stay stayOf(const std::vector<Toleration>& tolerations, const std::vector<Taint>& taints) {
  Stay stay;
  auto limit = [&](int64_t time) {
    seconds bounded(std::max<int64_t>(time, 0));
    if (stay.kind != Stay::Kind::Limited || bounded < stay.time) stay = {Stay::Kind::Limited, bounded};
  };
  for (const Taint& taint : taints) {
    bool tolerated = false;
    for (const Toleration& toleration : tolerations) {
      if (!tolerates(toleration, taint)) continue;
      tolerated = true;
      if (toleration.tolerationSeconds) limit(*toleration.tolerationSeconds);
    }
    if (!tolerated) return {Stay::Kind::Leave, {}};
  }
  return stay;
}

namespace {

using api::core::v1::Node;
using client::Requeue;

class TaintEvictionController final : public Controller {
 public:
  explicit TaintEvictionController(Context& context)
      : Controller(context, "taint-eviction", 4),
        pods_(context.informers.of<Pod>()),
        nodes_(context.informers.of<Node>()),
        recorder_(context.recorder("taint-eviction-controller")) {
    pods_.addIndex("nodeName", [](const Pod& pod) { return std::vector<std::string>{pod.spec.nodeName}; });
    pods_.addHandler({.onAdd = [this](const PodPtr& pod) { look(*pod); },
                      .onUpdate = [this](const PodPtr& before, const PodPtr& now) {
                        bool same = before->spec.nodeName == now->spec.nodeName &&
                                    before->spec.tolerations.size() == now->spec.tolerations.size();
                        if (!same) look(*now);
                      },
                      .onDelete = [this](const PodPtr& pod) { forget(keyOf(*pod)); }});
    nodes_.addHandler({.onAdd = [this](const auto& node) { if (!noExecuteTaints(node->spec.taints).empty()) lookAtAll(*node); },
                       .onUpdate = [this](const auto& before, const auto& now) {
                         if (!noExecuteTaints(before->spec.taints).empty() || !noExecuteTaints(now->spec.taints).empty())
                           lookAtAll(*now);
                       }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto pod = pods_.getByKey(key);
    auto node = pod ? nodes_.getByKey(pod->spec.nodeName) : nullptr;
    if (!node || isTerminating(*pod)) {
      forget(key);
      return done();
    }
    auto taints = noExecuteTaints(node->spec.taints);
    Stay stay = taints.empty() ? Stay{} : stayOf(pod->spec.tolerations, taints);
    if (stay.kind == Stay::Kind::Forever) {
      if (forget(key))
        recorder_.record(*pod, "Normal", "TaintManagerEviction",
                         concat("Cancelling deletion of Pod ", key));
      return done();
    }
    if (stay.kind == Stay::Kind::Limited) {
      auto left = started(key, pod->metadata.uid) + stay.time - ctx_.clock.steadyNow();
      if (left > SteadyTime::duration(0)) return again(std::chrono::ceil<milliseconds>(left));
    }
    TRY(evict(*pod));
    forget(key);
    return done();
  }

 private:
  void look(const Pod& pod) {
    if (pod.spec.nodeName.empty()) return;
    auto node = nodes_.getByKey(pod.spec.nodeName);
    if (node && !noExecuteTaints(node->spec.taints).empty()) queue().add(keyOf(pod));
  }
  void lookAtAll(const Node& node) {
    for (const auto& pod : pods_.byIndex("nodeName", node.metadata.name)) queue().add(keyOf(*pod));
  }

  // The clock of a toleration starts when its taint is first seen, and anew after it was gone.
  SteadyTime started(const std::string& key, const std::string& uid) {
    std::lock_guard lock(mutex_);
    Timer& timer = timers_[key];
    if (timer.uid != uid) timer = {uid, ctx_.clock.steadyNow()};
    return timer.since;
  }
  bool forget(const std::string& key) {
    std::lock_guard lock(mutex_);
    return timers_.erase(key) > 0;
  }

  Status evict(const Pod& pod) {
    recorder_.record(pod, "Normal", "TaintManagerEviction",
                     concat("Marking for deletion Pod ", pod.metadata.namespace_, "/", pod.metadata.name));
    auto marked = client::updateWithRetry<Pod>(
        *ctx_.client, pod.metadata.namespace_, pod.metadata.name,
        [&](Pod& live) {
          return live.metadata.uid == pod.metadata.uid &&
                 setCondition(live.status.conditions, "DisruptionTarget", "True", "DeletionByTaintManager",
                              "Taint manager: deleting due to NoExecute taint", ctx_.clock.now());
        },
        "status");
    if (marked.failedWith(Reason::NotFound)) return okStatus();
    if (!marked.ok()) return std::move(marked).error();
    auto removed = ctx_.client->remove<Pod>(pod.metadata.namespace_, pod.metadata.name, {.uid = pod.metadata.uid});
    if (removed.failedWith(Reason::Conflict)) return okStatus();
    return ignoreNotFound(std::move(removed));
  }

  struct Timer {
    std::string uid;
    SteadyTime since;
  };
  client::Informer<Pod> pods_;
  client::Informer<Node> nodes_;
  client::EventRecorder& recorder_;
  std::mutex mutex_;  // guards timers_
  std::map<std::string, Timer> timers_;
};

}  // namespace

std::unique_ptr<Controller> createTaintEvictionController(Context& context) {
  return std::make_unique<TaintEvictionController>(context);
}

}  // namespace skiff::controllers
