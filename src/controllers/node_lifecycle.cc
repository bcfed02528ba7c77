// Watches the kubelets' heartbeats (leases and node status): a silent node's conditions become Unknown, taints follow
// conditions, and the pods of a node that is not ready are marked so.
#include "base/strings.h"
#include "controllers/node_health.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "gen/coordination_v1.h"

namespace skiff::controllers {
namespace {

using api::coordination::v1::Lease;
using client::Requeue;

constexpr std::string_view kLeaseNamespace = "kube-node-lease";
constexpr seconds kStartupGrace{60};  // for a node that has never posted status

class NodeLifecycleController final : public Controller {
 public:
  explicit NodeLifecycleController(Context& context)
      : Controller(context, "node-lifecycle", 2),
        nodes_(context.informers.of<Node>()),
        leases_(context.informers.of<Lease>()),
        pods_(context.informers.of<Pod>()),
        recorder_(context.recorder("node-controller")) {
    pods_.addIndex("nodeName", [](const Pod& pod) { return std::vector<std::string>{pod.spec.nodeName}; });
    nodes_.addHandler({.onAdd = [this](const auto& node) {
                         beat(node->metadata.name, heartbeatOf(*node));
                         recorder_.record(*node, "Normal", "RegisteredNode",
                                          concat("Node ", node->metadata.name, " event: Registered Node ",
                                                 node->metadata.name, " in Controller"));
                         queue().add(node->metadata.name);
                       },
                       .onUpdate = [this](const auto&, const auto& now) {
                         beat(now->metadata.name, heartbeatOf(*now));
                         queue().add(now->metadata.name);
                       },
                       .onDelete = [this](const auto& node) {
                         recorder_.record(*node, "Normal", "RemovingNode",
                                          concat("Node ", node->metadata.name, " event: Removing Node ",
                                                 node->metadata.name, " from Controller"));
                         std::lock_guard lock(mutex_);
                         beats_.erase(node->metadata.name);
                       }});
    leases_.addHandler({.onAdd = [this](const auto& lease) { beat(*lease); },
                        .onUpdate = [this](const auto&, const auto& now) { beat(*now); }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = nodes_.getByKey(key);
    if (!known || known->metadata.deletionTimestamp) return done();
    Node node = *known;
    WallTime now = ctx_.clock.now();
    bool everPosted = findCondition(node.status.conditions, "Ready") != nullptr;
    milliseconds grace = everPosted ? ctx_.options.nodeMonitorGracePeriod : kStartupGrace;
    milliseconds silent = silence(key);
    if (silent >= grace && markUnknown(node, now)) {
      auto updated = ctx_.client->updateStatus(node);
      if (updated.failedWith(Reason::NotFound)) return done();
      if (!updated.ok()) return std::move(updated).error();
      node = std::move(updated).value();
    }
    if (reconcileTaints(node, now)) {
      auto updated = ctx_.client->update(node);
      if (updated.failedWith(Reason::NotFound)) return done();
      if (!updated.ok()) return std::move(updated).error();
    }
    TRY(followReadiness(node));
    // Nothing tells of silence: look again when it would have lasted too long.
    return again(silent >= grace ? milliseconds(0) : grace - silent + milliseconds(10));
  }

 private:
  static std::string readiness(const Node& node) {
    const auto* ready = findCondition(node.status.conditions, "Ready");
    return ready != nullptr ? ready->status : std::string();
  }
  static std::string heartbeatOf(const Node& node) {
    const auto* ready = findCondition(node.status.conditions, "Ready");
    return ready != nullptr ? concat("s", formatRfc3339Micro(ready->lastHeartbeatTime.value), ready->status) : "";
  }
  void beat(const Lease& lease) {
    if (lease.metadata.namespace_ == kLeaseNamespace && lease.spec.renewTime)
      beat(lease.metadata.name, "l" + formatRfc3339Micro(lease.spec.renewTime->value));
  }

  // Sign of life: what the kubelet wrote differs from before. Its clock is not trusted, ours tells when.
  struct Beat {
    std::string status, lease;
    SteadyTime at;
    std::string readyWas;
  };
  void beat(const std::string& name, const std::string& sign) {
    std::lock_guard lock(mutex_);
    auto [it, fresh] = beats_.try_emplace(name);
    if (fresh) it->second.at = ctx_.clock.steadyNow();
    if (sign.empty()) return;
    // Our own Unknown is no sign of life.
    bool ours = sign[0] == 's' && sign.ends_with("Unknown");
    std::string& slot = sign[0] == 'l' ? it->second.lease : it->second.status;
    if (slot == sign) return;
    slot = sign;
    if (!ours) it->second.at = ctx_.clock.steadyNow();
  }
  milliseconds silence(const std::string& name) {
    std::lock_guard lock(mutex_);
    auto [it, fresh] = beats_.try_emplace(name);
    if (fresh) it->second.at = ctx_.clock.steadyNow();
    return std::chrono::duration_cast<milliseconds>(ctx_.clock.steadyNow() - it->second.at);
  }

  // On the way from ready to not ready: an event, and the node's pods are no endpoints any more.
  Status followReadiness(const Node& node) {
    std::string now = readiness(node);
    {
      std::lock_guard lock(mutex_);
      std::string& was = beats_[node.metadata.name].readyWas;
      bool fell = (was == "True" || was.empty()) && !now.empty() && now != "True";
      std::string before = std::exchange(was, now);
      if (!fell) return okStatus();
      if (before == "True")
        recorder_.record(node, "Normal", "NodeNotReady",
                         concat("Node ", node.metadata.name, " status is now: NodeNotReady"));
    }
    for (const auto& pod : pods_.byIndex("nodeName", node.metadata.name)) {
      if (!isReady(*pod)) continue;
      Pod updated = *pod;
      setCondition(updated.status.conditions, "Ready", "False", "", "", ctx_.clock.now());
      auto written = ctx_.client->updateStatus(updated);
      if (written.failedWith(Reason::NotFound)) continue;
      if (!written.ok()) {
        std::lock_guard lock(mutex_);
        beats_[node.metadata.name].readyWas = "True";  // once more
        return std::move(written).error();
      }
      recorder_.record(*pod, "Warning", "NodeNotReady", "Node is not ready");
    }
    return okStatus();
  }

  client::Informer<Node> nodes_;
  client::Informer<Lease> leases_;
  client::Informer<Pod> pods_;
  client::EventRecorder& recorder_;
  std::mutex mutex_;  // guards beats_
  std::map<std::string, Beat> beats_;
};

}  // namespace

std::unique_ptr<Controller> createNodeLifecycleController(Context& context) {
  return std::make_unique<NodeLifecycleController>(context);
}

}  // namespace skiff::controllers
