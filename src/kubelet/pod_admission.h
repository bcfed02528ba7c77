// May a pod run on this node? The scheduler has answered that already, but not for pods that name their node themselves, nor
// for what changed since. A refused pod fails for good.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "kubelet/node_config.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

struct Refusal {
  std::string reason, message;
};

struct AdmissionInputs {
  const NodeConfig* config = nullptr;
  std::vector<PodPtr> others;                              // that run here
  std::shared_ptr<const api::core::v1::Node> node;         // null: not known yet
  std::optional<std::string> pressure;                     // the resource that is scarce right now
};
std::optional<Refusal> refusalOf(const Pod& pod, const AdmissionInputs& inputs);

}  // namespace skiff::kubelet
