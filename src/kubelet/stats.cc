#include "kubelet/stats.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include "base/strings.h"
#include "codec/json.h"
#include "kubelet/files.h"

namespace skiff::kubelet {
namespace {

using codec::Value;

struct NodeUsage {
  uint64_t cpuNanos = 0, memoryTotal = 0, memoryAvailable = 0;
};

NodeUsage nodeUsage() {
  NodeUsage out;
  if (auto text = readFile("/proc/stat"); text.ok()) {
    auto words = splitNonEmpty(std::string_view(*text).substr(0, text->find('\n')), ' ');
    uint64_t ticks = 0;
    for (size_t i = 1; i < words.size() && i <= 8; ++i)
      if (i != 4 && i != 5) ticks += parseUint(words[i]).value_or(0);  // but idle and iowait
    out.cpuNanos = ticks * (1000000000ull / uint64_t(::sysconf(_SC_CLK_TCK)));
  }
  if (auto text = readFile("/proc/meminfo"); text.ok()) {
    for (std::string_view line : split(*text, '\n')) {
      auto words = splitNonEmpty(line, ' ');
      if (words.size() < 2) continue;
      if (words[0] == "MemTotal:") out.memoryTotal = parseUint(words[1]).value_or(0) * 1024;
      if (words[0] == "MemAvailable:") out.memoryAvailable = parseUint(words[1]).value_or(0) * 1024;
    }
  }
  return out;
}

struct PodUsage {
  std::string ns, name, uid;
  std::vector<cri::ContainerStats> containers;
};

Result<std::map<std::string, PodUsage>> podUsage(cri::Client& runtime) {
  std::map<std::string, PodUsage> out;
  for (auto& stats : TRY(runtime.listContainerStats())) {
    auto label = [&](const char* key) {
      auto it = stats.attributes.labels.find(key);
      return it == stats.attributes.labels.end() ? std::string() : it->second;
    };
    const std::string uid = label(labels::kPodUid);
    if (uid.empty()) continue;
    auto& pod = out[uid];
    pod.uid = uid;
    pod.name = label(labels::kPodName);
    pod.ns = label(labels::kPodNamespace);
    pod.containers.push_back(std::move(stats));
  }
  return out;
}

class JsonBuilder {
 public:
  Value text(std::string_view value) { return Value::text(arena_, value); }
  static Value number(uint64_t value) { return Value::integer(int64_t(value)); }
  Value map(std::initializer_list<std::pair<std::string_view, Value>> members) {
    Value out = Value::map();
    for (const auto& [key, value] : members)
      if (!value.isNull()) out.set(arena_, key, value);
    return out;
  }
  codec::Arena& arena() { return arena_; }

 private:
  codec::Arena arena_;
};

Value fsStats(JsonBuilder& json, std::string_view time, const std::string& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) return Value::null();
  return json.map({{"time", json.text(time)},
                   {"availableBytes", JsonBuilder::number(disk.f_bavail * disk.f_frsize)},
                   {"capacityBytes", JsonBuilder::number(disk.f_blocks * disk.f_frsize)},
                   {"usedBytes", JsonBuilder::number((disk.f_blocks - disk.f_bfree) * disk.f_frsize)},
                   {"inodesFree", JsonBuilder::number(disk.f_ffree)},
                   {"inodes", JsonBuilder::number(disk.f_files)},
                   {"inodesUsed", JsonBuilder::number(disk.f_files - disk.f_ffree)}});
}

}  // namespace

