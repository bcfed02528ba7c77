// Plug-ins that look at the node alone: name, cordon, taints, affinity, host ports, images.
#include <algorithm>

#include "base/strings.h"
#include "client/node_selector.h"
#include "scheduler/plugins.h"

namespace skiff::scheduler {
namespace {

using api::core::v1::Node;
using api::core::v1::Pod;
using api::core::v1::Taint;
using api::core::v1::Toleration;

bool reject(Rejection* why, std::string reason, bool preemptible) {
  *why = {std::move(reason), preemptible};
  return false;
}

const Taint kUnschedulable = [] {
  Taint taint;
  taint.key = "node.kubernetes.io/unschedulable";
  taint.effect = "NoSchedule";
  return taint;
}();

struct NodeUnschedulable final : Filter {
  explicit NodeUnschedulable(const PodInfo& pod) : tolerated(tolerates(pod.pod->spec.tolerations, kUnschedulable)) {}
  bool passes(const NodeInfo& node, Rejection* why) const override {
    return !node.node->spec.unschedulable || tolerated || reject(why, "node(s) were unschedulable", false);
  }
  bool tolerated;
};

struct NodeName final : Filter {
  explicit NodeName(std::string n) : name(std::move(n)) {}
  bool passes(const NodeInfo& node, Rejection* why) const override {
    return node.name() == name || reject(why, "node(s) didn't match the requested node name", false);
  }
  std::string name;
};

struct TaintToleration final : Filter {
  explicit TaintToleration(const PodInfo& p) : tolerations(p.pod->spec.tolerations) {}
  bool passes(const NodeInfo& node, Rejection* why) const override {
    for (const auto& taint : node.node->spec.taints) {
      if (taint.effect == "PreferNoSchedule" || tolerates(tolerations, taint)) continue;
      return reject(why, concat("node(s) had untolerated taint {", taint.key, ": ", taint.value, "}"), false);
    }
    return true;
  }
  const std::vector<Toleration>& tolerations;
};

struct NodeAffinity final : Filter {
  explicit NodeAffinity(const Pod& p) : pod(p) {}
  bool passes(const NodeInfo& node, Rejection* why) const override {
    return client::matchesNodeAffinity(pod.spec, *node.node) ||
           reject(why, "node(s) didn't match Pod's node affinity/selector", false);
  }
  const Pod& pod;
};

struct NodePorts final : Filter {
  explicit NodePorts(const PodInfo& p) : wanted(p.hostPorts) {}
  bool passes(const NodeInfo& node, Rejection* why) const override {
    for (const auto& other : node.pods)
      for (const auto& used : other->hostPorts)
        for (const auto& port : wanted)
          if (port.conflictsWith(used))
            return reject(why, "node(s) didn't have free ports for the requested pod ports", true);
    return true;
  }
  const std::vector<HostPort>& wanted;
};

// Fewer untolerated PreferNoSchedule taints are better.
struct TaintScore final : Scorer {
  explicit TaintScore(const PodInfo& p) : tolerations(p.pod->spec.tolerations) {}
  int64_t score(const NodeInfo& node) const override {
    return std::count_if(node.node->spec.taints.begin(), node.node->spec.taints.end(), [&](const Taint& taint) {
      return taint.effect == "PreferNoSchedule" && !tolerates(tolerations, taint);
    });
  }
  void normalize(std::span<int64_t> scores) const override { scaleScores(scores, true); }
  const std::vector<Toleration>& tolerations;
};

struct NodeAffinityScore final : Scorer {
  explicit NodeAffinityScore(const api::core::v1::NodeAffinity& a) : affinity(a) {}
  int64_t score(const NodeInfo& node) const override {
    int64_t sum = 0;
    for (const auto& term : affinity.preferredDuringSchedulingIgnoredDuringExecution)
      if (client::matchesTerm(term.preference, *node.node)) sum += term.weight;
    return sum;
  }
  void normalize(std::span<int64_t> scores) const override { scaleScores(scores, false); }
  const api::core::v1::NodeAffinity& affinity;
};

// Nodes that hold the pod's images already, weighed by how widely each is spread: upstream's thresholds.
struct ImageLocality final : Scorer {
  static constexpr int64_t kLeast = 23ll << 20, kMostPerContainer = 1000ll << 20;
  ImageLocality(const PodInfo& p, const Snapshot& snapshot) {
    for (const auto& container : p.pod->spec.containers) {
      Image image{withTag(container.image), 0};
      for (const auto* node : snapshot.nodes) image.nodes += sizeOn(*node, image.name) > 0;
      images.push_back(std::move(image));
    }
    nodeCount = int64_t(snapshot.nodes.size());
  }
  int64_t score(const NodeInfo& node) const override {
    int64_t sum = 0;
    for (const auto& image : images)
      if (image.nodes > 0) sum += sizeOn(node, image.name) * image.nodes / nodeCount;
    int64_t most = kMostPerContainer * int64_t(images.size());
    sum = std::clamp(sum, kLeast, most);
    return 100 * (sum - kLeast) / (most - kLeast);
  }
  static std::string withTag(const std::string& name) {
    auto slash = name.rfind('/');
    return name.find(':', slash == std::string::npos ? 0 : slash) == std::string::npos ? name + ":latest" : name;
  }
  static int64_t sizeOn(const NodeInfo& node, const std::string& name) {
    for (const auto& image : node.node->status.images)
      if (std::find(image.names.begin(), image.names.end(), name) != image.names.end()) return image.sizeBytes;
    return 0;
  }
  struct Image {
    std::string name;
    int64_t nodes;
  };
  std::vector<Image> images;
  int64_t nodeCount;
};

}  // namespace

bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint) {
  return std::any_of(tolerations.begin(), tolerations.end(), [&](const Toleration& t) {
    if (!t.effect.empty() && t.effect != taint.effect) return false;
    if (!t.key.empty() && t.key != taint.key) return false;
    if (t.operator_ == "Exists") return true;
    return !t.key.empty() && t.value == taint.value;
  });
}

