// Pods from files of a folder, and their mirrors in the API so that people see them.
// https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "client/client.h"
#include "kubelet/node_config.h"
#include "kubelet/pod_util.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::kubelet {

// One pod of a manifest (YAML or JSON), as the API would have it: defaults filled in, named NAME-NODE, with a uid that
// follows from name, node and content.
Result<Pod> staticPodFrom(std::string_view manifest, std::string_view nodeName);

class StaticPods {
 public:
  struct Handler {
    std::function<void(PodPtr)> changed;
    std::function<void(const PodPtr&)> gone;
    // The mirror as the API has it now: its status may need to be written.
    std::function<void(const std::string& staticUid, const PodPtr& mirror)> mirrorSeen;
  };
  StaticPods(const NodeConfig& config, client::Client& api, Handler handler)
      : config_(config), api_(api), handler_(std::move(handler)) {}
  ~StaticPods() { stop(); }
  void start();  // nothing without a folder
  void stop();
  // From the pod informer: a mirror appeared, changed or went away.
  void mirrorChanged(const PodPtr& mirror);
  void mirrorGone(const PodPtr& mirror);

 private:
  void watch();
  void scan();
  void ensureMirror(const Pod& pod);

  const NodeConfig& config_;
  client::Client& api_;
  Handler handler_;
  rt::StopSignal stop_;
  std::mutex mutex_;  // guards pods_
  std::map<std::string, PodPtr> pods_;  // by file
  rt::Thread thread_;
};

}  // namespace skiff::kubelet
