// The settings of a kubelet that its parts read; made once at start and constant then (the address apart).
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/client.h"
#include "client/events.h"
#include "gen/core_v1.h"
#include "kubelet/cri.h"
#include "kubelet/eviction_rules.h"
#include "kubelet/kubelet.h"

namespace skiff::kubelet {

struct NodeConfig {
  KubeletOptions options;
  std::vector<std::string> nodeIps;
  int64_t memoryBytes = 0;
  int64_t milliCpu = 0;
  std::map<std::string, api::Quantity> allocatable;
  std::vector<Threshold> thresholds;  // of eviction: what lies below them is nobody's to ask for
  const Clock* clock = &Clock::real();

  std::string podsDir() const { return options.rootDir + "/pods"; }
};

}  // namespace skiff::kubelet
