// Drives one pod towards its spec on the runtime: sandbox, init containers in order, sidecars, containers; and back
// down again. Blocking; called by the pod's worker only, one call at a time for a pod.
#pragma once
#include <map>
#include <optional>
#include <semaphore>
#include <set>
#include <string>

#include "kubelet/backoff.h"
#include "kubelet/container_config.h"
#include "kubelet/handlers.h"
#include "kubelet/images.h"
#include "kubelet/node_config.h"
#include "kubelet/pod_status.h"
#include "kubelet/probes.h"
#include "kubelet/resources.h"
#include "kubelet/runtime.h"
#include "kubelet/volumes.h"
#include "rt/executor.h"

namespace skiff::kubelet {

// What must be remembered of a pod between two passes.
struct PodMemory {
  std::map<std::string, Waiting> waiting;  // by container: why it does not run
  Backoff crashes;
  std::map<std::string, std::string> appliedResources;  // container id -> what was last set
  WallTime volumesChecked{};
  bool volumesReady = false;
  int volumePolls = 0;  // while something of theirs is on its way
  std::optional<microseconds> retryAfter;    // of this pass: it must be repeated
  std::optional<microseconds> refreshAfter;  // only the volumes must be looked at again

  void retryWithin(microseconds time) { retryAfter = std::min(retryAfter.value_or(time), time); }
};

class PodRuntime {
 public:
  struct Deps {
    const NodeConfig& config;
    cri::Client& cri;
    RuntimeReader& reader;
    ImageManager& images;
    VolumeManager& volumes;
    ObjectSource& objects;
    Cgroups& cgroups;
    client::EventRecorder& events;
    HandlerRunner& handlers;
    ProbeManager& probes;
    client::Client& api;
  };
  explicit PodRuntime(Deps deps);

  // One pass. *runtime is the pod as read before, and is read again when something was changed.
  Status sync(const Pod& pod, RuntimePod* runtime, PodMemory& memory);
  // Stops all containers: hooks, grace, in upstream's order (sidecars last). Blocks until they are gone.
  void killContainers(const Pod& pod, const RuntimePod& runtime, seconds grace, std::string_view message = {});
  // Less grace than before: asks again, and returns at once.
  void hastenEnd(const RuntimePod& runtime, seconds grace);
  Status stopSandboxes(const RuntimePod& runtime);
  void removeAll(const RuntimePod& runtime);  // sandboxes and with them all containers
  // Removes dead attempts but for the last two of each container.
  void pruneContainers(const RuntimePod& runtime);
  PodFacts factsOf(const Pod& pod, const RuntimePod& runtime) const;
  Status ensureVolumes(const Pod& pod, const RuntimePod& runtime, PodMemory& memory);

 private:
  struct Pass;  // what one sync carries along
  void describeSandbox(Pass& pass, uint32_t attempt);
  Result<std::string> createSandbox(Pass& pass);
  bool stepInitContainers(Pass& pass);  // true: the containers may start
  void stepContainer(Pass& pass, const Container& container, ContainerKind kind);
  void startContainer(Pass& pass, const Container& container, ContainerKind kind);
  Result<std::string> createAndStart(Pass& pass, const Container& container, ContainerKind kind,
                                     const ImageManager::Outcome& image, std::string* failReason);
  Result<std::vector<cri::Mount>> mountsOf(Pass& pass, const Container& container, ContainerKind kind, int attempt,
                                           const std::vector<cri::KeyValue>& environment);
  bool restartIsDue(Pass& pass, const Container& container, const RuntimeContainer& last);
  bool mustRestartRunning(Pass& pass, const Container& container, ContainerKind kind, const RuntimeContainer& now,
                          std::string* why);
  void resizeInPlace(Pass& pass, const Container& container, const RuntimeContainer& now);
  ActionResult runHook(const Pod& pod, const Container& container, const std::string& id, const std::string& podIp,
                       const api::core::v1::LifecycleHandler& hook, seconds timeout);
  void killContainer(const Pod& pod, const Container* container, ContainerKind kind, const RuntimeContainer& target,
                     const std::string& podIp, seconds grace, std::string message);
  void record(const Pod& pod, const Container& container, ContainerKind kind, std::string_view type,
              std::string_view reason, std::string message);

  Deps d_;
  std::unique_ptr<rt::Executor> killers_;
  // Starting and stopping sandboxes and containers is work for the machine's processors: more at once than these only
  // makes each slower, up to the probes' and the heartbeat's timeouts.
  std::counting_semaphore<> slots_;
};

}  // namespace skiff::kubelet
