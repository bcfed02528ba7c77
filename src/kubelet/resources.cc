#include "kubelet/resources.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/strings.h"
#include "kubelet/files.h"
#include "rt/stop.h"

namespace skiff::kubelet {
namespace {

constexpr int64_t kPeriodUs = 100000;

int64_t amountOf(const ResourceList& list, const std::string& name, bool milli) {
  auto it = list.find(name);
  if (it == list.end()) return 0;
  return milli ? it->second.milliValue() : it->second.value();
}

void addTo(ResourceList& sum, const ResourceList& more) {
  for (const auto& [name, amount] : more) sum[name] += amount;
}

void raiseTo(ResourceList& sum, const ResourceList& other) {
  for (const auto& [name, amount] : other)
    if (auto& now = sum[name]; now < amount) now = amount;
}

// Pod-level sums over all containers that run at the same time.
struct PodLimits {
  int64_t milliCpu = 0, memory = 0;  // 0: some container has none
};

PodLimits limitsOf(const Pod& pod) {
  PodLimits sum;
  bool allCpu = true, allMemory = true;
  auto add = [&](const Container& c) {
    int64_t cpu = amountOf(c.resources.limits, "cpu", true), memory = amountOf(c.resources.limits, "memory", false);
    allCpu = allCpu && cpu > 0;
    allMemory = allMemory && memory > 0;
    sum.milliCpu += cpu;
    sum.memory += memory;
  };
  for (const auto& c : pod.spec.containers) add(c);
  int64_t initCpu = 0, initMemory = 0;
  for (const auto& c : pod.spec.initContainers) {
    if (isSidecar(c)) {
      add(c);
      continue;
    }
    initCpu = std::max(initCpu, amountOf(c.resources.limits, "cpu", true));
    initMemory = std::max(initMemory, amountOf(c.resources.limits, "memory", false));
    allCpu = allCpu && amountOf(c.resources.limits, "cpu", true) > 0;
    allMemory = allMemory && amountOf(c.resources.limits, "memory", false) > 0;
  }
  sum.milliCpu = allCpu ? std::max(sum.milliCpu, initCpu) : 0;
  sum.memory = allMemory ? std::max(sum.memory, initMemory) : 0;
  if (pod.spec.resources) {  // pod-level limits win
    if (int64_t cpu = amountOf(pod.spec.resources->limits, "cpu", true); cpu > 0) sum.milliCpu = cpu;
    if (int64_t memory = amountOf(pod.spec.resources->limits, "memory", false); memory > 0) sum.memory = memory;
  }
  return sum;
}

}  // namespace

std::string qosClassOf(const Pod& pod) {
  if (!pod.status.qosClass.empty()) return pod.status.qosClass;
  bool any = false, guaranteed = true;
  auto look = [&](const api::core::v1::ResourceRequirements& r) {
    for (const char* name : {"cpu", "memory"}) {
      auto request = r.requests.find(name), limit = r.limits.find(name);
      bool hasRequest = request != r.requests.end() && !request->second.isZero();
      bool hasLimit = limit != r.limits.end() && !limit->second.isZero();
      any = any || hasRequest || hasLimit;
      if (!hasLimit || (hasRequest && request->second != limit->second)) guaranteed = false;
    }
  };
  if (pod.spec.resources && !(pod.spec.resources->limits.empty() && pod.spec.resources->requests.empty())) {
    look(*pod.spec.resources);
  } else {
    for (const auto& c : pod.spec.initContainers) look(c.resources);
    for (const auto& c : pod.spec.containers) look(c.resources);
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

int64_t cpuShares(int64_t milliCpu) { return std::clamp<int64_t>(milliCpu * 1024 / 1000, 2, 262144); }

int64_t cpuQuota(int64_t milliCpu) {
  return milliCpu <= 0 ? 0 : std::max<int64_t>(milliCpu * kPeriodUs / 1000, 1000);  // the kernel's least is 1 ms
}

int64_t oomScoreAdj(const Pod& pod, const Container& container, int64_t nodeMemory) {
  if (pod.spec.priorityClassName == "system-node-critical") return -997;
  std::string qos = qosClassOf(pod);
  if (qos == "Guaranteed") return -997;
  if (qos == "BestEffort") return 1000;
  int64_t request = amountOf(container.resources.requests, "memory", false);
  if (nodeMemory <= 0) return 999;
  return std::clamp<int64_t>(1000 - int64_t(double(request) * 1000 / double(nodeMemory)), 3, 999);
}

cri::LinuxContainerResources linuxResources(const Pod& pod, const Container& container, int64_t nodeMemory) {
  cri::LinuxContainerResources out;
  const auto& r = container.resources;
  int64_t limit = amountOf(r.limits, "cpu", true);
  int64_t request = r.requests.contains("cpu") ? amountOf(r.requests, "cpu", true) : limit;
  out.cpuShares = cpuShares(request);
  out.cpuPeriod = kPeriodUs;
  out.cpuQuota = limit > 0 ? cpuQuota(limit) : -1;
  out.memoryLimitInBytes = amountOf(r.limits, "memory", false);
  out.oomScoreAdj = oomScoreAdj(pod, container, nodeMemory);
  return out;
}

ResourceList podRequests(const Pod& pod) {
  ResourceList running, init, sidecars;
  for (const auto& c : pod.spec.containers) addTo(running, c.resources.requests);
  for (const auto& c : pod.spec.initContainers) {
    if (isSidecar(c)) {
      addTo(running, c.resources.requests);
      addTo(sidecars, c.resources.requests);
      raiseTo(init, sidecars);
    } else {
      ResourceList phase = sidecars;
      addTo(phase, c.resources.requests);
      raiseTo(init, phase);
    }
  }
  raiseTo(running, init);
  if (pod.spec.resources)
    for (const auto& [name, amount] : pod.spec.resources->requests) running[name] = amount;
  addTo(running, pod.spec.overhead);
  return running;
}

Cgroups::Cgroups(std::string root, std::string mountPoint) : root_(std::move(root)), mount_(std::move(mountPoint)) {
  while (!root_.empty() && root_.back() == '/') root_.pop_back();
  if (!root_.empty() && root_[0] != '/') root_ = "/" + root_;
  v2_ = exists(mount_ + "/cgroup.controllers");
}

std::string Cgroups::podCgroup(const Pod& pod) const {
  std::string qos = qosClassOf(pod);
  std::string_view level = qos == "Guaranteed" ? "" : qos == "Burstable" ? "/burstable" : "/besteffort";
  return concat(root_, "/kubepods", level, "/pod", pod.metadata.uid);
}

std::vector<std::string> Cgroups::hierarchies() const {
  if (v2_) return {mount_};
  std::vector<std::string> out;
  std::set<std::pair<dev_t, ino_t>> seen;  // cpu and cpuacct may be links to one hierarchy
  for (const auto& name : listDir(mount_)) {
    std::string path = concat(mount_, "/", name);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !exists(path + "/cgroup.procs")) continue;
    if (seen.emplace(info.st_dev, info.st_ino).second) out.push_back(std::move(path));
  }
  return out;
}

Status Cgroups::ensureDir(const std::string& cgroup) const {
  if (!v2_) {
    // Only where we set limits: the runtime makes the rest itself.
    for (const char* controller : {"cpu", "memory"})
      if (isDirectory(concat(mount_, "/", controller))) TRY(makeDirs(concat(mount_, "/", controller, cgroup)));
    return okStatus();
  }
  // Each level must hand its controllers down before the next can use them.
  std::string path = mount_;
  for (std::string_view part : splitNonEmpty(cgroup, '/')) {
    for (const char* controller : {"+cpu", "+memory", "+pids", "+cpuset", "+io"}) {
      auto asked = writeFile(path + "/cgroup.subtree_control", controller);
      (void)asked;  // a controller that the machine lacks is no error
    }
    path += concat("/", part);
    TRY(makeDirs(path));
  }
  return okStatus();
}

Status Cgroups::apply(const std::string& cgroup, int64_t shares, int64_t quota, int64_t memory) const {
  if (v2_) {
    // The kernel's scale is 1..10000 where v1's is 2..262144.
    int64_t weight = 1 + (std::clamp<int64_t>(shares, 2, 262144) - 2) * 9999 / 262142;
    const std::string dir = mount_ + cgroup;
    TRY(writeFile(dir + "/cpu.weight", std::to_string(weight)));
    TRY(writeFile(dir + "/cpu.max", quota > 0 ? concat(quota, " ", kPeriodUs) : concat("max ", kPeriodUs)));
    return writeFile(dir + "/memory.max", memory > 0 ? std::to_string(memory) : "max");
  }
  if (const std::string cpu = concat(mount_, "/cpu", cgroup); isDirectory(cpu)) {
    TRY(writeFile(cpu + "/cpu.shares", std::to_string(shares)));
    if (exists(cpu + "/cpu.cfs_quota_us")) {
      TRY(writeFile(cpu + "/cpu.cfs_period_us", std::to_string(kPeriodUs)));
      TRY(writeFile(cpu + "/cpu.cfs_quota_us", std::to_string(quota > 0 ? quota : -1)));
    }
  }
  if (const std::string dir = concat(mount_, "/memory", cgroup); isDirectory(dir))
    TRY(writeFile(dir + "/memory.limit_in_bytes", std::to_string(memory > 0 ? memory : -1)));
  return okStatus();
}

Status Cgroups::ensureTop(int64_t milliCpu) {
  TRY(ensureDir(root_ + "/kubepods/burstable"));
  TRY(ensureDir(root_ + "/kubepods/besteffort"));
  TRY(apply(root_ + "/kubepods", cpuShares(milliCpu), 0, 0));
  return apply(root_ + "/kubepods/besteffort", 2, 0, 0);
}

Status Cgroups::ensurePod(const Pod& pod) {
  const std::string cgroup = podCgroup(pod);
  TRY(ensureDir(cgroup));
  PodLimits limits = limitsOf(pod);
  return apply(cgroup, cpuShares(amountOf(podRequests(pod), "cpu", true)), cpuQuota(limits.milliCpu), limits.memory);
}

void Cgroups::removePod(std::string_view uid) {
  for (const auto& hierarchy : hierarchies()) {
    for (std::string_view level : {"", "/burstable", "/besteffort"}) {
      const std::string dir = concat(hierarchy, root_, "/kubepods", level, "/pod", uid);
      if (!isDirectory(dir)) continue;
      // A cgroup that just lost its last process stays busy for a moment.
      for (int attempt = 0; attempt < 50; ++attempt) {
        for (const auto& child : listDir(dir)) {
          const std::string path = concat(dir, "/", child);
          if (!isDirectory(path)) continue;
          if (auto pids = readFile(path + "/cgroup.procs"); pids.ok()) {
            for (std::string_view line : splitNonEmpty(*pids, '\n'))
              if (auto pid = parseInt(line); pid && *pid > 1) ::kill(pid_t(*pid), SIGKILL);
          }
          ::rmdir(path.c_str());
        }
        if (::rmdir(dir.c_str()) == 0 || errno == ENOENT) break;
        if (attempt == 49) log::warn("Could not remove the pod's cgroup", {{"cgroup", dir}});
        rt::StopSignal().waitFor(milliseconds(10));
      }
    }
  }
}

void Cgroups::removeEmptyPod(std::string_view uid) {
  for (const auto& hierarchy : hierarchies()) {
    for (std::string_view level : {"", "/burstable", "/besteffort"}) {
      const std::string dir = concat(hierarchy, root_, "/kubepods", level, "/pod", uid);
      for (const auto& child : listDir(dir)) ::rmdir(concat(dir, "/", child).c_str());
      ::rmdir(dir.c_str());
    }
  }
}

std::vector<std::string> Cgroups::podUids() const {
  std::set<std::string> uids;
  for (const auto& hierarchy : hierarchies())
    for (std::string_view level : {"", "/burstable", "/besteffort"})
      for (const auto& name : listDir(concat(hierarchy, root_, "/kubepods", level)))
        if (name.starts_with("pod")) uids.insert(name.substr(3));
  return {uids.begin(), uids.end()};
}

}  // namespace skiff::kubelet
