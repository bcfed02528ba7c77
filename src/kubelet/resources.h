// Requests and limits as the kernel takes them, QoS classes, and the pods' cgroups (cgroupfs driver, v1 and v2).
//
//   <cgroupRoot>/kubepods/pod<uid>             Guaranteed
//   <cgroupRoot>/kubepods/burstable/pod<uid>   Burstable
//   <cgroupRoot>/kubepods/besteffort/pod<uid>  BestEffort
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "gen/core_v1.h"
#include "kubelet/cri_messages.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

using ResourceList = std::map<std::string, api::Quantity>;

std::string qosClassOf(const Pod& pod);  // Guaranteed, Burstable, BestEffort
int64_t cpuShares(int64_t milliCpu);     // 2 .. 262144
int64_t cpuQuota(int64_t milliCpu);      // microseconds in 100 ms; 0: no limit
int64_t oomScoreAdj(const Pod& pod, const Container& container, int64_t nodeMemory);
cri::LinuxContainerResources linuxResources(const Pod& pod, const Container& container, int64_t nodeMemory);
// What the scheduler counts: the most that init phase or running containers ask for, plus overhead.
ResourceList podRequests(const Pod& pod);

class Cgroups {
 public:
  explicit Cgroups(std::string root, std::string mountPoint = "/sys/fs/cgroup");
  bool isV2() const { return v2_; }
  std::string podCgroup(const Pod& pod) const;  // "/kubepods/burstable/pod..." below the mount
  Status ensureTop(int64_t milliCpu);           // kubepods and the QoS levels
  Status ensurePod(const Pod& pod);             // creates it, or brings its limits up to date
  void removePod(std::string_view uid);         // wherever it is; kills what is left inside
  void removeEmptyPod(std::string_view uid);    // leaves one alone that has processes: it may be another instance's
  std::vector<std::string> podUids() const;     // that have a cgroup

 private:
  std::vector<std::string> hierarchies() const;  // folders of the controllers (v1), or the one of v2
  Status ensureDir(const std::string& cgroup) const;
  Status apply(const std::string& cgroup, int64_t shares, int64_t quota, int64_t memory) const;
  std::string root_;   // "" or "/a"
  std::string mount_;
  bool v2_;
};

}  // namespace skiff::kubelet
