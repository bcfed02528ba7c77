// What node-pressure eviction decides, as pure functions: which thresholds are crossed, which pod goes first, what it is told.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

struct Threshold {
  std::string signal;            // memory.available, nodefs.available, nodefs.inodesFree, imagefs.available
  std::optional<int> percent;    // of the capacity; else:
  int64_t amount = 0;
  int64_t of(int64_t capacity) const { return percent ? capacity / 100 * *percent : amount; }
  // What people name and whose usage ranks the pods: memory, ephemeral-storage, inodes.
  std::string_view resource() const;
  bool isMemory() const { return signal == "memory.available"; }
};
// "memory.available<100Mi,nodefs.available<10%". Empty: no evictions.
Result<std::vector<Threshold>> parseThresholds(std::string_view text);

struct Level {
  int64_t available = 0, capacity = 0;
};
using Levels = std::map<std::string, Level, std::less<>>;  // by signal; a missing one is not known
bool isCrossed(const Threshold& threshold, const Levels& levels);

// A pressure, once seen, is told for five more minutes, so that the node does not flap.
class Pressure {
 public:
  void note(bool crossed, SteadyTime now);
  bool active() const { return active_; }

 private:
  bool active_ = false;
  SteadyTime lastSeen_{};
};

struct Candidate {
  PodPtr pod;
  int64_t usage = 0, request = 0;
  std::vector<std::pair<std::string, int64_t>> containers;  // usage by name
};
// Never chosen: static pods and those that the cluster cannot do without.
bool isCritical(const Pod& pod);
// Who goes first: those above their request, then the lower priority, then the larger excess.
void rankForEviction(std::vector<Candidate>& pods);

std::string evictionMessage(const Threshold& threshold, const Level& level, const Candidate& victim);

// What local storage a pod uses, in bytes, against the limits it set itself. The message of the first one it exceeds.
struct LocalUsage {
  std::map<std::string, int64_t> emptyDirs;   // by volume; those on disk
  std::map<std::string, int64_t> containers;  // writable layer and logs
};
bool limitsLocalStorage(const Pod& pod);
std::optional<std::string> exceededLimit(const Pod& pod, const LocalUsage& usage);

}  // namespace skiff::kubelet
