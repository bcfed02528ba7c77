// The scheduling framework's extension points. A plug-in is a factory: for each pod it makes an object with what it
// could work out before looking at nodes, or null when it has nothing to say about that pod.
// https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/cluster_state.h"

namespace skiff::scheduler {

// Why a node will not do. Reasons are upstream's words: they are counted and shown in the pod's condition.
struct Rejection {
  std::string reason;
  bool preemptible = true;  // could the removal of other pods help?
};

class Filter {
 public:
  virtual ~Filter() = default;
  // True if the node passes; else fills *why.
  virtual bool passes(const NodeInfo& node, Rejection* why) const = 0;
};
struct FilterPlugin {
  std::string_view name;
  std::unique_ptr<Filter> (*make)(const PodInfo& pod, const Snapshot& snapshot);
};

class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual int64_t score(const NodeInfo& node) const = 0;
  // Brings the feasible nodes' scores into 0..100. The default leaves them as they are.
  virtual void normalize(std::span<int64_t> scores) const { (void)scores; }
};
struct ScorePlugin {
  std::string_view name;
  int weight;
  std::unique_ptr<Scorer> (*make)(const PodInfo& pod, const Snapshot& snapshot);
};

// Scales so that the greatest becomes 100 (or, reversed, the smallest).
void scaleScores(std::span<int64_t> scores, bool reverse);

// Upstream's default plug-ins, in its order and with its weights.
std::span<const FilterPlugin> filterPlugins();
std::span<const ScorePlugin> scorePlugins();

using Filters = std::vector<std::unique_ptr<Filter>>;
Filters makeFilters(const PodInfo& pod, const Snapshot& snapshot);
bool passesAll(const Filters& filters, const NodeInfo& node, Rejection* why);

bool tolerates(const std::vector<api::core::v1::Toleration>& tolerations, const api::core::v1::Taint& taint);

}  // namespace skiff::scheduler
