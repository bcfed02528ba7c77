#include "scheduler/decision.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::scheduler {
namespace {

// How many feasible nodes are enough, by cluster size: upstream's adaptive percentageOfNodesToScore.
size_t enoughNodes(size_t all) {
  constexpr size_t kLeast = 100;
  if (all < kLeast) return all;
  size_t percent = std::max<size_t>(5, all / 125 < 45 ? 50 - all / 125 : 5);
  return std::max(kLeast, all * percent / 100);
}

// Pods nominated to the node by preemption, of the same or higher priority, must fit as well.
bool passesWithNominated(const PodInfo& pod, const Filters& filters, const NodeInfo& node, const ClusterState& state,
                         Rejection* why) {
  if (!state.anyNominated()) return passesAll(filters, node, why);
  NodeInfo crowded = node;
  bool any = false;
  for (const auto& nominated : state.nominatedOn(node.name())) {
    if (nominated->priority < pod.priority || nominated->pod->metadata.uid == pod.pod->metadata.uid) continue;
    crowded.add(nominated);
    any = true;
  }
  return (!any || passesAll(filters, crowded, why)) && passesAll(filters, node, why);
}

NodeInfo* best(const PodInfo& pod, const Snapshot& snapshot, const std::vector<NodeInfo*>& feasible) {
  if (feasible.size() == 1) return feasible.front();
  std::vector<int64_t> totals(feasible.size()), scores(feasible.size());
  for (const auto& plugin : scorePlugins()) {
    auto scorer = plugin.make(pod, snapshot);
    if (!scorer) continue;
    for (size_t i = 0; i < feasible.size(); ++i) scores[i] = scorer->score(*feasible[i]);
    scorer->normalize(scores);
    for (size_t i = 0; i < feasible.size(); ++i) totals[i] += scores[i] * plugin.weight;
  }
  // The first of equals: the search's rotation spreads them.
  return feasible[size_t(std::max_element(totals.begin(), totals.end()) - totals.begin())];
}

std::string countedReasons(const std::map<std::string, int>& reasons) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : reasons) parts.push_back(concat(count, " ", reason));
  std::sort(parts.begin(), parts.end());
  return join(parts, ", ");
}

}  // namespace

std::string Decision::message() const {
  if (nodes == 0) return "no nodes available to schedule pods";
  return concat("0/", nodes, " nodes are available: ", countedReasons(reasons), ".");
}

Decision decide(const PodInfo& pod, const Snapshot& snapshot, const ClusterState& state, size_t& rotation) {
  Decision decision;
  decision.nodes = snapshot.nodes.size();
  if (snapshot.nodes.empty()) return decision;
  Filters filters = makeFilters(pod, snapshot);
  std::vector<NodeInfo*> feasible;
  size_t enough = enoughNodes(snapshot.nodes.size()), looked = 0;
  for (; looked < snapshot.nodes.size() && feasible.size() < enough; ++looked) {
    NodeInfo* node = snapshot.nodes[(rotation + looked) % snapshot.nodes.size()];
    Rejection why;
    if (passesWithNominated(pod, filters, *node, state, &why)) {
      feasible.push_back(node);
    } else {
      ++decision.reasons[why.reason];
      if (why.preemptible) decision.preemptible.push_back(node);
    }
  }
  rotation = (rotation + looked) % snapshot.nodes.size();
  if (!feasible.empty()) decision.node = best(pod, snapshot, feasible);
  return decision;
}

namespace {

struct Candidate {
  NodeInfo* node;
  std::vector<PodInfoPtr> victims;  // most important first
  int violations = 0;                // of disruption budgets
};

// More important: higher priority, or running for longer.
bool moreImportant(const PodInfoPtr& a, const PodInfoPtr& b) {
  if (a->priority != b->priority) return a->priority > b->priority;
  auto started = [](const PodInfo& p) { return p.pod->status.startTime ? p.pod->status.startTime->value : WallTime::max(); };
  return started(*a) < started(*b);
}

class Budgets {
 public:
  explicit Budgets(const std::vector<BudgetPtr>& budgets) {
    for (const auto& budget : budgets) {
      auto selector = budget->spec.selector ? api::LabelSelector::fromTyped(*budget->spec.selector)
                                            : Result<api::LabelSelector>(api::LabelSelector::nothing());
      if (selector.ok()) left_.push_back({budget, *selector, budget->status.disruptionsAllowed});
    }
  }
  // Takes one disruption from each budget of the pod; true if one of them had none left.
  bool take(const PodInfo& pod) {
    bool violated = false;
    for (auto& entry : left_) {
      if (entry.budget->metadata.namespace_ != pod.pod->metadata.namespace_) continue;
      if (!entry.selector.matches(pod.pod->metadata.labels)) continue;
      if (entry.budget->status.disruptedPods.contains(pod.pod->metadata.name)) continue;
      violated |= --entry.allowed < 0;
    }
    return violated;
  }