Result<std::string> statsSummaryJson(const NodeConfig& config, cri::Client& runtime, const PodWorkers& workers) {
  JsonBuilder json;
  const std::string time = formatRfc3339(config.clock->now());
  NodeUsage node = nodeUsage();
  Value fs = fsStats(json, time, config.options.rootDir);
  Value pods = Value::list();
  for (const auto& [uid, pod] : TRY(podUsage(runtime))) {
    Value containers = Value::list();
    uint64_t cpu = 0, memory = 0;
    for (const auto& c : pod.containers) {
      cpu += c.cpu.usageCoreNanoSeconds.value_or(0);
      memory += c.memory.workingSetBytes.value_or(0);
      containers.push(json.arena(),
                      json.map({{"name", json.text(c.attributes.metadata.name)},
                                {"cpu", json.map({{"time", json.text(time)},
                                                  {"usageCoreNanoSeconds", JsonBuilder::number(c.cpu.usageCoreNanoSeconds.value_or(0))}})},
                                {"memory", json.map({{"time", json.text(time)},
                                                     {"workingSetBytes", JsonBuilder::number(c.memory.workingSetBytes.value_or(0))}})},
                                {"rootfs", json.map({{"time", json.text(time)},
                                                     {"usedBytes", JsonBuilder::number(c.writableLayer.usedBytes.value_or(0))}})}}));
    }
    std::string start;
    if (auto view = workers.findByUid(uid); view && view->status.startTime) start = formatRfc3339(view->status.startTime->value);
    pods.push(json.arena(),
              json.map({{"podRef", json.map({{"name", json.text(pod.name)}, {"namespace", json.text(pod.ns)}, {"uid", json.text(uid)}})},
                        {"startTime", start.empty() ? Value::null() : json.text(start)},
                        {"containers", containers},
                        {"cpu", json.map({{"time", json.text(time)}, {"usageCoreNanoSeconds", JsonBuilder::number(cpu)}})},
                        {"memory", json.map({{"time", json.text(time)}, {"workingSetBytes", JsonBuilder::number(memory)}})}}));
  }
  Value summary = json.map(
      {{"node", json.map({{"nodeName", json.text(config.options.nodeName)},
                          {"cpu", json.map({{"time", json.text(time)}, {"usageCoreNanoSeconds", JsonBuilder::number(node.cpuNanos)}})},
                          {"memory", json.map({{"time", json.text(time)},
                                               {"availableBytes", JsonBuilder::number(node.memoryAvailable)},
                                               {"workingSetBytes", JsonBuilder::number(node.memoryTotal - node.memoryAvailable)}})},
                          {"fs", fs}})},
       {"pods", pods}});
  return codec::toJson(summary);
}

Result<std::string> resourceMetrics(const NodeConfig& config, cri::Client& runtime, const PodWorkers& workers) {
  (void)workers;
  (void)config;
  NodeUsage node = nodeUsage();
  std::string out;
  auto head = [&out](std::string_view name, std::string_view type, std::string_view help) {
    out += concat("# HELP ", name, " [STABLE] ", help, "\n# TYPE ", name, " ", type, "\n");
  };
  auto secondsText = [](uint64_t nanos) {
    std::string micro = std::to_string(nanos / 1000 % 1000000);
    return concat(nanos / 1000000000, ".", std::string(6 - micro.size(), '0'), micro);
  };
  head("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds");
  out += concat("node_cpu_usage_seconds_total ", secondsText(node.cpuNanos), "\n");
  head("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes");
  out += concat("node_memory_working_set_bytes ", node.memoryTotal - node.memoryAvailable, "\n");
  auto pods = TRY(podUsage(runtime));
  std::string cpu, memory;
  for (const auto& [uid, pod] : pods) {
    for (const auto& c : pod.containers) {
      const std::string who = concat("{container=", quoted(c.attributes.metadata.name), ",namespace=", quoted(pod.ns),
                                     ",pod=", quoted(pod.name), "} ");
      cpu += concat("container_cpu_usage_seconds_total", who, secondsText(c.cpu.usageCoreNanoSeconds.value_or(0)), "\n");
      memory += concat("container_memory_working_set_bytes", who, c.memory.workingSetBytes.value_or(0), "\n");
    }
  }
  head("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the container in core-seconds");
  out += cpu;
  head("container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes");
  out += memory;
  return out;
}

}  // namespace skiff::kubelet
