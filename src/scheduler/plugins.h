// Factories of the default plug-ins; framework.cc lists them.
#pragma once
#include "scheduler/framework.h"

namespace skiff::scheduler {

// node_plugins.cc
std::unique_ptr<Filter> makeNodeUnschedulable(const PodInfo&, const Snapshot&);
std::unique_ptr<Filter> makeNodeName(const PodInfo&, const Snapshot&);
std::unique_ptr<Filter> makeTaintToleration(const PodInfo&, const Snapshot&);
std::unique_ptr<Filter> makeNodeAffinity(const PodInfo&, const Snapshot&);
std::unique_ptr<Filter> makeNodePorts(const PodInfo&, const Snapshot&);
std::unique_ptr<Scorer> scoreTaintToleration(const PodInfo&, const Snapshot&);
std::unique_ptr<Scorer> scoreNodeAffinity(const PodInfo&, const Snapshot&);
std::unique_ptr<Scorer> scoreImageLocality(const PodInfo&, const Snapshot&);

// resource_plugins.cc
std::unique_ptr<Filter> makeNodeResourcesFit(const PodInfo&, const Snapshot&);
std::unique_ptr<Scorer> scoreLeastAllocated(const PodInfo&, const Snapshot&);
std::unique_ptr<Scorer> scoreBalancedAllocation(const PodInfo&, const Snapshot&);

// topology_spread.cc
std::unique_ptr<Filter> makePodTopologySpread(const PodInfo&, const Snapshot&);
std::unique_ptr<Scorer> scorePodTopologySpread(const PodInfo&, const Snapshot&);

// inter_pod_affinity.cc
std::unique_ptr<Filter> makeInterPodAffinity(const PodInfo&, const Snapshot&);
std::unique_ptr<Scorer> scoreInterPodAffinity(const PodInfo&, const Snapshot&);

}  // namespace skiff::scheduler