 private:
  struct Entry {
    BudgetPtr budget;
    api::LabelSelector selector;
    int64_t allowed;
  };
  std::vector<Entry> left_;
};

// The snapshot with one node replaced.
Snapshot substituted(const Snapshot& snapshot, const NodeInfo* from, NodeInfo* to) {
  Snapshot out = snapshot;
  std::replace_if(out.nodes.begin(), out.nodes.end(), [&](NodeInfo* node) { return node == from; }, to);
  return out;
}

// Removes all lower pods, then gives back as many as possible, budget violations and the important ones first.
std::optional<Candidate> tryNode(const PodInfo& pod, const Snapshot& snapshot, NodeInfo* node,
                                 const std::vector<BudgetPtr>& budgets) {
  NodeInfo trial = *node;
  std::vector<PodInfoPtr> lower;
  for (const auto& other : node->pods)
    if (other->priority < pod.priority) lower.push_back(other);
  if (lower.empty()) return std::nullopt;
  for (const auto& other : lower) trial.remove(other->pod->metadata.uid);
  Snapshot without = substituted(snapshot, node, &trial);
  auto fits = [&] {
    Rejection ignored;
    return passesAll(makeFilters(pod, without), trial, &ignored);
  };
  if (!fits()) return std::nullopt;
  std::sort(lower.begin(), lower.end(), moreImportant);
  Budgets left(budgets);
  std::vector<std::pair<bool, PodInfoPtr>> ordered;
  for (const auto& other : lower) ordered.emplace_back(left.take(*other), other);
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  Candidate candidate{node, {}};
  for (const auto& [violates, other] : ordered) {
    trial.add(other);
    if (fits()) continue;
    trial.remove(other->pod->metadata.uid);
    candidate.violations += violates;
    candidate.victims.push_back(other);
  }
  std::sort(candidate.victims.begin(), candidate.victims.end(), moreImportant);
  return candidate;
}

// Upstream's order of preference among candidates.
bool better(const Candidate& a, const Candidate& b) {
  auto sum = [](const Candidate& c) {
    int64_t total = 0;
    for (const auto& victim : c.victims) total += int64_t(victim->priority) + (int64_t(1) << 31);
    return total;
  };
  auto highest = [](const Candidate& c) { return c.victims.empty() ? INT32_MIN : c.victims.front()->priority; };
  if (a.violations != b.violations) return a.violations < b.violations;
  if (highest(a) != highest(b)) return highest(a) < highest(b);
  if (sum(a) != sum(b)) return sum(a) < sum(b);
  return a.victims.size() < b.victims.size();
}

// It was promised a node already, and pods there are still on their way out.
bool waitsForVictims(const PodInfo& pod, const Snapshot& snapshot) {
  const auto& nominated = pod.pod->status.nominatedNodeName;
  if (nominated.empty()) return false;
  for (const auto* node : snapshot.nodes)
    if (node->name() == nominated)
      return std::any_of(node->pods.begin(), node->pods.end(), [&](const auto& other) {
        return other->priority < pod.priority && other->pod->metadata.deletionTimestamp;
      });
  return false;
}

}  // namespace

Preemption findPreemption(const PodInfo& pod, const Snapshot& snapshot, const Decision& decision,
                          const std::vector<BudgetPtr>& budgets) {
  constexpr size_t kMostCandidates = 100;  // as upstream: enough to choose from
  Preemption out;
  if (pod.pod->spec.preemptionPolicy == "Never") {
    out.message = "preemption: not eligible due to preemptionPolicy=Never.";
    return out;
  }
  if (waitsForVictims(pod, snapshot)) return out;
  std::optional<Candidate> chosen;
  size_t found = 0;
  for (auto* node : decision.preemptible) {
    auto candidate = tryNode(pod, snapshot, node, budgets);
    if (!candidate) continue;
    if (!chosen || better(*candidate, *chosen)) chosen = std::move(candidate);
    if (++found == kMostCandidates) break;
  }
  if (chosen) {
    out.node = chosen->node;
    out.victims = std::move(chosen->victims);
    return out;
  }
  std::map<std::string, int> reasons;
  int hopeless = int(decision.nodes - decision.preemptible.size());
  if (hopeless > 0) reasons["Preemption is not helpful for scheduling"] = hopeless;
  if (!decision.preemptible.empty())
    reasons["No preemption victims found for incoming pod"] = int(decision.preemptible.size());
  out.message = concat("preemption: 0/", decision.nodes, " nodes are available: ", countedReasons(reasons), ".");
  return out;
}

}  // namespace skiff::scheduler
