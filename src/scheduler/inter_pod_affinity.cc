// Pod affinity and anti-affinity: of the incoming pod towards others, and of others towards it.
#include <algorithm>
#include <unordered_map>

#include "scheduler/plugins.h"

namespace skiff::scheduler {
namespace {

// Counts by topology value, for one topology key.
using Domains = std::unordered_map<std::string, int64_t>;

int64_t countAt(const Domains& domains, const NodeInfo& node, const std::string& key) {
  const auto* value = node.label(key);
  if (!value) return 0;
  auto it = domains.find(*value);
  return it == domains.end() ? 0 : it->second;
}

struct InterPodAffinity final : Filter {
  InterPodAffinity(const PodInfo& incoming, const Snapshot& snapshot)
      : pod(incoming), affinity(incoming.affinity.size()), antiAffinity(incoming.antiAffinity.size()) {
    for (const auto* node : snapshot.nodes) {
      for (const auto& other : node->pods) count(*other, *node, snapshot);
      if (node->withAntiAffinity == 0) continue;
      for (const auto& other : node->pods) countExisting(*other, *node, snapshot);
    }
    // The first pod of a group that wants to be near itself may go anywhere.
    selfMatches = std::all_of(pod.affinity.begin(), pod.affinity.end(),
                              [&](const auto& term) { return termMatches(term, *pod.pod, snapshot); });
    anyMatch = std::any_of(affinity.begin(), affinity.end(), [](const Domains& d) { return !d.empty(); });
  }

  void count(const PodInfo& other, const NodeInfo& node, const Snapshot& snapshot) {
    // Upstream counts a pod for affinity only if it matches all terms.
    bool all = !pod.affinity.empty() && std::all_of(pod.affinity.begin(), pod.affinity.end(), [&](const auto& term) {
      return termMatches(term, *other.pod, snapshot);
    });
    for (size_t i = 0; all && i < pod.affinity.size(); ++i)
      if (const auto* value = node.label(pod.affinity[i].topologyKey)) ++affinity[i][*value];
    for (size_t i = 0; i < pod.antiAffinity.size(); ++i)
      if (const auto* value = node.label(pod.antiAffinity[i].topologyKey);
          value && termMatches(pod.antiAffinity[i], *other.pod, snapshot))
        ++antiAffinity[i][*value];
  }

  void countExisting(const PodInfo& other, const NodeInfo& node, const Snapshot& snapshot) {
    for (const auto& term : other.antiAffinity)
      if (const auto* value = node.label(term.topologyKey); value && termMatches(term, *pod.pod, snapshot))
        ++existingAnti[term.topologyKey][*value];
  }

  bool passes(const NodeInfo& node, Rejection* why) const override {
    for (size_t i = 0; i < pod.affinity.size(); ++i) {
      const auto& key = pod.affinity[i].topologyKey;
      bool near = node.label(key) && (countAt(affinity[i], node, key) > 0 || (!anyMatch && selfMatches));
      if (near) continue;
      *why = {"node(s) didn't match pod affinity rules", false};
      return false;
    }
    for (size_t i = 0; i < pod.antiAffinity.size(); ++i) {
      if (countAt(antiAffinity[i], node, pod.antiAffinity[i].topologyKey) == 0) continue;
      *why = {"node(s) didn't match pod anti-affinity rules", true};
      return false;
    }
    for (const auto& [key, domains] : existingAnti) {
      if (countAt(domains, node, key) == 0) continue;
      *why = {"node(s) didn't satisfy existing pods anti-affinity rules", true};
      return false;
    }
    return true;
  }

  const PodInfo& pod;
  std::vector<Domains> affinity, antiAffinity;              // parallel to the pod's terms
  std::unordered_map<std::string, Domains> existingAnti;  // by topology key
  bool selfMatches = false, anyMatch = false;
};

struct InterPodScore final : Scorer {
  InterPodScore(const PodInfo& pod, const Snapshot& snapshot) {
    constexpr int32_t kHardWeight = 1;  // upstream's hardPodAffinityWeight: others' required affinity attracts
    for (const auto* node : snapshot.nodes)
      for (const auto& other : node->pods) {
        for (const auto& term : pod.preferred)
          if (termMatches(term, *other->pod, snapshot)) add(*node, term.topologyKey, term.weight);
        for (const auto& term : other->preferred)
          if (termMatches(term, *pod.pod, snapshot)) add(*node, term.topologyKey, term.weight);
        for (const auto& term : other->affinity)
          if (termMatches(term, *pod.pod, snapshot)) add(*node, term.topologyKey, kHardWeight);
      }
  }
  void add(const NodeInfo& node, const std::string& key, int64_t weight) {
    if (const auto* value = node.label(key)) sums[key][*value] += weight;
  }
  int64_t score(const NodeInfo& node) const override {
    int64_t sum = 0;
    for (const auto& [key, domains] : sums) sum += countAt(domains, node, key);
    return sum;
  }
  void normalize(std::span<int64_t> scores) const override {
    if (scores.empty()) return;
    auto [least, most] = std::minmax_element(scores.begin(), scores.end());
    int64_t low = *least, range = *most - *least;
    for (auto& score : scores) score = range == 0 ? 0 : (score - low) * 100 / range;
  }
  std::unordered_map<std::string, Domains> sums;
};

}  // namespace

std::unique_ptr<Filter> makeInterPodAffinity(const PodInfo& pod, const Snapshot& snapshot) {
  if (pod.affinity.empty() && pod.antiAffinity.empty() && snapshot.withAntiAffinity == 0) return nullptr;
  return std::make_unique<InterPodAffinity>(pod, snapshot);
}

std::unique_ptr<Scorer> scoreInterPodAffinity(const PodInfo& pod, const Snapshot& snapshot) {
  if (pod.preferred.empty() && snapshot.withAffinity == 0) return nullptr;
  return std::make_unique<InterPodScore>(pod, snapshot);
}

}  // namespace skiff::scheduler
