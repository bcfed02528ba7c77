#include "kubelet/pod_admission.h"

#include <algorithm>

#include "base/strings.h"
#include "client/node_selector.h"
#include "kubelet/container_config.h"
#include "kubelet/resources.h"

namespace skiff::kubelet {
namespace {

using Answer = std::optional<Refusal>;

Answer checkSysctls(const Pod& pod) {
  if (!pod.spec.securityContext) return std::nullopt;
  for (const auto& sysctl : pod.spec.securityContext->sysctls) {
    const char* why = !isSafeSysctl(sysctl.name)                                  ? " not allowlisted"
                      : pod.spec.hostNetwork && sysctl.name.starts_with("net.") ? " not allowed with host net enabled"
                                                                                  : nullptr;
    if (why != nullptr) return Refusal{"SysctlForbidden", concat("forbidden sysctl: ", quoted(sysctl.name), why)};
  }
  return std::nullopt;
}

Answer checkNodeAffinity(const Pod& pod, const api::core::v1::Node* node) {
  if (node == nullptr || client::matchesNodeAffinity(pod.spec, *node)) return std::nullopt;
  return Refusal{"NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"};
}

struct HostPort {
  std::string address;  // "": all
  std::string protocol;
  int32_t port = 0;
  bool conflicts(const HostPort& other) const {
    return port == other.port && protocol == other.protocol &&
           (address.empty() || other.address.empty() || address == other.address);
  }
};

std::vector<HostPort> hostPorts(const Pod& pod) {
  std::vector<HostPort> out;
  auto add = [&](const Container& c) {
    for (const auto& p : c.ports) {
      int32_t port = p.hostPort != 0 ? p.hostPort : pod.spec.hostNetwork ? p.containerPort : 0;
      if (port == 0) continue;
      bool all = p.hostIP == "0.0.0.0" || p.hostIP == "::";
      out.push_back({all ? "" : p.hostIP, p.protocol.empty() ? "TCP" : p.protocol, port});
    }
  };
  for (const auto& c : pod.spec.initContainers)
    if (isSidecar(c)) add(c);
  for (const auto& c : pod.spec.containers) add(c);
  return out;
}

Answer checkHostPorts(const Pod& pod, const std::vector<PodPtr>& others) {
  const auto wanted = hostPorts(pod);
  if (wanted.empty()) return std::nullopt;
  for (const auto& other : others)
    for (const auto& taken : hostPorts(*other))
      for (const auto& port : wanted)
        if (port.conflicts(taken))
          return Refusal{"NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"};
  return std::nullopt;
}

Refusal tooMuch(std::string_view resource, int64_t requested, int64_t used, int64_t capacity) {
  return {concat("OutOf", resource), concat("Node didn't have enough resource: ", resource, ", requested: ", requested,
                                            ", used: ", used, ", capacity: ", capacity)};
}

Answer checkResources(const Pod& pod, const std::vector<PodPtr>& others, const NodeConfig& config) {
  const auto pods = int64_t(others.size());
  if (pods >= config.options.maxPods) return tooMuch("pods", 1, pods, config.options.maxPods);
  ResourceList used;
  for (const auto& other : others)
    for (const auto& [name, amount] : podRequests(*other)) used[name] += amount;
  for (const auto& [name, amount] : podRequests(pod)) {
    if (amount.isZero()) continue;
    bool cpu = name == "cpu";
    auto number = [cpu](const api::Quantity& q) { return cpu ? q.milliValue() : q.value(); };
    // What somebody else has told the API that the node has (extended resources) is counted by the scheduler alone.
    auto capacity = config.allocatable.find(name);
    if (capacity == config.allocatable.end()) continue;
    int64_t most = number(capacity->second);
    int64_t now = used.contains(name) ? number(used[name]) : 0;
    if (now + number(amount) > most) return tooMuch(name, number(amount), now, most);
  }
  return std::nullopt;
}

// Under pressure only what the node cannot do without comes in; with too little memory also whoever asked for some.
Answer checkPressure(const Pod& pod, const std::optional<std::string>& scarce) {
  if (!scarce || isCritical(pod)) return std::nullopt;
  if (*scarce == "memory") {
    bool tolerated = std::any_of(pod.spec.tolerations.begin(), pod.spec.tolerations.end(), [](const auto& t) {
      return t.key == "node.kubernetes.io/memory-pressure" && (t.effect.empty() || t.effect == "NoSchedule");
    });
    if (qosClassOf(pod) != "BestEffort" || tolerated) return std::nullopt;
  }
  return Refusal{"Evicted", concat("The node had condition: [", *scarce == "memory" ? "MemoryPressure" : "DiskPressure", "]. ")};
}

}  // namespace

std::optional<Refusal> refusalOf(const Pod& pod, const AdmissionInputs& inputs) {
  if (auto no = checkPressure(pod, inputs.pressure)) return no;
  if (auto no = checkSysctls(pod)) return no;
  if (auto no = checkNodeAffinity(pod, inputs.node.get())) return no;
  if (auto no = checkHostPorts(pod, inputs.others)) return no;
  return checkResources(pod, inputs.others, *inputs.config);
}

}  // namespace skiff::kubelet
