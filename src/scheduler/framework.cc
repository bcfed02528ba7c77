#include "scheduler/framework.h"

#include <algorithm>

#include "scheduler/plugins.h"

namespace skiff::scheduler {

std::span<const FilterPlugin> filterPlugins() {
  static constexpr FilterPlugin kPlugins[] = {
      {"NodeUnschedulable", makeNodeUnschedulable}, {"NodeName", makeNodeName},
      {"TaintToleration", makeTaintToleration},     {"NodeAffinity", makeNodeAffinity},
      {"NodePorts", makeNodePorts},                 {"NodeResourcesFit", makeNodeResourcesFit},
      {"PodTopologySpread", makePodTopologySpread}, {"InterPodAffinity", makeInterPodAffinity},
  };
  return kPlugins;
}

std::span<const ScorePlugin> scorePlugins() {
  static constexpr ScorePlugin kPlugins[] = {
      {"TaintToleration", 3, scoreTaintToleration},
      {"NodeAffinity", 2, scoreNodeAffinity},
      {"PodTopologySpread", 2, scorePodTopologySpread},
      {"InterPodAffinity", 2, scoreInterPodAffinity},
      {"NodeResourcesFit", 1, scoreLeastAllocated},
      {"NodeResourcesBalancedAllocation", 1, scoreBalancedAllocation},
      {"ImageLocality", 1, scoreImageLocality},
  };
  return kPlugins;
}

Filters makeFilters(const PodInfo& pod, const Snapshot& snapshot) {
  Filters filters;
  for (const auto& plugin : filterPlugins())
    if (auto filter = plugin.make(pod, snapshot)) filters.push_back(std::move(filter));
  return filters;
}

bool passesAll(const Filters& filters, const NodeInfo& node, Rejection* why) {
  return std::all_of(filters.begin(), filters.end(), [&](const auto& filter) { return filter->passes(node, why); });
}

void scaleScores(std::span<int64_t> scores, bool reverse) {
  int64_t most = scores.empty() ? 0 : *std::max_element(scores.begin(), scores.end());
  for (auto& score : scores) {
    score = most == 0 ? 0 : score * 100 / most;
    if (reverse) score = 100 - score;
  }
}

}  // namespace skiff::scheduler
