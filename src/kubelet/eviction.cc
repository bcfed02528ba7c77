#include "kubelet/eviction.h"

#include <sys/statvfs.h>

#include "base/log.h"
#include "base/strings.h"
#include "kubelet/container_config.h"
#include "kubelet/files.h"
#include "kubelet/node_agent.h"
#include "kubelet/resources.h"

namespace skiff::kubelet {
namespace {

constexpr seconds kEvery{10};
constexpr seconds kVictimPatience{30};  // before the next one goes though the last has not ended

using ByContainer = std::map<std::string, std::map<std::string, int64_t>>;  // uid -> container -> bytes

ByContainer usageByContainer(cri::Client& runtime, bool memory) {
  ByContainer out;
  auto all = runtime.listContainerStats();
  if (!all.ok()) return out;
  for (const auto& stats : *all) {
    auto uid = stats.attributes.labels.find(labels::kPodUid);
    if (uid == stats.attributes.labels.end()) continue;
    const uint64_t bytes = memory ? stats.memory.workingSetBytes.value_or(0) : stats.writableLayer.usedBytes.value_or(0);
    out[uid->second][stats.attributes.metadata.name] += int64_t(bytes);
  }
  return out;
}

void addDisk(Levels& levels, const char* space, const char* inodes, const std::string& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) return;
  levels[space] = {int64_t(disk.f_bavail * disk.f_frsize), int64_t(disk.f_blocks * disk.f_frsize)};
  if (inodes != nullptr) levels[inodes] = {int64_t(disk.f_favail), int64_t(disk.f_files)};
}

}  // namespace

void EvictionManager::start() {
  thread_ = rt::Thread("kubelet-evict", [this] {
    while (!stop_.waitFor(kEvery)) look();
  });
}

void EvictionManager::stop() {
  stop_.raise();
  if (thread_.joinable()) thread_.join();
}

std::optional<std::string> EvictionManager::scarce() const {
  std::lock_guard lock(mutex_);
  if (memory_.active()) return "memory";
  if (disk_.active()) return "ephemeral-storage";
  return std::nullopt;
}

Levels EvictionManager::readLevels() const {
  Levels levels;
  // The kernel's own estimate of what can be had without swapping.
  levels["memory.available"] = {memInfoBytes("MemAvailable:"), memInfoBytes("MemTotal:")};
  addDisk(levels, "nodefs.available", "nodefs.inodesFree", d_.config.options.rootDir);
  const auto& options = d_.config.options;
  addDisk(levels, "imagefs.available", nullptr,
          options.containerRuntimeEndpoint.empty() ? options.runtimeDir : options.rootDir);
  return levels;
}

void EvictionManager::look() {
  enforceLocalLimits();
  Levels levels = readLevels();
  auto crossed = [&](bool memory) -> const Threshold* {
    for (const auto& t : d_.config.thresholds)
      if (t.isMemory() == memory && isCrossed(t, levels)) return &t;
    return nullptr;
  };
  const Threshold *memory = crossed(true), *disk = crossed(false);
  bool memoryPressure = false, diskPressure = false;
  {
    std::lock_guard lock(mutex_);
    const auto now = d_.config.clock->steadyNow();
    memory_.note(memory != nullptr, now);
    disk_.note(disk != nullptr, now);
    memoryPressure = memory_.active();
    diskPressure = disk_.active();
  }
  d_.tellNode(memoryPressure, diskPressure);
  if (memory == nullptr && disk == nullptr) return;
  if (lastVictimEnds()) return;
  if (memory != nullptr) {
    evictOne(*memory, levels.find(memory->signal)->second);
    return;
  }
  d_.removeUnusedImages();
  levels = readLevels();
  if (isCrossed(*disk, levels)) evictOne(*disk, levels.find(disk->signal)->second);
}

bool EvictionManager::lastVictimEnds() const {
  if (victim_.empty() || d_.config.clock->steadyNow() - evictedAt_ >= kVictimPatience) return false;
  auto view = d_.workers.findByUid(victim_);
  return view && view->runtime && view->runtime->anyRunning();
}

std::vector<Candidate> EvictionManager::candidates(const Threshold& threshold) const {
  const bool memory = threshold.isMemory();
  auto usage = usageByContainer(d_.cri, memory);
  std::vector<Candidate> out;
  for (const auto& view : d_.workers.all()) {
    if (isTerminal(view.status) || !view.runtime || !view.runtime->anyRunning()) continue;
    Candidate next;
    next.pod = view.pod;
    auto requests = podRequests(*view.pod);
    if (auto it = requests.find(memory ? "memory" : "ephemeral-storage"); it != requests.end()) next.request = it->second.value();
    auto& containers = usage[view.pod->metadata.uid];
    if (!memory) {
      auto local = localUsage(*view.pod, containers);
      for (const auto& [name, bytes] : local.emptyDirs) next.usage += bytes;
      containers = std::move(local.containers);
    }
    for (const auto& [name, bytes] : containers) {
      next.usage += bytes;
      next.containers.emplace_back(name, bytes);
    }
    out.push_back(std::move(next));
  }
  rankForEviction(out);
  return out;
}

void EvictionManager::evictOne(const Threshold& threshold, const Level& level) {
  auto ranked = candidates(threshold);
  if (ranked.empty()) {
    log::warn("The node is low on a resource, and there is no pod to evict", {{"resource", threshold.resource()}});
    return;
  }
  const Candidate& victim = ranked.front();
  log::warn("Evicting a pod", {{"pod", podKey(*victim.pod)}, {"resource", threshold.resource()}, {"available", level.available}});
  if (!d_.workers.evict(victim.pod->metadata.uid, evictionMessage(threshold, level, victim))) return;
  victim_ = victim.pod->metadata.uid;
  evictedAt_ = d_.config.clock->steadyNow();
}

LocalUsage EvictionManager::localUsage(const Pod& pod, const std::map<std::string, int64_t>& layers) const {
  LocalUsage out;
  for (const auto& v : pod.spec.volumes) {
    if (!v.emptyDir || !v.emptyDir->medium.empty()) continue;
    if (auto path = d_.volumes.pathOf(pod, v); path.ok()) out.emptyDirs[v.name] = int64_t(diskUsage(path->hostPath));
  }
  out.containers = layers;
  const std::string logs = podLogDir(d_.config, pod);
  for (const auto& name : listDir(logs)) out.containers[name] += int64_t(diskUsage(concat(logs, "/", name)));
  return out;
}

// Whoever outgrows a limit of its own goes, whether the node suffers or not.
void EvictionManager::enforceLocalLimits() {
  std::optional<ByContainer> layers;
  for (const auto& view : d_.workers.all()) {
    if (isTerminal(view.status) || !view.runtime || !view.runtime->anyRunning() || !limitsLocalStorage(*view.pod)) continue;
    if (!layers) layers = usageByContainer(d_.cri, false);
    auto fault = exceededLimit(*view.pod, localUsage(*view.pod, (*layers)[view.pod->metadata.uid]));
    if (fault && !isCritical(*view.pod)) d_.workers.evict(view.pod->metadata.uid, *fault);
  }
}

}  // namespace skiff::kubelet
