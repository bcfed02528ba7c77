#include "controllers/node_health.h"

#include "controllers/pod_util.h"

namespace skiff::controllers {
namespace {

constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";

// Condition, the status that means trouble, and the taint that says so.
struct ConditionTaint {
  std::string_view condition, status, taint;
};
constexpr ConditionTaint kConditionTaints[] = {
    {"Ready", "False", kNotReady},
    {"Ready", "Unknown", kUnreachable},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
};
constexpr std::string_view kUnschedulable = "node.kubernetes.io/unschedulable";

bool setTaint(std::vector<Taint>& taints, std::string_view key, std::string_view effect, bool wanted, WallTime now) {
  auto it = std::find_if(taints.begin(), taints.end(),
                         [&](const Taint& taint) { return taint.key == key && taint.effect == effect; });
  if ((it != taints.end()) == wanted) return false;
  if (!wanted) {
    taints.erase(it);
    return true;
  }
  Taint taint;
  taint.key = std::string(key);
  taint.effect = std::string(effect);
  taint.timeAdded = api::Time{std::chrono::floor<seconds>(now)};
  taints.push_back(std::move(taint));
  return true;
}

}  // namespace

bool markUnknown(Node& node, WallTime now) {
  bool changed = false;
  for (std::string_view type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
    const auto* current = findCondition(node.status.conditions, type);
    if (current == nullptr) {
      api::core::v1::NodeCondition fresh;
      fresh.type = std::string(type);
      fresh.status = "Unknown";
      fresh.reason = "NodeStatusNeverUpdated";
      fresh.message = "Kubelet never posted node status.";
      fresh.lastHeartbeatTime = node.metadata.creationTimestamp;
      fresh.lastTransitionTime = {now};
      node.status.conditions.push_back(std::move(fresh));
      changed = true;
    } else if (current->status != "Unknown") {
      changed |= setCondition(node.status.conditions, type, "Unknown", "NodeStatusUnknown",
                              "Kubelet stopped posting node status.", now);
    }
  }
  return changed;
}

bool reconcileTaints(Node& node, WallTime now) {
  bool changed = false;
  auto& taints = node.spec.taints;
  const auto* ready = findCondition(node.status.conditions, "Ready");
  for (const auto& [condition, status, taint] : kConditionTaints)
    changed |= setTaint(taints, taint, "NoSchedule", conditionIs(node.status.conditions, condition, status), now);
  changed |= setTaint(taints, kUnschedulable, "NoSchedule", node.spec.unschedulable, now);
  // A node whose kubelet has said nothing yet keeps what it was registered with.
  if (ready != nullptr) {
    changed |= setTaint(taints, kNotReady, "NoExecute", ready->status == "False", now);
    changed |= setTaint(taints, kUnreachable, "NoExecute", ready->status == "Unknown", now);
  }
  return changed;
}

}  // namespace skiff::controllers
