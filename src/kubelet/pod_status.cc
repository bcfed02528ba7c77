#include "kubelet/pod_status.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::kubelet {
namespace {

using api::core::v1::ContainerState;
using api::core::v1::ContainerStateTerminated;
using api::core::v1::ContainerStatus;
using api::core::v1::PodCondition;

api::Time timeOf(int64_t nanos) {
  // The API keeps whole seconds.
  return {std::chrono::floor<seconds>(fromNanos(nanos))};
}

ContainerStateTerminated terminatedOf(const RuntimeContainer& c) {
  ContainerStateTerminated out;
  out.exitCode = c.exitCode;
  out.reason = c.reason.empty() ? (c.exitCode == 0 ? "Completed" : "Error") : c.reason;
  out.message = c.messageText.empty() ? c.message : c.messageText;
  out.startedAt = timeOf(c.startedAt);
  out.finishedAt = timeOf(c.finishedAt);
  out.containerID = concat("containerd://", c.id);
  return out;
}

const ContainerStatus* find(const std::vector<ContainerStatus>& list, std::string_view name) {
  for (const auto& s : list)
    if (s.name == name) return &s;
  return nullptr;
}

const ContainerStatus* oldStatus(const Pod& pod, std::string_view name, ContainerKind kind) {
  const auto& s = pod.status;
  return find(kind == ContainerKind::Init      ? s.initContainerStatuses
              : kind == ContainerKind::Regular ? s.containerStatuses
                                               : s.ephemeralContainerStatuses,
              name);
}

class Builder {
 public:
  explicit Builder(const StatusInputs& in) : in_(in), pod_(*in.pod), runtime_(*in.runtime) {}

  PodStatus build() {
    PodStatus out = pod_.status;
    out.observedGeneration = pod_.metadata.generation;
    out.initContainerStatuses.clear();
    out.containerStatuses.clear();
    out.ephemeralContainerStatuses.clear();
    for (const auto& c : pod_.spec.initContainers) out.initContainerStatuses.push_back(statusOf(c, ContainerKind::Init));
    initialized_ = initializationDone(out.initContainerStatuses);
    for (const auto& c : pod_.spec.containers) out.containerStatuses.push_back(statusOf(c, ContainerKind::Regular));
    for (const auto& c : pod_.spec.ephemeralContainers)
      out.ephemeralContainerStatuses.push_back(statusOf(containerOf(c), ContainerKind::Ephemeral));
    if (!in_.reason.empty()) {
      out.phase = "Failed";
      out.reason = in_.reason;
      out.message = in_.message;
    } else if (!isTerminal(pod_.status)) {  // a pod that is over stays so
      out.phase = computePhase(pod_, out.initContainerStatuses, out.containerStatuses);
    }
    if (in_.terminating && isTerminal(out) == false && !runtime_.anyRunning() && in_.pod->metadata.deletionTimestamp)
      out.phase = endPhase(out);
    addAddresses(out);
    if (!out.startTime) out.startTime = api::Time{std::chrono::floor<seconds>(in_.now)};
    if (out.qosClass.empty()) out.qosClass = "BestEffort";
    addConditions(out);
    return out;
  }

 private:
  // A deleted pod whose containers all ended says how they ended.
  static std::string endPhase(const PodStatus& s) {
    bool failed = s.containerStatuses.empty();
    for (const auto& c : s.containerStatuses)
      if (!c.state.terminated || c.state.terminated->exitCode != 0) failed = true;
    return failed ? "Failed" : "Succeeded";
  }

