// Usage of node and pods: /stats/summary and /metrics/resource.
#pragma once
#include <string>

#include "kubelet/cri.h"
#include "kubelet/node_config.h"
#include "kubelet/pod_workers.h"

namespace skiff::kubelet {

Result<std::string> statsSummaryJson(const NodeConfig& config, cri::Client& runtime, const PodWorkers& workers);
Result<std::string> resourceMetrics(const NodeConfig& config, cri::Client& runtime, const PodWorkers& workers);

}  // namespace skiff::kubelet
