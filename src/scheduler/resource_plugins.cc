// Plug-ins that weigh the pod's requests against what the node has left.
#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "scheduler/plugins.h"

namespace skiff::scheduler {
namespace {

struct ResourcesFit final : Filter {
  explicit ResourcesFit(const PodInfo& p) : wanted(p.requests) {}
  bool passes(const NodeInfo& node, Rejection* why) const override {
    if (int64_t(node.pods.size()) + 1 > node.allowedPods) return lacking(why, "Too many pods", node.allowedPods >= 1);
    const auto &have = node.allocatable, &used = node.requested;
    if (wanted.milliCpu > 0 && wanted.milliCpu > have.milliCpu - used.milliCpu)
      return lacking(why, "Insufficient cpu", wanted.milliCpu <= have.milliCpu);
    if (wanted.memory > 0 && wanted.memory > have.memory - used.memory)
      return lacking(why, "Insufficient memory", wanted.memory <= have.memory);
    if (wanted.ephemeralStorage > 0 && wanted.ephemeralStorage > have.ephemeralStorage - used.ephemeralStorage)
      return lacking(why, "Insufficient ephemeral-storage", wanted.ephemeralStorage <= have.ephemeralStorage);
    for (const auto& [name, amount] : wanted.extended) {
      if (amount == 0) continue;
      int64_t all = of(have, name);
      if (amount > all - of(used, name)) return lacking(why, concat("Insufficient ", name), amount <= all);
    }
    return true;
  }
  static int64_t of(const Resources& resources, const std::string& name) {
    auto it = resources.extended.find(name);
    return it == resources.extended.end() ? 0 : it->second;
  }
  // Not even an empty node would do: preemption cannot help.
  static bool lacking(Rejection* why, std::string reason, bool couldFit) {
    *why = {std::move(reason), couldFit};
    return false;
  }
  const Resources& wanted;
};

struct LeastAllocated final : Scorer {
  explicit LeastAllocated(const PodInfo& p) : wanted(p.scored) {}
  int64_t score(const NodeInfo& node) const override {
    return (left(node.allocatable.milliCpu, node.scored.milliCpu + wanted.milliCpu) +
            left(node.allocatable.memory, node.scored.memory + wanted.memory)) / 2;
  }
  static int64_t left(int64_t have, int64_t used) { return have <= 0 || used > have ? 0 : (have - used) * 100 / have; }
  const Resources& wanted;
};

// Prefers nodes whose CPU and memory would be used in equal parts.
struct BalancedAllocation final : Scorer {
  explicit BalancedAllocation(const PodInfo& p) : wanted(p.requests) {}
  int64_t score(const NodeInfo& node) const override {
    double cpu = part(node.allocatable.milliCpu, node.requested.milliCpu + wanted.milliCpu);
    double memory = part(node.allocatable.memory, node.requested.memory + wanted.memory);
    return int64_t((1 - std::abs(cpu - memory) / 2) * 100);
  }
  static double part(int64_t have, int64_t used) { return have <= 0 ? 1 : std::min(1.0, double(used) / double(have)); }
  const Resources& wanted;
};

}  // namespace

std::unique_ptr<Filter> makeNodeResourcesFit(const PodInfo& pod, const Snapshot&) {
  return std::make_unique<ResourcesFit>(pod);
}
std::unique_ptr<Scorer> scoreLeastAllocated(const PodInfo& pod, const Snapshot&) {
  return std::make_unique<LeastAllocated>(pod);
}
std::unique_ptr<Scorer> scoreBalancedAllocation(const PodInfo& pod, const Snapshot&) {
  return std::make_unique<BalancedAllocation>(pod);
}

}  // namespace skiff::scheduler
