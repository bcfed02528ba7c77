#include "kubelet/runtime.h"

#include <algorithm>

#include "base/strings.h"
#include "kubelet/container_logs.h"
#include "kubelet/files.h"

namespace skiff::kubelet {
namespace {

constexpr size_t kMessageLimit = 4096;        // upstream's limits for termination messages
constexpr size_t kLogFallbackBytes = 2048;
constexpr size_t kLogFallbackLines = 80;

std::string valueOf(const std::map<std::string, std::string>& map, const char* key) {
  auto it = map.find(key);
  return it == map.end() ? std::string() : it->second;
}

template <class C>
RuntimeContainer basics(const C& from) {
  RuntimeContainer out;
  out.id = from.id;
  out.name = valueOf(from.labels, labels::kContainerName);
  out.state = from.state;
  out.attempt = int(from.metadata.attempt);
  out.createdAt = from.createdAt;
  out.hash = valueOf(from.annotations, labels::kHash);
  out.restartCount = int(parseInt(valueOf(from.annotations, labels::kRestartCount)).value_or(out.attempt));
  out.imageRef = from.imageRef;
  out.image = from.image.image;
  return out;
}

RuntimeSandbox basics(const cri::PodSandbox& from) {
  RuntimeSandbox out;
  out.id = from.id;
  out.ready = from.state == cri::PodSandboxState::Ready;
  out.attempt = from.metadata.attempt;
  out.createdAt = from.createdAt;
  return out;
}

// The last lines of a container's log without the runtime's own prefix ("time stream tag ").
std::string logTail(const std::string& path) {
  auto text = readTail(path, 64 * 1024);
  if (!text.ok()) return {};
  auto lines = splitNonEmpty(*text, '\n');
  if (lines.size() > kLogFallbackLines) lines.erase(lines.begin(), lines.end() - kLogFallbackLines);
  std::string out;
  for (std::string_view line : lines) {
    auto parsed = parseLogLine(line);
    if (parsed) out += concat(parsed->text, parsed->partial ? "" : "\n");
  }
  if (out.size() > kLogFallbackBytes) out.erase(0, out.size() - kLogFallbackBytes);
  return out;
}

std::string terminationMessage(const cri::ContainerStatus& status) {
  const std::string inside = valueOf(status.annotations, labels::kMessagePath);
  std::string text;
  for (const auto& mount : status.mounts)
    if (mount.containerPath == inside) text = readFile(mount.hostPath, kMessageLimit).valueOr("");
  if (text.empty() && status.exitCode != 0 && valueOf(status.annotations, labels::kMessagePolicy) == "FallbackToLogsOnError")
    text = logTail(status.logPath);
  return text;
}

template <class T>
void newestFirst(std::vector<T>& items) {
  std::sort(items.begin(), items.end(), [](const T& a, const T& b) { return a.createdAt > b.createdAt; });
}

}  // namespace

WallTime fromNanos(int64_t nanos) {
  return nanos <= 0 ? WallTime{} : WallTime(microseconds(nanos / 1000));
}

const RuntimeContainer* RuntimePod::latest(std::string_view container) const {
  for (const auto& c : containers)
    if (c.name == container) return &c;
  return nullptr;
}
const RuntimeContainer* RuntimePod::previous(std::string_view container) const {
  const RuntimeContainer* newest = nullptr;
  for (const auto& c : containers) {
    if (c.name != container) continue;
    if (newest != nullptr) return &c;
    newest = &c;
  }
  return nullptr;
}
const RuntimeContainer* RuntimePod::byId(std::string_view id) const {
  for (const auto& c : containers)
    if (c.id == id) return &c;
  return nullptr;
}
const RuntimeSandbox* RuntimePod::readySandbox() const {
  return !sandboxes.empty() && sandboxes[0].ready ? &sandboxes[0] : nullptr;
}
bool RuntimePod::anyRunning() const {
  return std::any_of(containers.begin(), containers.end(), [](const auto& c) { return c.running(); });
}

Status RuntimeReader::fillDetails(RuntimeContainer& container) {
  if (container.exited()) {
    std::lock_guard lock(mutex_);
    if (auto it = exited_.find(container.id); it != exited_.end()) {
      std::string sandbox = std::move(container.sandboxId);
      container = it->second;
      container.sandboxId = std::move(sandbox);
      return okStatus();
    }
  }
  cri::ContainerStatus status = TRY(client_.containerStatus(container.id));
  container.state = status.state;
  container.startedAt = status.startedAt;
  container.finishedAt = status.finishedAt;
  container.exitCode = status.exitCode;
  container.reason = status.reason;
  container.message = status.message;
  container.logPath = status.logPath;
  if (!status.image.image.empty()) container.image = status.image.image;
  container.imageRef = status.imageRef;
  if (status.resources) container.resources = status.resources->linux;
  if (container.exited()) {
    container.messageText = terminationMessage(status);
    std::lock_guard lock(mutex_);
    exited_[container.id] = container;
  }
  return okStatus();
}

Result<RuntimePod> RuntimeReader::pod(std::string_view uid) {
  RuntimePod out;
  out.uid = std::string(uid);
  cri::PodSandboxFilter sandboxFilter;
  sandboxFilter.labelSelector[labels::kPodUid] = out.uid;
  for (const auto& sandbox : TRY(client_.listPodSandboxes(sandboxFilter))) {
    out.name = sandbox.metadata.name;
    out.ns = sandbox.metadata.ns;
    out.sandboxes.push_back(basics(sandbox));
  }
  newestFirst(out.sandboxes);
  if (!out.sandboxes.empty()) {
    auto status = client_.podSandboxStatus(out.sandboxes[0].id);
    if (!status.ok() && !status.failedWith(Reason::NotFound)) return std::move(status).error();
    if (status.ok()) {
      auto& newest = out.sandboxes[0];
      const auto& s = status->status;
      newest.ready = s.state == cri::PodSandboxState::Ready;
      newest.hostNetwork = s.linux.namespaces.options && s.linux.namespaces.options->network == cri::NamespaceMode::Node;
      if (s.network && !s.network->ip.empty()) {
        newest.ips.push_back(s.network->ip);
        for (const auto& more : s.network->additionalIps) newest.ips.push_back(more.ip);
      }
    }
  }
  cri::ContainerFilter filter;
  filter.labelSelector[labels::kPodUid] = out.uid;
  for (const auto& container : TRY(client_.listContainers(filter))) {
    RuntimeContainer next = basics(container);
    next.sandboxId = container.podSandboxId;
    if (auto filled = fillDetails(next); !filled.ok()) {
      if (filled.failedWith(Reason::NotFound)) continue;  // removed in between
      return std::move(filled).error();
    }
    out.containers.push_back(std::move(next));
  }
  newestFirst(out.containers);
  return out;
}

Result<std::map<std::string, RuntimePod>> RuntimeReader::allPods() {
  std::map<std::string, RuntimePod> pods;
  for (const auto& sandbox : TRY(client_.listPodSandboxes())) {
    auto& pod = pods[sandbox.metadata.uid];
    pod.uid = sandbox.metadata.uid;
    pod.name = sandbox.metadata.name;
    pod.ns = sandbox.metadata.ns;
    pod.sandboxes.push_back(basics(sandbox));
  }
  for (const auto& container : TRY(client_.listContainers())) {
    const std::string uid = valueOf(container.labels, labels::kPodUid);
    if (uid.empty()) continue;
    auto& pod = pods[uid];
    pod.uid = uid;
    pod.name = valueOf(container.labels, labels::kPodName);
    pod.ns = valueOf(container.labels, labels::kPodNamespace);
    RuntimeContainer next = basics(container);
    next.sandboxId = container.podSandboxId;
    pod.containers.push_back(std::move(next));
  }
  for (auto& [uid, pod] : pods) {
    newestFirst(pod.sandboxes);
    newestFirst(pod.containers);
  }
  return pods;
}

void RuntimeReader::forget(std::string_view containerId) {
  std::lock_guard lock(mutex_);
  if (auto it = exited_.find(containerId); it != exited_.end()) exited_.erase(it);
}

}  // namespace skiff::kubelet