std::unique_ptr<Filter> makeNodeUnschedulable(const PodInfo& pod, const Snapshot&) {
  return std::make_unique<NodeUnschedulable>(pod);
}
std::unique_ptr<Filter> makeNodeName(const PodInfo& pod, const Snapshot&) {
  if (pod.pod->spec.nodeName.empty()) return nullptr;
  return std::make_unique<NodeName>(pod.pod->spec.nodeName);
}
std::unique_ptr<Filter> makeTaintToleration(const PodInfo& pod, const Snapshot&) {
  return std::make_unique<TaintToleration>(pod);
}
std::unique_ptr<Filter> makeNodeAffinity(const PodInfo& pod, const Snapshot&) {
  const auto& spec = pod.pod->spec;
  if (spec.nodeSelector.empty() && !(spec.affinity && spec.affinity->nodeAffinity)) return nullptr;
  return std::make_unique<NodeAffinity>(*pod.pod);
}
std::unique_ptr<Filter> makeNodePorts(const PodInfo& pod, const Snapshot&) {
  return pod.hostPorts.empty() ? nullptr : std::make_unique<NodePorts>(pod);
}
std::unique_ptr<Scorer> scoreTaintToleration(const PodInfo& pod, const Snapshot& snapshot) {
  bool any = std::any_of(snapshot.nodes.begin(), snapshot.nodes.end(), [](const NodeInfo* node) {
    const auto& taints = node->node->spec.taints;
    return std::any_of(taints.begin(), taints.end(), [](const Taint& t) { return t.effect == "PreferNoSchedule"; });
  });
  return any ? std::make_unique<TaintScore>(pod) : nullptr;
}
std::unique_ptr<Scorer> scoreNodeAffinity(const PodInfo& pod, const Snapshot&) {
  const auto& affinity = pod.pod->spec.affinity;
  if (!affinity || !affinity->nodeAffinity) return nullptr;
  if (affinity->nodeAffinity->preferredDuringSchedulingIgnoredDuringExecution.empty()) return nullptr;
  return std::make_unique<NodeAffinityScore>(*affinity->nodeAffinity);
}
std::unique_ptr<Scorer> scoreImageLocality(const PodInfo& pod, const Snapshot& snapshot) {
  return std::make_unique<ImageLocality>(pod, snapshot);
}

}  // namespace skiff::scheduler