  ContainerStatus statusOf(const Container& c, ContainerKind kind) {
    ContainerStatus out;
    out.name = c.name;
    out.image = c.image;
    const RuntimeContainer* now = runtime_.latest(c.name);
    const ContainerStatus* old = oldStatus(pod_, c.name, kind);
    if (now == nullptr) {
      fillWithout(out, c, kind, old);
    } else {
      fillFrom(out, *now, c, kind);
    }
    bool running = bool(out.state.running);
    auto started = in_.started.find(c.name);
    out.started = running && (started == in_.started.end() || started->second);
    auto ready = in_.ready.find(c.name);
    if (kind == ContainerKind::Init && !isSidecar(c)) {
      out.ready = out.state.terminated && out.state.terminated->exitCode == 0;
      // An init container has started while it runs, and no longer once it is over.
    } else if (kind == ContainerKind::Ephemeral) {
      out.ready = false;
      out.started.reset();
    } else {
      out.ready = running && *out.started && (ready == in_.ready.end() || ready->second);
    }
    if (running && in_.undecided.contains(c.name)) {
      // A restarted kubelet knows no answers yet; the container did not change for that.
      if (old != nullptr && old->containerID == out.containerID) {
        out.ready = out.ready || old->ready;
        out.started = *out.started || old->started.value_or(false);
      }
    }
    if (running || out.state.terminated) {
      if (!c.resources.requests.empty() || !c.resources.limits.empty()) {
        out.allocatedResources = c.resources.requests;
        out.resources = c.resources;
        out.resources->claims.clear();
      } else if (kind != ContainerKind::Ephemeral) {
        out.resources.emplace();
      }
    }
    addMounts(out, c);
    return out;
  }

  static void addMounts(ContainerStatus& out, const Container& c) {
    for (const auto& mount : c.volumeMounts) {
      api::core::v1::VolumeMountStatus status;
      status.name = mount.name;
      status.mountPath = mount.mountPath;
      status.readOnly = mount.readOnly;
      if (mount.readOnly) status.recursiveReadOnly = mount.recursiveReadOnly ? "Disabled" : "Disabled";
      out.volumeMounts.push_back(std::move(status));
    }
  }

  void fillFrom(ContainerStatus& out, const RuntimeContainer& now, const Container& c, ContainerKind kind) {
    out.containerID = concat("containerd://", now.id);
    out.restartCount = now.restartCount;
    // The runtime may only know the image's id; people want the name they asked for.
    out.image = now.image.empty() || now.image.starts_with("sha256:") ? c.image : now.image;
    auto id = in_.imageIds.find(now.imageRef);
    out.imageID = id == in_.imageIds.end() ? now.imageRef : id->second;
    if (const auto* before = runtime_.previous(c.name); before != nullptr && before->exited())
      out.lastState.terminated = terminatedOf(*before);
    auto waiting = in_.waiting.find(c.name);
    if (now.running()) {
      out.state.running.emplace().startedAt = timeOf(now.startedAt);
    } else if (waiting != in_.waiting.end() && !in_.terminating) {
      // Between two attempts: what ended becomes the last state.
      if (now.exited()) out.lastState.terminated = terminatedOf(now);
      out.state.waiting.emplace();
      out.state.waiting->reason = waiting->second.reason;
      out.state.waiting->message = waiting->second.message;
    } else if (now.exited()) {
      out.state.terminated = terminatedOf(now);
    } else {
      out.state.waiting.emplace().reason = waitingReason(kind);
    }
  }

  void fillWithout(ContainerStatus& out, const Container& c, ContainerKind kind, const ContainerStatus* old) {
    auto waiting = in_.waiting.find(c.name);
    // Its containers were removed (or the runtime lost them): what was published about an end stays true.
    if (old != nullptr && old->state.terminated && (isTerminal(pod_.status) || in_.terminating || kind == ContainerKind::Init)) {
      out = *old;
      out.volumeMounts.clear();
      return;
    }
    if (old != nullptr) {
      out.restartCount = old->restartCount;
      out.imageID = old->imageID;
      out.lastState = old->lastState;
      if (old->state.running && (in_.terminating || isTerminal(pod_.status))) {
        auto& gone = out.state.terminated.emplace();
        gone.exitCode = 137;
        gone.reason = "ContainerStatusUnknown";
        gone.message = "The container could not be located when the pod was terminated";
        gone.startedAt = old->state.running->startedAt;
        return;
      }
    }
    out.state.waiting.emplace();
    if (waiting != in_.waiting.end()) {
      out.state.waiting->reason = waiting->second.reason;
      out.state.waiting->message = waiting->second.message;
    } else {
      out.state.waiting->reason = waitingReason(kind);
    }
  }

  std::string waitingReason(ContainerKind kind) const {
    if (kind == ContainerKind::Ephemeral) return "ContainerCreating";
    return pod_.spec.initContainers.empty() || (kind == ContainerKind::Regular && initialized_) ? "ContainerCreating"
                                                                                                : "PodInitializing";
  }

