// Does a pod want this node? The same answer for the scheduler, the DaemonSet controller and the kubelet.
#pragma once
#include "gen/core_v1.h"

namespace skiff::client {

// All requirements of one term. An empty term matches nothing.
bool matchesTerm(const api::core::v1::NodeSelectorTerm& term, const api::core::v1::Node& node);
// spec.nodeSelector and the required node affinity.
bool matchesNodeAffinity(const api::core::v1::PodSpec& spec, const api::core::v1::Node& node);

}  // namespace skiff::client
