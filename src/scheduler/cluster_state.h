// What the scheduler knows: pods and nodes with everything that a decision needs worked out once, kept up by deltas.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/selectors.h"
#include "gen/core_v1.h"
#include "scheduler/resources.h"

namespace skiff::scheduler {

using PodPtr = std::shared_ptr<const api::core::v1::Pod>;
using NodePtr = std::shared_ptr<const api::core::v1::Node>;

// A term of pod affinity or anti-affinity, compiled.
struct AffinityTerm {
  api::LabelSelector pods;
  std::set<std::string> namespaces;
  std::optional<api::LabelSelector> namespaceSelector;
  std::string topologyKey;
  int32_t weight = 0;  // of a preference
};

struct HostPort {
  std::string ip, protocol;
  int32_t port;
  bool conflictsWith(const HostPort& other) const;
};

// A pod, compiled. Immutable.
struct PodInfo {
  explicit PodInfo(PodPtr pod);
  PodPtr pod;
  std::string key;  // "ns/name"
  Resources requests, scored;
  int32_t priority;
  std::vector<HostPort> hostPorts;
  std::vector<AffinityTerm> affinity, antiAffinity;  // required
  std::vector<AffinityTerm> preferred;                // weight < 0: anti-affinity
};
using PodInfoPtr = std::shared_ptr<const PodInfo>;

struct NodeInfo {
  NodePtr node;
  Resources allocatable, requested, scored;
  int64_t allowedPods = 0;
  std::vector<PodInfoPtr> pods;
  int withAffinity = 0;      // pods here that have preferred or required affinity
  int withAntiAffinity = 0;  // pods here that have required anti-affinity

  const std::string& name() const { return node->metadata.name; }
  const std::string* label(const std::string& key) const;
  void setNode(NodePtr node);
  void add(const PodInfoPtr& pod);
  bool remove(std::string_view uid);
};

// All nodes, in a fixed order; a filter or scorer sees only this.
struct Snapshot {
  std::vector<NodeInfo*> nodes;
  const std::unordered_map<std::string, api::Labels>* namespaces = nullptr;  // labels by name
  int withAffinity = 0, withAntiAffinity = 0;  // over all nodes
};

bool termMatches(const AffinityTerm& term, const api::core::v1::Pod& pod, const Snapshot& snapshot);

// The owner of the state. Not thread safe: the scheduler guards it.
class ClusterState {
 public:
  void putNode(NodePtr node);
  void removeNode(const std::string& name);
  // A pod with spec.nodeName; replaces an assumed or older form.
  void putPod(PodPtr pod);
  void removePod(std::string_view uid);
  // A decision not yet confirmed by the API: counts at once, so that the next pod sees it.
  void assume(const PodInfoPtr& pod, const std::string& node);
  void forget(std::string_view uid);
  void putNamespace(const std::string& name, const api::Labels& labels) { namespaces_[name] = labels; }
  void removeNamespace(const std::string& name) { namespaces_.erase(name); }

  // Pods that were promised room by preemption.
  void nominate(const PodInfoPtr& pod, const std::string& node);
  void unnominate(std::string_view uid);
  std::vector<PodInfoPtr> nominatedOn(const std::string& node) const;
  bool anyNominated() const { return !nominated_.empty(); }

  Snapshot snapshot();
  NodeInfo* node(const std::string& name);
  size_t nodeCount() const { return order_.size(); }

 private:
  struct Placement {
    std::string node;
    bool assumed;
  };
  std::unordered_map<std::string, std::unique_ptr<NodeInfo>> nodes_;
  std::vector<NodeInfo*> order_;
  std::unordered_map<std::string, Placement> placements_;  // by pod uid
  // Pods whose node is not known (yet): counted when it appears.
  std::unordered_map<std::string, std::vector<PodInfoPtr>> homeless_;
  std::unordered_map<std::string, std::pair<std::string, PodInfoPtr>> nominated_;  // by uid: node, pod
  std::unordered_map<std::string, api::Labels> namespaces_;
};

}  // namespace skiff::scheduler
