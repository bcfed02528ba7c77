#include "kubelet/node_agent.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"
#include "gen/coordination_v1.h"
#include "kubelet/files.h"

namespace skiff::kubelet {
namespace {

using api::core::v1::Node;
using api::core::v1::NodeCondition;
using api::core::v1::NodeStatus;

// Upstream's numbers: leases every 10 s that last 40 s, a status at least every 5 minutes.
constexpr seconds kHeartbeat{10};
constexpr int32_t kLeaseSeconds = 40;
constexpr seconds kStatusEvery{300};
constexpr size_t kMaxImages = 50;  // in the status

std::string fileLine(const std::string& path) { return std::string(trim(readFile(path).valueOr(""))); }

std::string osName() {
  auto text = readFile("/etc/os-release");
  if (!text.ok()) return "Linux";
  for (std::string_view line : split(*text, '\n'))
    if (line.starts_with("PRETTY_NAME=")) return replaceAll(line.substr(12), "\"", "");
  return "Linux";
}

void setCondition(NodeStatus& status, const NodeStatus& before, std::string type, bool value, std::string reason,
                  std::string message, WallTime now) {
  NodeCondition next;
  next.type = std::move(type);
  next.status = value ? "True" : "False";
  next.reason = std::move(reason);
  next.message = std::move(message);
  next.lastHeartbeatTime.value = std::chrono::floor<seconds>(now);
  next.lastTransitionTime = next.lastHeartbeatTime;
  for (const auto& old : before.conditions)
    if (old.type == next.type && old.status == next.status) next.lastTransitionTime = old.lastTransitionTime;
  status.conditions.push_back(std::move(next));
}

// Equal but for the heartbeat times.
bool sameStatus(NodeStatus a, NodeStatus b) {
  for (auto* s : {&a, &b})
    for (auto& c : s->conditions) c.lastHeartbeatTime = {};
  return api::equal(a, b);
}

}  // namespace

int64_t memInfoBytes(std::string_view name) {
  auto text = readFile("/proc/meminfo");
  if (!text.ok()) return 0;
  for (std::string_view line : split(*text, '\n')) {
    if (!line.starts_with(name)) continue;
    auto words = splitNonEmpty(line, ' ');
    if (words.size() > 1) return parseInt(words[1]).value_or(0) * 1024;
  }
  return 0;
}

std::string machineArchitecture() {
  utsname name{};
  ::uname(&name);
  std::string_view machine = name.machine;
  return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : std::string(machine);
}

std::map<std::string, api::Quantity> nodeCapacity(const std::string& rootDir, int maxPods) {
  std::map<std::string, api::Quantity> out;
  using Format = api::Quantity::Format;
  out["cpu"] = api::Quantity::of(::sysconf(_SC_NPROCESSORS_ONLN));
  out["memory"] = api::Quantity::of(memInfoBytes("MemTotal:"), Format::BinarySI);
  out["pods"] = api::Quantity::of(maxPods);
  for (const auto& name : listDir("/sys/kernel/mm/hugepages")) {  // "hugepages-2048kB"
    auto kib = parseInt(std::string_view(name).substr(10, name.size() - 12));
    auto pages = parseInt(fileLine(concat("/sys/kernel/mm/hugepages/", name, "/nr_hugepages")));
    if (!kib || !pages) continue;
    out["hugepages-" + api::Quantity::of(*kib * 1024, Format::BinarySI).str()] =
        api::Quantity::of(*pages * *kib * 1024, Format::BinarySI);
  }
  struct statvfs disk {};
  if (::statvfs(rootDir.c_str(), &disk) == 0)
    out["ephemeral-storage"] = api::Quantity::of(int64_t(disk.f_blocks * disk.f_frsize / 1024 * 1024), Format::BinarySI);
  return out;
}

std::map<std::string, api::Quantity> nodeAllocatable(const std::map<std::string, api::Quantity>& capacity,
                                                     const std::vector<Threshold>& thresholds) {
  auto out = capacity;
  using Format = api::Quantity::Format;
  auto reserve = [&](std::string_view signal, const char* resource, Format format) {
    auto whole = out.find(resource);
    if (whole == out.end()) return;
    const int64_t bytes = whole->second.value();
    for (const auto& t : thresholds)
      if (t.signal == signal) whole->second = api::Quantity::of(std::max<int64_t>(0, bytes - t.of(bytes)), format);
  };
  reserve("memory.available", "memory", Format::BinarySI);
  reserve("nodefs.available", "ephemeral-storage", Format::DecimalSI);
  return out;
}

api::core::v1::NodeSystemInfo nodeSystemInfo(std::string_view runtimeName, std::string_view runtimeVersion) {
  utsname name{};
  ::uname(&name);
  api::core::v1::NodeSystemInfo out;
  out.machineID = fileLine("/etc/machine-id");
  out.systemUUID = fileLine("/sys/class/dmi/id/product_uuid");
  if (out.systemUUID.empty()) out.systemUUID = out.machineID;
  out.bootID = fileLine("/proc/sys/kernel/random/boot_id");
  out.kernelVersion = name.release;
  out.osImage = osName();
  out.containerRuntimeVersion = concat(runtimeName, "://", runtimeVersion);
  out.kubeletVersion = std::string(kKubeletVersion);
  out.operatingSystem = "linux";
  out.architecture = machineArchitecture();
  return out;
}

NodeStatus NodeAgent::currentStatus(const NodeStatus& before) {
  NodeStatus out;
  const auto now = config_.clock->now();
  out.capacity = nodeCapacity(config_.options.rootDir, config_.options.maxPods);
  out.allocatable = nodeAllocatable(out.capacity, config_.thresholds);
  for (const auto& ip : config_.nodeIps) out.addresses.push_back({"InternalIP", ip});
  out.addresses.push_back({"Hostname", config_.options.nodeName});
  out.daemonEndpoints.kubeletEndpoint.Port = port_;
  auto version = runtime_.version(seconds(5));
  out.nodeInfo = version.ok() ? nodeSystemInfo(version->runtimeName, version->runtimeVersion) : before.nodeInfo;
  const bool memory = memoryPressure_, disk = diskPressure_;
  setCondition(out, before, "MemoryPressure", memory, memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
               memory ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available", now);
  setCondition(out, before, "DiskPressure", disk, disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
               disk ? "kubelet has disk pressure" : "kubelet has no disk pressure", now);
  setCondition(out, before, "PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available", now);
  if (!version.ok()) {
    setCondition(out, before, "Ready", false, "KubeletNotReady", concat("container runtime is down: ", version.error().message()), now);
  } else if (!networkReady_) {
    setCondition(out, before, "Ready", false, "KubeletNotReady", "container runtime network not ready: the node has no pod CIDR yet", now);
  } else {
    setCondition(out, before, "Ready", true, "KubeletReady", "kubelet is posting ready status", now);
  }
  if (auto images = runtime_.listImages(); images.ok()) {
    std::sort(images->begin(), images->end(), [](const auto& a, const auto& b) { return a.size > b.size; });
    for (const auto& image : *images) {
      if (out.images.size() == kMaxImages) break;
      api::core::v1::ContainerImage next;
      for (const auto* names : {&image.repoDigests, &image.repoTags})
        for (const auto& name : *names) next.names.push_back(name);
      next.sizeBytes = int64_t(image.size);
      if (!next.names.empty()) out.images.push_back(std::move(next));
    }
  }
  return out;
}

Status NodeAgent::registerNode() {
  Node node;
  node.metadata.name = config_.options.nodeName;
  const std::string arch = machineArchitecture();
  node.metadata.labels = {{"kubernetes.io/hostname", node.metadata.name}, {"kubernetes.io/os", "linux"},
                          {"kubernetes.io/arch", arch},                    {"beta.kubernetes.io/os", "linux"},
                          {"beta.kubernetes.io/arch", arch}};
  for (const auto& label : config_.options.nodeLabels)
    if (auto parts = cut(label, "=")) node.metadata.labels[std::string(parts->first)] = std::string(parts->second);
  node.metadata.annotations["volumes.kubernetes.io/controller-managed-attach-detach"] = "true";
  for (const auto& text : config_.options.registerWithTaints) {  // key=value:effect
    auto parts = cut(text, ":");
    if (!parts) return badRequest(concat("not a taint: ", text));
    api::core::v1::Taint taint;
    auto pair = cut(parts->first, "=");
    taint.key = std::string(pair ? pair->first : parts->first);
    taint.value = std::string(pair ? pair->second : std::string_view());
    taint.effect = std::string(parts->second);
    node.spec.taints.push_back(std::move(taint));
  }
  std::lock_guard lock(mutex_);
  node.status = currentStatus({});
  auto made = api_.create(node);
  if (made.ok()) {
    reported_ = node.status;
    reportedAt_ = config_.clock->steadyNow();
    return okStatus();
  }
  if (!made.failedWith(Reason::AlreadyExists)) return std::move(made).error();
  auto updated = client::updateWithRetry<Node>(api_, "", node.metadata.name, [&](Node& old) {
    reported_ = old.status;
    auto labels = old.metadata.labels;
    for (const auto& [key, value] : node.metadata.labels) labels[key] = value;
    bool same = labels == old.metadata.labels;
    old.metadata.labels = std::move(labels);
    return !same;
  });
  if (!updated.ok()) return std::move(updated).error();
  podCidr_ = updated->spec.podCIDR;
  reportedAt_ = {};
  return okStatus();
}

void NodeAgent::start() {
  thread_ = rt::Thread("kubelet-node", [this] {
    beat();
    while (!stop_.waitFor(kHeartbeat)) beat();
  });
}

void NodeAgent::stop() {
  stop_.raise();
  if (thread_.joinable()) thread_.join();
}

void NodeAgent::setNetworkReady(bool ready) {
  networkReady_ = ready;
  if (auto done = reportStatus(false); !done.ok()) log::warn("Could not report the node's status", {{"err", done.error().message()}});
}

void NodeAgent::setPressure(bool memory, bool disk) {
  bool same = memoryPressure_.exchange(memory) == memory;
  if (diskPressure_.exchange(disk) == disk && same) return;
  if (auto done = reportStatus(false); !done.ok()) log::warn("Could not report the node's status", {{"err", done.error().message()}});
}

std::string NodeAgent::awaitPodCidr() {
  milliseconds wait(50);
  while (!stop_.raised()) {
    auto node = api_.get<Node>("", config_.options.nodeName);
    if (node.ok() && !node->spec.podCIDR.empty()) return node->spec.podCIDR;
    stop_.waitFor(wait);
    wait = std::min(wait * 2, milliseconds(2000));
  }
  return {};
}

void NodeAgent::beat() {
  if (auto done = renewLease(); !done.ok()) log::warn("Could not renew the node's lease", {{"err", done.error().message()}});
  if (auto done = reportStatus(false); !done.ok()) log::warn("Could not report the node's status", {{"err", done.error().message()}});
}

Status NodeAgent::renewLease() {
  using api::coordination::v1::Lease;
  constexpr std::string_view ns = "kube-node-lease";
  const std::string& name = config_.options.nodeName;
  api::MicroTime now{config_.clock->now()};
  auto lease = api_.get<Lease>(ns, name);
  if (lease.ok()) {
    lease->spec.holderIdentity = name;
    lease->spec.leaseDurationSeconds = kLeaseSeconds;
    lease->spec.renewTime = now;
    auto updated = api_.update(*lease);
    if (!updated.ok() && !updated.failedWith(Reason::Conflict)) return std::move(updated).error();
    return okStatus();
  }
  if (!lease.failedWith(Reason::NotFound)) return std::move(lease).error();
  Lease fresh;
  fresh.metadata.name = name;
  fresh.metadata.namespace_ = std::string(ns);
  if (auto node = api_.get<Node>("", name); node.ok()) {
    api::meta::v1::OwnerReference owner;
    owner.apiVersion = "v1";
    owner.kind = "Node";
    owner.name = name;
    owner.uid = node->metadata.uid;
    fresh.metadata.ownerReferences.push_back(std::move(owner));
  }
  fresh.spec.holderIdentity = name;
  fresh.spec.leaseDurationSeconds = kLeaseSeconds;
  fresh.spec.renewTime = now;
  auto made = api_.create(fresh);
  if (!made.ok()) return std::move(made).error();
  return okStatus();
}

Status NodeAgent::reportStatus(bool force) {
  std::lock_guard lock(mutex_);
  NodeStatus now = currentStatus(reported_);
  auto steady = config_.clock->steadyNow();
  bool due = steady - reportedAt_ >= kStatusEvery;
  if (!force && !due && sameStatus(now, reported_)) return okStatus();
  codec::Arena arena;
  codec::Value patch = codec::Value::map();
  codec::Value status = api::toValue(now, arena);
  patch.set(arena, "status", status);
  auto done = api_.patch<Node>("", config_.options.nodeName, client::PatchType::StrategicMerge, codec::toJson(patch),
                               {.subresource = "status"});
  if (!done.ok()) {
    // Someone deleted it: a node that runs belongs into the cluster.
    if (done.failedWith(Reason::NotFound)) reported_ = {};
    return std::move(done).error();
  }
  reported_ = std::move(now);
  reportedAt_ = steady;
  return okStatus();
}

}  // namespace skiff::kubelet
