// Topology spread constraints. https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
#include <algorithm>
#include <limits>
#include <unordered_map>

#include "client/node_selector.h"
#include "gen/meta_v1.h"
#include "scheduler/plugins.h"

namespace skiff::scheduler {
namespace {

using api::core::v1::TopologySpreadConstraint;

struct Constraint {
  const TopologySpreadConstraint* spec;
  api::LabelSelector selector;
  std::unordered_map<std::string, int64_t> domains;  // matching pods by topology value
  bool selfMatches = false;

  int64_t leastMatches() const {
    if (spec->minDomains && int64_t(domains.size()) < *spec->minDomains) return 0;
    int64_t least = std::numeric_limits<int64_t>::max();
    for (const auto& [value, count] : domains) least = std::min(least, count);
    return domains.empty() ? 0 : least;
  }
};

api::LabelSelector selectorOf(const TopologySpreadConstraint& spec, const PodInfo& pod) {
  if (!spec.labelSelector) return api::LabelSelector::nothing();
  auto wanted = *spec.labelSelector;
  for (const auto& key : spec.matchLabelKeys)
    if (auto it = pod.pod->metadata.labels.find(key); it != pod.pod->metadata.labels.end())
      wanted.matchLabels[key] = it->second;
  auto made = api::LabelSelector::fromTyped(wanted);
  return made.ok() ? *made : api::LabelSelector::nothing();
}

// May pods on this node count, by the constraint's inclusion policies?
bool included(const TopologySpreadConstraint& spec, const PodInfo& pod, const NodeInfo& node) {
  if (spec.nodeAffinityPolicy.value_or("Honor") == "Honor" && !client::matchesNodeAffinity(pod.pod->spec, *node.node)) return false;
  if (spec.nodeTaintsPolicy.value_or("Ignore") != "Honor") return true;
  return std::all_of(node.node->spec.taints.begin(), node.node->spec.taints.end(), [&](const auto& taint) {
    return taint.effect == "PreferNoSchedule" || tolerates(pod.pod->spec.tolerations, taint);
  });
}

int64_t matching(const NodeInfo& node, const Constraint& constraint, const std::string& ns) {
  return std::count_if(node.pods.begin(), node.pods.end(), [&](const PodInfoPtr& other) {
    return other->pod->metadata.namespace_ == ns && !other->pod->metadata.deletionTimestamp &&
           constraint.selector.matches(other->pod->metadata.labels);
  });
}

std::vector<Constraint> constraintsOf(const PodInfo& pod, const Snapshot& snapshot, std::string_view action) {
  std::vector<Constraint> constraints;
  for (const auto& spec : pod.pod->spec.topologySpreadConstraints)
    if (spec.whenUnsatisfiable == action) constraints.push_back({&spec, selectorOf(spec, pod), {}});
  auto hasAllKeys = [&](const NodeInfo& node) {
    return std::all_of(constraints.begin(), constraints.end(),
                       [&](const Constraint& c) { return node.label(c.spec->topologyKey) != nullptr; });
  };
  for (const auto* node : snapshot.nodes) {
    if (!hasAllKeys(*node)) continue;
    for (auto& constraint : constraints)
      if (included(*constraint.spec, pod, *node))
        constraint.domains[*node->label(constraint.spec->topologyKey)] +=
            matching(*node, constraint, pod.pod->metadata.namespace_);
  }
  for (auto& constraint : constraints) constraint.selfMatches = constraint.selector.matches(pod.pod->metadata.labels);
  return constraints;
}

struct TopologySpread final : Filter {
  TopologySpread(const PodInfo& pod, const Snapshot& snapshot)
      : constraints(constraintsOf(pod, snapshot, "DoNotSchedule")) {}
  bool passes(const NodeInfo& node, Rejection* why) const override {
    for (const auto& constraint : constraints) {
      const auto* value = node.label(constraint.spec->topologyKey);
      if (!value) {
        *why = {"node(s) didn't match pod topology spread constraints (missing required label)", false};
        return false;
      }
      auto here = constraint.domains.find(*value);
      int64_t count = here == constraint.domains.end() ? 0 : here->second;
      if (count + constraint.selfMatches - constraint.leastMatches() <= constraint.spec->maxSkew) continue;
      *why = {"node(s) didn't match pod topology spread constraints", true};
      return false;
    }
    return true;
  }
  std::vector<Constraint> constraints;
};

struct TopologySpreadScore final : Scorer {
  TopologySpreadScore(const PodInfo& pod, const Snapshot& snapshot)
      : constraints(constraintsOf(pod, snapshot, "ScheduleAnyway")) {}
  int64_t score(const NodeInfo& node) const override {
    int64_t sum = 0;
    for (const auto& constraint : constraints)
      if (const auto* value = node.label(constraint.spec->topologyKey))
        if (auto here = constraint.domains.find(*value); here != constraint.domains.end()) sum += here->second;
    return sum;
  }
  void normalize(std::span<int64_t> scores) const override { scaleScores(scores, true); }
  std::vector<Constraint> constraints;
};

bool hasAction(const PodInfo& pod, std::string_view action) {
  const auto& all = pod.pod->spec.topologySpreadConstraints;
  return std::any_of(all.begin(), all.end(), [&](const auto& c) { return c.whenUnsatisfiable == action; });
}

}  // namespace

std::unique_ptr<Filter> makePodTopologySpread(const PodInfo& pod, const Snapshot& snapshot) {
  return hasAction(pod, "DoNotSchedule") ? std::make_unique<TopologySpread>(pod, snapshot) : nullptr;
}
std::unique_ptr<Scorer> scorePodTopologySpread(const PodInfo& pod, const Snapshot& snapshot) {
  return hasAction(pod, "ScheduleAnyway") ? std::make_unique<TopologySpreadScore>(pod, snapshot) : nullptr;
}

}  // namespace skiff::scheduler
