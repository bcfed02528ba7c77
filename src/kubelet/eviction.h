// Keeps the node alive when memory or disk run out: looks every ten seconds, tells the node's conditions (whose taints keep
// new pods away), takes back what nobody uses, and then ends one pod at a time.
#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kubelet/cri.h"
#include "kubelet/eviction_rules.h"
#include "kubelet/node_config.h"
#include "kubelet/pod_workers.h"
#include "rt/executor.h"
#include "rt/stop.h"

namespace skiff::kubelet {

class EvictionManager {
 public:
  struct Deps {
    const NodeConfig& config;
    cri::Client& cri;
    PodWorkers& workers;
    VolumeManager& volumes;
    std::function<void(bool memory, bool disk)> tellNode;
    std::function<void()> removeUnusedImages;
  };
  explicit EvictionManager(Deps deps) : d_(std::move(deps)) {}
  ~EvictionManager() { stop(); }
  void start();
  void stop();
  void look();  // one round

  // For admission: the resource that is scarce, memory before disk.
  std::optional<std::string> scarce() const;

 private:
  Levels readLevels() const;
  LocalUsage localUsage(const Pod& pod, const std::map<std::string, int64_t>& layers) const;
  void enforceLocalLimits();
  bool lastVictimEnds() const;
  void evictOne(const Threshold& threshold, const Level& level);
  std::vector<Candidate> candidates(const Threshold& threshold) const;

  Deps d_;
  mutable std::mutex mutex_;  // guards the pressures
  Pressure memory_, disk_;
  std::string victim_;        // the look's own, as is what follows
  SteadyTime evictedAt_{};
  rt::StopSignal stop_;
  rt::Thread thread_;
};

}  // namespace skiff::kubelet