  bool initializationDone(const std::vector<ContainerStatus>& statuses) const {
    for (const auto& c : pod_.spec.initContainers) {
      const auto* s = find(statuses, c.name);
      if (s == nullptr) return false;
      if (isSidecar(c) ? !s->started.value_or(false) : !s->ready) {
        // Later restarts of a sidecar do not undo the initialization.
        bool mainStarted = std::any_of(pod_.spec.containers.begin(), pod_.spec.containers.end(),
                                       [&](const auto& m) { return runtime_.latest(m.name) != nullptr; });
        if (!mainStarted) return false;
      }
    }
    return true;
  }

  void addAddresses(PodStatus& out) const {
    if (!in_.hostIPs.empty()) {
      out.hostIP = in_.hostIPs[0];
      out.hostIPs.clear();
      for (const auto& ip : in_.hostIPs) out.hostIPs.push_back({ip});
    }
    std::vector<std::string> ips;
    if (pod_.spec.hostNetwork) {
      if (!runtime_.sandboxes.empty()) ips = in_.hostIPs;
    } else if (!runtime_.sandboxes.empty()) {
      ips = runtime_.sandboxes[0].ips;
    }
    if (ips.empty()) return;  // a stopped sandbox has none: the last one known stays
    out.podIP = ips[0];
    out.podIPs.clear();
    for (auto& ip : ips) out.podIPs.push_back({ip});
  }

  void setCondition(PodStatus& status, std::string type, bool value, std::string reason = {}, std::string message = {}) {
    auto it = std::find_if(status.conditions.begin(), status.conditions.end(),
                           [&](const PodCondition& c) { return c.type == type; });
    const std::string text = value ? "True" : "False";
    if (it == status.conditions.end()) {
      it = status.conditions.insert(status.conditions.end(), PodCondition{});
      it->type = std::move(type);
      it->lastTransitionTime.value = std::chrono::floor<seconds>(in_.now);
    } else if (it->status != text) {
      it->lastTransitionTime.value = std::chrono::floor<seconds>(in_.now);
    }
    it->status = text;
    it->reason = std::move(reason);
    it->message = std::move(message);
    it->observedGeneration = pod_.metadata.generation;
  }

  void addConditions(PodStatus& out) {
    bool sandbox = runtime_.readySandbox() != nullptr &&
                   (pod_.spec.hostNetwork || !runtime_.readySandbox()->ips.empty());
    setCondition(out, "PodReadyToStartContainers", sandbox);
    addInitialized(out);
    std::vector<std::string> unready;
    for (size_t i = 0; i < pod_.spec.initContainers.size(); ++i)
      if (isSidecar(pod_.spec.initContainers[i]) && !out.initContainerStatuses[i].ready)
        unready.push_back(pod_.spec.initContainers[i].name);
    for (const auto& s : out.containerStatuses)
      if (!s.ready) unready.push_back(s.name);
    std::string reason, message;
    if (out.phase == "Succeeded") {
      reason = "PodCompleted";
    } else if (out.phase == "Failed") {
      reason = "PodFailed";
    } else if (!unready.empty()) {
      reason = "ContainersNotReady";
      message = concat("containers with unready status: [", join(unready, " "), "]");
    }
    bool containersReady = reason.empty();
    std::string gateReason = reason, gateMessage = message;
    if (containersReady) {
      std::vector<std::string> missing;
      for (const auto& gate : pod_.spec.readinessGates) {
        auto it = std::find_if(out.conditions.begin(), out.conditions.end(),
                               [&](const auto& c) { return c.type == gate.conditionType; });
        if (it == out.conditions.end()) {
          missing.push_back(concat("corresponding condition of pod readiness gate ", skiff::quoted(gate.conditionType),
                                   " does not exist."));
        } else if (it->status != "True") {
          missing.push_back(concat("the status of pod readiness gate ", skiff::quoted(gate.conditionType), " is not ",
                                   skiff::quoted("True"), ", but ", it->status));
        }
      }
      if (!missing.empty()) {
        gateReason = "ReadinessGatesNotReady";
        gateMessage = join(missing, ", ");
      }
    }
    setCondition(out, "Ready", gateReason.empty(), gateReason, gateMessage);
    setCondition(out, "ContainersReady", containersReady, reason, message);
    setCondition(out, "PodScheduled", true);
  }

