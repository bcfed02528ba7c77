// What the runtime knows of one pod: its sandboxes and every attempt at its containers, newest first.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kubelet/cri.h"

namespace skiff::kubelet {

// Labels and annotations that upstream's kubelet writes too: tools and a restarted kubelet find containers by them.
namespace labels {
inline constexpr const char* kPodName = "io.kubernetes.pod.name";
inline constexpr const char* kPodNamespace = "io.kubernetes.pod.namespace";
inline constexpr const char* kPodUid = "io.kubernetes.pod.uid";
inline constexpr const char* kContainerName = "io.kubernetes.container.name";
inline constexpr const char* kHash = "io.kubernetes.container.hash";
inline constexpr const char* kRestartCount = "io.kubernetes.container.restartCount";
inline constexpr const char* kMessagePath = "io.kubernetes.container.terminationMessagePath";
inline constexpr const char* kMessagePolicy = "io.kubernetes.container.terminationMessagePolicy";
inline constexpr const char* kGracePeriod = "io.kubernetes.pod.terminationGracePeriod";
}  // namespace labels

struct RuntimeContainer {
  std::string id;
  std::string name;
  std::string sandboxId;
  cri::ContainerState state = cri::ContainerState::Unknown;
  int attempt = 0;
  int restartCount = 0;
  std::string hash;
  std::string image;     // as the user named it
  std::string imageRef;  // what runs
  int64_t createdAt = 0, startedAt = 0, finishedAt = 0;  // nanoseconds since 1970
  int exitCode = 0;
  std::string reason, message;
  std::string logPath;
  std::string messageText;  // the termination message, of exited ones
  std::optional<cri::LinuxContainerResources> resources;

  bool running() const { return state == cri::ContainerState::Running; }
  bool exited() const { return state == cri::ContainerState::Exited; }
};

struct RuntimeSandbox {
  std::string id;
  bool ready = false;
  uint32_t attempt = 0;
  int64_t createdAt = 0;
  std::vector<std::string> ips;  // empty for host network
  bool hostNetwork = false;
};

struct RuntimePod {
  std::string uid, name, ns;
  std::vector<RuntimeSandbox> sandboxes;
  std::vector<RuntimeContainer> containers;

  const RuntimeContainer* latest(std::string_view name) const;
  const RuntimeContainer* previous(std::string_view name) const;  // the attempt before the latest
  const RuntimeContainer* byId(std::string_view id) const;
  const RuntimeSandbox* readySandbox() const;
  bool anyRunning() const;
};

// Reads pods from the runtime. Exited containers never change: their details are asked for once and kept.
class RuntimeReader {
 public:
  explicit RuntimeReader(cri::Client& client) : client_(client) {}
  Result<RuntimePod> pod(std::string_view uid);
  // All pods by uid, from two list calls: ids, names and states only.
  Result<std::map<std::string, RuntimePod>> allPods();
  void forget(std::string_view containerId);

 private:
  Status fillDetails(RuntimeContainer& container);
  cri::Client& client_;
  std::mutex mutex_;  // guards exited_
  std::map<std::string, RuntimeContainer, std::less<>> exited_;
};

WallTime fromNanos(int64_t nanos);

}  // namespace skiff::kubelet
