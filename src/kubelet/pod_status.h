// From what the runtime shows to the pod's status: phase, conditions, container states. Pure functions.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "gen/core_v1.h"
#include "kubelet/pod_util.h"
#include "kubelet/runtime.h"

namespace skiff::kubelet {

struct Waiting {
  std::string reason, message;
};

// What is known beside the runtime's view, by container name.
struct StatusInputs {
  const Pod* pod = nullptr;         // its status is the last one published
  const RuntimePod* runtime = nullptr;
  std::map<std::string, Waiting> waiting;         // why a container is not (again) running
  std::map<std::string, bool> ready, started;     // from probes; absent: running is enough
  std::set<std::string> undecided;                // probes without an answer yet: what was published still holds
  std::map<std::string, std::string> imageIds;    // by runtime image reference
  std::vector<std::string> hostIPs;
  bool terminating = false;         // being shut down: what never started will not
  std::string reason, message;      // of an eviction, a deadline, a refusal: the pod is Failed
  WallTime now{};
};

PodStatus computeStatus(const StatusInputs& inputs);

// Exposed for the worker: are all containers that count over, by their own restart rules?
std::string computePhase(const Pod& pod, const std::vector<api::core::v1::ContainerStatus>& init,
                         const std::vector<api::core::v1::ContainerStatus>& regular);
// Would a container that ended so be started again?
bool shouldRestart(const Pod& pod, const Container& container, ContainerKind kind, int exitCode);

}  // namespace skiff::kubelet
