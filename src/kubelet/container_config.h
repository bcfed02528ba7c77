// From a pod's spec to what the CRI is asked for. Pure, but for the mounts that are handed in.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kubelet/cri_messages.h"
#include "kubelet/env.h"
#include "kubelet/node_config.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

std::string podLogDir(const NodeConfig& config, const Pod& pod);  // "/var/log/pods/ns_name_uid"

struct SandboxInputs {
  const Pod* pod;
  uint32_t attempt = 0;
  std::string cgroupParent;
  std::string hostResolvConf;
};
cri::PodSandboxConfig sandboxConfig(const NodeConfig& config, const SandboxInputs& inputs);

struct ContainerInputs {
  const PodFacts* facts;
  const Container* container;
  ContainerKind kind = ContainerKind::Regular;
  int attempt = 0;
  std::string imageRef;
  std::vector<cri::KeyValue> environment;
  std::vector<cri::Mount> mounts;
  std::string targetId;  // of an ephemeral container: the container whose processes it shall see
};
// Errors are the pod's own faults: reason BadRequest.
Result<cri::ContainerConfig> containerConfig(const NodeConfig& config, const ContainerInputs& inputs);

// May the container run as this image's user? uid unset: the image names its user by `username`.
Status checkNonRoot(const Pod& pod, const Container& container, std::optional<int64_t> imageUid,
                    const std::string& imageUsername);

// Sysctls that touch only the pod's own namespaces; all others need leave, which this kubelet does not give.
bool isSafeSysctl(std::string_view name);

}  // namespace skiff::kubelet
