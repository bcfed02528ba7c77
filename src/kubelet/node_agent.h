// The node's own object: registration, status, and the lease that says it is alive.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "client/client.h"
#include "gen/core_v1.h"
#include "kubelet/cri.h"
#include "kubelet/node_config.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::kubelet {

inline constexpr std::string_view kKubeletVersion = "v1.37.2";

// From /proc and the file system.
std::map<std::string, api::Quantity> nodeCapacity(const std::string& rootDir, int maxPods);
std::map<std::string, api::Quantity> nodeAllocatable(const std::map<std::string, api::Quantity>& capacity,
                                                     const std::vector<Threshold>& thresholds);
api::core::v1::NodeSystemInfo nodeSystemInfo(std::string_view runtimeName, std::string_view runtimeVersion);
int64_t memInfoBytes(std::string_view name);  // "MemTotal:" of /proc/meminfo; 0: not there
std::string machineArchitecture();  // "amd64"

class NodeAgent {
 public:
  NodeAgent(const NodeConfig& config, client::Client& api, cri::Client& runtime)
      : config_(config), api_(api), runtime_(runtime) {}
  ~NodeAgent() { stop(); }

  Status registerNode();  // creates the object, or brings an old one up to date
  void start();           // heartbeats
  void stop();
  void setNetworkReady(bool ready);  // changes the Ready condition at once
  void setPressure(bool memory, bool disk);  // likewise the pressure conditions
  void setPort(uint16_t port) { port_ = port; }
  // Blocks until the node has a podCIDR, or the stop.
  std::string awaitPodCidr();
  const std::string& knownPodCidr() const { return podCidr_; }  // when the node was registered; or ""

 private:
  api::core::v1::NodeStatus currentStatus(const api::core::v1::NodeStatus& before);
  void beat();
  Status renewLease();
  Status reportStatus(bool force);

  const NodeConfig& config_;
  client::Client& api_;
  cri::Client& runtime_;
  rt::StopSignal stop_;
  std::string podCidr_;
  std::atomic<bool> networkReady_{false}, memoryPressure_{false}, diskPressure_{false};
  std::atomic<uint16_t> port_{0};
  std::mutex mutex_;  // guards what follows; held over the API call, so that reports do not overtake each other
  api::core::v1::NodeStatus reported_;
  SteadyTime reportedAt_{};
  rt::Thread thread_;
};

}  // namespace skiff::kubelet
