// The end of a node: what a kubelet leaves running on purpose, and what only makes sense while containers run.
#include "base/log.h"
#include "base/strings.h"
#include "kubelet/cni.h"
#include "kubelet/containerd.h"
#include "kubelet/cri.h"
#include "kubelet/files.h"
#include "kubelet/kubelet.h"
#include "kubelet/resources.h"
#include "kubelet/runtime.h"
#include "rt/executor.h"

namespace skiff::kubelet {
namespace {

constexpr seconds kGrace{2};  // nobody waits for these containers any more

void stopEverything(cri::Client& runtime, Cgroups& cgroups) {
  RuntimeReader reader(runtime);
  auto pods = reader.allPods();
  if (!pods.ok()) {
    log::warn("Could not list the runtime's pods", {{"err", pods.error().message()}});
    return;
  }
  auto workers = rt::Executor::create({.name = "teardown", .maxThreads = 16});
  for (const auto& [uid, pod] : *pods) {
    workers->submit([&runtime, &cgroups, &pod = pod, &uid = uid] {
      for (const auto& container : pod.containers) {
        if (!container.running()) continue;
        auto stopped = runtime.stopContainer(container.id, kGrace);
        if (!stopped.ok()) log::warn("Could not stop a container", {{"err", stopped.error().message()}});
      }
      for (const auto& sandbox : pod.sandboxes) {
        auto stopped = runtime.stopPodSandbox(sandbox.id);
        auto removed = runtime.removePodSandbox(sandbox.id);
        if (!removed.ok()) log::warn("Could not remove a sandbox", {{"err", removed.error().message()}});
      }
      cgroups.removePod(uid);
    });
  }
  workers->stop();
}

}  // namespace

Status tearDownNode(const KubeletOptions& options) {
  Containerd containerd({options.runtimeDir, options.pauseImage});
  // Without a configuration there never was a node here.
  if (exists(options.runtimeDir + "/containerd/config.toml")) {
    // A containerd that died leaves its containers behind: it must live once more to end them.
    TRY(containerd.start());
    auto runtime = cri::Client::create(containerd.socketPath());
    Cgroups cgroups(options.cgroupRoot);
    stopEverything(*runtime, cgroups);
    TRY(containerd.terminate());
    removePodNetwork({options.podCidr, options.clusterCidr, options.runtimeDir});
    TRY(unmountUnder(options.runtimeDir + "/containerd"));
  }
  return unmountUnder(options.rootDir);
}

}  // namespace skiff::kubelet