  void addInitialized(PodStatus& out) {
    std::vector<std::string> incomplete;
    for (size_t i = 0; i < pod_.spec.initContainers.size(); ++i) {
      const auto& c = pod_.spec.initContainers[i];
      const auto& s = out.initContainerStatuses[i];
      if (isSidecar(c) ? !s.started.value_or(false) : !s.ready) incomplete.push_back(c.name);
    }
    if (out.phase == "Succeeded") {
      setCondition(out, "Initialized", true, "PodCompleted");
    } else if (!initialized_ && !incomplete.empty()) {
      setCondition(out, "Initialized", false, "ContainersNotInitialized",
                   concat("containers with incomplete status: [", join(incomplete, " "), "]"));
    } else {
      setCondition(out, "Initialized", true);
    }
  }

  const StatusInputs& in_;
  const Pod& pod_;
  const RuntimePod& runtime_;
  bool initialized_ = true;
};

}  // namespace

bool shouldRestart(const Pod& pod, const Container& container, ContainerKind kind, int exitCode) {
  if (kind == ContainerKind::Ephemeral) return false;
  for (const auto& rule : container.restartPolicyRules) {  // the first that fits decides
    if (!rule.exitCodes || rule.action != "Restart") continue;
    const auto& values = rule.exitCodes->values;
    bool listed = std::find(values.begin(), values.end(), exitCode) != values.end();
    if (rule.exitCodes->operator_ == "In" ? listed : !listed) return true;
  }
  std::string policy = container.restartPolicy.value_or(pod.spec.restartPolicy);
  // Init containers run to success once: Always means on failure for them.
  if (kind == ContainerKind::Init && !isSidecar(container)) return policy != "Never" && exitCode != 0;
  return policy == "Never" ? false : policy == "OnFailure" ? exitCode != 0 : true;
}

std::string computePhase(const Pod& pod, const std::vector<ContainerStatus>& init,
                         const std::vector<ContainerStatus>& regular) {
  bool anyRegularStarted = std::any_of(regular.begin(), regular.end(), [](const auto& s) {
    return s.state.running || s.state.terminated || s.lastState.terminated;
  });
  for (size_t i = 0; i < pod.spec.initContainers.size() && i < init.size(); ++i) {
    const auto& c = pod.spec.initContainers[i];
    const auto& s = init[i];
    if (isSidecar(c)) {
      if (!anyRegularStarted && !s.started.value_or(false)) return "Pending";
      continue;
    }
    const auto& ended = s.state.terminated ? s.state.terminated : s.lastState.terminated;
    if (s.state.terminated && s.state.terminated->exitCode == 0) continue;
    if (anyRegularStarted && !s.state.running && !s.state.terminated) continue;  // pruned after its success
    if (s.state.terminated && !shouldRestart(pod, c, ContainerKind::Init, ended->exitCode)) return "Failed";
    return "Pending";
  }
  int running = 0, waiting = 0, stopped = 0, succeeded = 0;
  bool mayRestart = false;
  for (size_t i = 0; i < pod.spec.containers.size(); ++i) {
    const ContainerStatus* s = i < regular.size() ? &regular[i] : nullptr;
    if (s == nullptr) {
      ++waiting;
    } else if (s->state.running) {
      ++running;
    } else if (s->state.terminated || s->lastState.terminated) {
      int exitCode = (s->state.terminated ? s->state.terminated : s->lastState.terminated)->exitCode;
      ++stopped;
      if (exitCode == 0) ++succeeded;
      if (s->state.waiting || shouldRestart(pod, pod.spec.containers[i], ContainerKind::Regular, exitCode))
        mayRestart = true;
    } else {
      ++waiting;
    }
  }
  if (waiting > 0) return "Pending";
  if (running > 0 || mayRestart) return "Running";
  if (stopped == 0) return "Pending";
  return stopped == succeeded ? "Succeeded" : "Failed";
}

PodStatus computeStatus(const StatusInputs& inputs) { return Builder(inputs).build(); }

}  // namespace skiff::kubelet
