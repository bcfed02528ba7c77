// The pod network: a bridge with host-local addresses through the distribution's CNI plugins, and masquerading of what
// leaves the cluster.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::kubelet {

struct PodNetwork {
  std::string podCidr;      // of this node
  std::string clusterCidr;  // of all pods: not masqueraded; "" as podCidr
  std::string instance;     // tells several nodes on one machine apart: the data folder
};

std::string bridgeName(std::string_view instance);  // "skiff0" for the default data folder, else "skiff" + 6 hex digits
std::string cniConfigText(const PodNetwork& network, std::string_view dataDir);
std::string masqueradeRules(const PodNetwork& network);

// Writes DIR/10-skiff.conflist (only when it changed), turns on forwarding and loads the masquerade table.
Status configurePodNetwork(const PodNetwork& network, const std::string& confDir, const std::string& dataDir);
// Removes table and bridge.
void removePodNetwork(const PodNetwork& network);

// The IP address of the interface that the default route uses; "" when there is none.
std::string defaultRouteAddress();

}  // namespace skiff::kubelet
