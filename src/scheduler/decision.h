// One pod, one snapshot, one answer: filter, score, pick; and if nothing fits, whom to preempt.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gen/policy_v1.h"
#include "scheduler/framework.h"

namespace skiff::scheduler {

struct Decision {
  NodeInfo* node = nullptr;
  // When no node fits: reasons and how many nodes gave each, and the nodes where preemption could help.
  std::map<std::string, int> reasons;
  std::vector<NodeInfo*> preemptible;
  size_t nodes = 0;
  // "0/3 nodes are available: 2 Insufficient cpu, 1 node(s) were unschedulable."
  std::string message() const;
};

// `rotation` is where the search starts and moves on with each call: upstream looks only at a part of large clusters.
Decision decide(const PodInfo& pod, const Snapshot& snapshot, const ClusterState& state, size_t& rotation);

using BudgetPtr = std::shared_ptr<const api::policy::v1::PodDisruptionBudget>;

struct Preemption {
  NodeInfo* node = nullptr;  // null: none found
  std::vector<PodInfoPtr> victims;
  std::string message;  // why none: goes behind the decision's
};
Preemption findPreemption(const PodInfo& pod, const Snapshot& snapshot, const Decision& decision,
                          const std::vector<BudgetPtr>& budgets);

}  // namespace skiff::scheduler
