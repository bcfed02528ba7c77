// What has to be done once in a while: rotate logs, remove unused images when the disk is nearly full.
#pragma once
#include <memory>

#include "kubelet/cri.h"
#include "kubelet/node_config.h"
#include "kubelet/pod_workers.h"

namespace skiff::kubelet {

// Upstream's limits: containerLogMaxSize 10Mi, containerLogMaxFiles 5; image garbage from 85% down to 80% of the disk.
void rotateLogs(const NodeConfig& config, cri::Client& runtime, const PodWorkers& workers);
void collectImages(const NodeConfig& config, cri::Client& runtime, const std::string& pauseImage);
// Those that no container needs, the largest first.
std::vector<cri::Image> unusedImages(std::vector<cri::Image> images, const std::vector<cri::Container>& containers,
                                     const std::string& pauseImage);
// All that no container uses, however full the disk is.
void removeUnusedImages(cri::Client& runtime, const std::string& pauseImage);

}  // namespace skiff::kubelet
