#include "kubelet/pod_runtime.h"

#include <sys/stat.h>
#include <unistd.h>

#include <latch>

#include "base/log.h"
#include "base/strings.h"
#include "gen/node_v1.h"
#include "kubelet/files.h"
#include "kubelet/pod_dns.h"
#include "rt/stop.h"

namespace skiff::kubelet {
namespace {

constexpr seconds kVolumeRefresh{30};
constexpr milliseconds kVolumePoll{100};  // doubled each time
constexpr int kQuickPolls = 5;
constexpr seconds kHookTimeout{600};  // postStart has no limit in the API; nothing may hang for ever
constexpr seconds kLeastGrace{2};     // left after a preStop hook used up the rest

bool startedBy(const ProbeManager::Results& probes, const std::string& name) {
  auto it = probes.started.find(name);
  return it == probes.started.end() || it->second;
}

std::string summaryOf(const cri::LinuxContainerResources& r) {
  return concat(r.cpuShares, "/", r.cpuQuota, "/", r.memoryLimitInBytes);
}

// A slot for the time of a call.
struct Slot {
  explicit Slot(std::counting_semaphore<>& all) : slots(all) { slots.acquire(); }
  ~Slot() { slots.release(); }
  Slot(const Slot&) = delete;
  std::counting_semaphore<>& slots;
};

}  // namespace

struct PodRuntime::Pass {
  const Pod& pod;
  RuntimePod& runtime;
  PodMemory& memory;
  ProbeManager::Results probes;
  cri::PodSandboxConfig sandboxConfig;
  std::string sandboxId;
  bool changed = false;

  // The latest attempt, if it belongs to the sandbox of now.
  const RuntimeContainer* current(std::string_view name) const {
    const auto* c = runtime.latest(name);
    return c != nullptr && c->sandboxId == sandboxId ? c : nullptr;
  }
  std::string podIp(const NodeConfig& config) const {
    if (pod.spec.hostNetwork) return config.nodeIps.empty() ? std::string() : config.nodeIps[0];
    return runtime.sandboxes.empty() || runtime.sandboxes[0].ips.empty() ? std::string() : runtime.sandboxes[0].ips[0];
  }
};

PodRuntime::PodRuntime(Deps deps)
    : d_(deps), slots_(std::max<ptrdiff_t>(4, 3 * ptrdiff_t(deps.config.milliCpu) / 1000)) {
  // Each may wait for a whole grace period; pods with many containers end together.
  killers_ = rt::Executor::create({.name = "kubelet-kill", .maxThreads = 256});
}

void PodRuntime::record(const Pod& pod, const Container& container, ContainerKind kind, std::string_view type,
                        std::string_view reason, std::string message) {
  auto about = client::EventRecorder::referenceTo(pod);
  about.fieldPath = fieldPathOf(container.name, kind);
  d_.events.record(about, type, reason, std::move(message));
}

PodFacts PodRuntime::factsOf(const Pod& pod, const RuntimePod& runtime) const {
  PodFacts facts;
  facts.pod = &pod;
  facts.hostIPs = d_.config.nodeIps;
  facts.nodeName = d_.config.options.nodeName;
  facts.nodeAllocatable = d_.config.allocatable;
  if (pod.spec.hostNetwork) {
    facts.podIPs = d_.config.nodeIps;
  } else if (!runtime.sandboxes.empty()) {
    facts.podIPs = runtime.sandboxes[0].ips;
  }
  return facts;
}

Status PodRuntime::ensureVolumes(const Pod& pod, const RuntimePod& runtime, PodMemory& memory) {
  auto now = d_.config.clock->now();
  bool live = VolumeManager::isLive(pod);
  if (memory.volumesReady) {
    if (!live) return okStatus();
    auto next = memory.volumesChecked + kVolumeRefresh;
    // Labels and annotations may have changed with this very update, so downward values are looked at each time.
    bool downward = std::any_of(pod.spec.volumes.begin(), pod.spec.volumes.end(),
                                [](const auto& v) { return bool(v.downwardAPI) || bool(v.projected); });
    if (now < next && !downward) {
      memory.refreshAfter = next - now;
      return okStatus();
    }
  }
  auto done = d_.volumes.setUp(factsOf(pod, runtime));
  if (!done.ok()) {
    if (done.failedWith(Reason::ServiceUnavailable) && !memory.volumesReady && memory.volumePolls < kQuickPolls) {
      memory.retryWithin(kVolumePoll * (1 << memory.volumePolls++));  // on its way, often within milliseconds
      return done;
    }
    d_.events.record(pod, "Warning", "FailedMount", done.error().message());
    memory.retryWithin(memory.volumesReady ? kVolumeRefresh : seconds(2));
    if (memory.volumesReady) return okStatus();  // running containers keep what they have
    return done;
  }
  memory.volumesReady = true;
  memory.volumesChecked = now;
  if (live) memory.refreshAfter = kVolumeRefresh;
  return okStatus();
}

Status PodRuntime::sync(const Pod& pod, RuntimePod* runtime, PodMemory& memory) {
  Pass pass{pod, *runtime, memory, d_.probes.results(pod.metadata.uid), {}, {}, false};
  TRY(ensureVolumes(pod, *runtime, memory));
  if (const auto* ready = runtime->readySandbox()) {
    pass.sandboxId = ready->id;
    describeSandbox(pass, ready->attempt);
  } else {
    if (!runtime->sandboxes.empty()) {
      killContainers(pod, *runtime, seconds(gracePeriodSeconds(pod)));
      TRY(stopSandboxes(*runtime));
      d_.events.record(pod, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
    }
    auto made = createSandbox(pass);
    if (!made.ok()) {
      d_.events.record(pod, "Warning", "FailedCreatePodSandBox",
                       concat("Failed to create pod sandbox: ", made.error().message()));
      memory.retryWithin(seconds(2));
      return std::move(made).error();
    }
    pass.sandboxId = *made;
    *runtime = TRY(d_.reader.pod(pod.metadata.uid));
  }
  for (const auto& e : pod.spec.ephemeralContainers) stepContainer(pass, containerOf(e), ContainerKind::Ephemeral);
  if (stepInitContainers(pass))
    for (const auto& c : pod.spec.containers) stepContainer(pass, c, ContainerKind::Regular);
  if (pass.changed) *runtime = TRY(d_.reader.pod(pod.metadata.uid));
  return okStatus();
}

void PodRuntime::describeSandbox(Pass& pass, uint32_t attempt) {
  SandboxInputs inputs{&pass.pod, attempt, d_.cgroups.podCgroup(pass.pod), readFile("/etc/resolv.conf").valueOr("")};
  pass.sandboxConfig = sandboxConfig(d_.config, inputs);
  pass.sandboxConfig.dnsConfig =
      podDns(pass.pod, d_.config.options.clusterDns, d_.config.options.clusterDomain, inputs.hostResolvConf);
}

Result<std::string> PodRuntime::createSandbox(Pass& pass) {
  const Pod& pod = pass.pod;
  TRY(d_.cgroups.ensurePod(pod));
  TRY(makeDirs(podLogDir(d_.config, pod)));
  std::string handler;
  if (!pod.spec.runtimeClassName.value_or("").empty())
    handler = TRY(d_.api.get<api::node::v1::RuntimeClass>("", *pod.spec.runtimeClassName)).handler;
  describeSandbox(pass, pass.runtime.sandboxes.empty() ? 0 : pass.runtime.sandboxes[0].attempt + 1);
  if (handler == "runc") handler.clear();
  Slot slot(slots_);
  return d_.cri.runPodSandbox(pass.sandboxConfig, handler);
}

bool PodRuntime::stepInitContainers(Pass& pass) {
  const Pod& pod = pass.pod;
  // Once a container of this sandbox was made, initialization is history: only sidecars are still looked after.
  bool initialized = std::any_of(pod.spec.containers.begin(), pod.spec.containers.end(),
                                 [&](const auto& c) { return pass.current(c.name) != nullptr; });
  for (const auto& c : pod.spec.initContainers) {
    const RuntimeContainer* now = pass.current(c.name);
    if (isSidecar(c)) {
      stepContainer(pass, c, ContainerKind::Init);
      if (initialized) continue;
      if (now == nullptr || !now->running()) {
        // Just started, or waiting. Without a startup probe a start is enough to go on.
        if (pass.memory.waiting.contains(c.name) || c.startupProbe) return false;
        continue;
      }
      if (c.startupProbe && !(pass.probes.started.contains(c.name) && startedBy(pass.probes, c.name))) return false;
      continue;
    }
    if (initialized) continue;
    if (now != nullptr && now->exited() && now->exitCode == 0) {
      pass.memory.waiting.erase(c.name);
      continue;
    }
    stepContainer(pass, c, ContainerKind::Init);
    return false;
  }
  return true;
}

bool PodRuntime::restartIsDue(Pass& pass, const Container& c, const RuntimeContainer& last) {
  auto now = d_.config.clock->now();
  auto ended = fromNanos(last.finishedAt);
  auto wait = pass.memory.crashes.remaining(c.name, ended, now);
  if (wait.count() <= 0) {
    pass.memory.crashes.next(c.name, now);
    return true;
  }
  std::string message = concat("back-off ", api::formatDuration(pass.memory.crashes.delay(c.name)),
                               " restarting failed container=", c.name, " pod=", podFullName(pass.pod));
  bool told = pass.memory.waiting.contains(c.name) && pass.memory.waiting[c.name].message == message;
  pass.memory.waiting[c.name] = {"CrashLoopBackOff", message};
  pass.memory.retryWithin(wait);
  if (!told) {
    ContainerKind kind = ContainerKind::Regular;
    Container holder;
    findContainer(pass.pod, c.name, &holder, &kind);
    record(pass.pod, c, kind, "Warning", "BackOff",
           concat("Back-off restarting failed container ", c.name, " in pod ", podFullName(pass.pod)));
  }
  return false;
}

bool PodRuntime::mustRestartRunning(Pass& pass, const Container& c, ContainerKind kind, const RuntimeContainer& now,
                                    std::string* why) {
  if (kind == ContainerKind::Ephemeral) return false;
  if (!now.hash.empty() && now.hash != containerHash(c)) {
    *why = concat("Container ", c.name, " definition changed, will be restarted");
    return true;
  }
  bool liveness = pass.probes.failedLiveness.contains(c.name), startup = pass.probes.failedStartup.contains(c.name);
  if (!liveness && !startup) return false;
  *why = concat("Container ", c.name, " failed ", liveness ? "liveness" : "startup", " probe",
                shouldRestart(pass.pod, c, kind, 137) ? ", will be restarted" : "");
  return true;
}

void PodRuntime::resizeInPlace(Pass& pass, const Container& c, const RuntimeContainer& now) {
  auto wanted = linuxResources(pass.pod, c, d_.config.memoryBytes);
  const std::string summary = summaryOf(wanted);
  auto [it, fresh] = pass.memory.appliedResources.try_emplace(now.id, summary);
  if (!fresh && it->second == summary) return;
  if (fresh && now.resources && summaryOf(*now.resources) == summary) return;
  auto pod = d_.cgroups.ensurePod(pass.pod);
  auto done = pod.ok() ? d_.cri.updateContainerResources(now.id, wanted) : std::move(pod);
  if (done.ok()) {
    it->second = summary;
    return;
  }
  it->second.clear();
  log::warn("Could not resize the container", {{"container", c.name}, {"err", done.error().message()}});
  pass.memory.retryWithin(seconds(10));
}

void PodRuntime::stepContainer(Pass& pass, const Container& c, ContainerKind kind) {
  const RuntimeContainer* now = pass.current(c.name);
  if (now == nullptr) {
    if (kind == ContainerKind::Ephemeral && pass.runtime.latest(c.name) != nullptr) return;
    startContainer(pass, c, kind);
    return;
  }
  if (now->running()) {
    pass.memory.waiting.erase(c.name);
    std::string why;
    if (!mustRestartRunning(pass, c, kind, *now, &why)) {
      if (kind != ContainerKind::Ephemeral) resizeInPlace(pass, c, *now);
      return;
    }
    seconds grace(gracePeriodSeconds(pass.pod));
    const auto& probe = pass.probes.failedLiveness.contains(c.name) ? c.livenessProbe : c.startupProbe;
    if (probe && probe->terminationGracePeriodSeconds) grace = seconds(*probe->terminationGracePeriodSeconds);
    killContainer(pass.pod, &c, kind, *now, pass.podIp(d_.config), grace, std::move(why));
    pass.changed = true;
    if (shouldRestart(pass.pod, c, kind, 137)) {
      // As upstream: the restart itself goes by the back-off, counted from this end.
      pass.memory.crashes.next(c.name, d_.config.clock->now());
      startContainer(pass, c, kind);
    }
    return;
  }
  if (now->exited()) {
    if (!shouldRestart(pass.pod, c, kind, now->exitCode)) {
      pass.memory.waiting.erase(c.name);
      return;
    }
    if (restartIsDue(pass, c, *now)) startContainer(pass, c, kind);
    return;
  }
  // Made but never started (we ended in between, or its start failed), or lost: away with it, and again.
  if (kind == ContainerKind::Ephemeral) return;
  if (!restartIsDue(pass, c, *now)) return;
  auto removed = d_.cri.removeContainer(now->id);
  if (!removed.ok()) log::warn("Could not remove a dead container", {{"err", removed.error().message()}});
  startContainer(pass, c, kind);
}

void PodRuntime::startContainer(Pass& pass, const Container& c, ContainerKind kind) {
  auto image = d_.images.ensure(pass.pod, c, kind, pass.sandboxConfig);
  if (image.ref.empty()) {
    pass.memory.waiting[c.name] = image.waiting;
    pass.memory.retryWithin(std::max<microseconds>(image.retryAfter, milliseconds(500)));
    return;
  }
  std::string failReason = "CreateContainerConfigError";
  auto started = createAndStart(pass, c, kind, image, &failReason);
  pass.changed = true;
  if (started.ok()) {
    pass.memory.waiting.erase(c.name);
    return;
  }
  pass.memory.waiting[c.name] = {failReason, started.error().message()};
  record(pass.pod, c, kind, "Warning", failReason == "PostStartHookError" ? "FailedPostStartHook" : "Failed",
         concat("Error: ", started.error().message()));
  pass.memory.retryWithin(seconds(5));
}

Result<std::string> PodRuntime::createAndStart(Pass& pass, const Container& c, ContainerKind kind,
                                               const ImageManager::Outcome& image, std::string* failReason) {
  const Pod& pod = pass.pod;
  const RuntimeContainer* last = pass.runtime.latest(c.name);
  int attempt = last == nullptr ? 0 : last->restartCount + 1;
  if (last == nullptr) {
    // Its containers may have been removed while the API still counts them.
    for (const auto* list : {&pod.status.initContainerStatuses, &pod.status.containerStatuses})
      for (const auto& s : *list)
        if (s.name == c.name && !s.containerID.empty()) attempt = s.restartCount + 1;
  }
  TRY(checkNonRoot(pod, c, image.uid, image.username));
  PodFacts facts = factsOf(pod, pass.runtime);
  ContainerInputs inputs;
  inputs.facts = &facts;
  inputs.container = &c;
  inputs.kind = kind;
  inputs.attempt = attempt;
  inputs.imageRef = image.ref;
  inputs.environment = TRY(makeEnvironment(facts, c, d_.objects));
  inputs.mounts = TRY(mountsOf(pass, c, kind, attempt, inputs.environment));
  if (kind == ContainerKind::Ephemeral) {
    for (const auto& e : pod.spec.ephemeralContainers)
      if (e.name == c.name && !e.targetContainerName.empty())
        if (const auto* target = pass.current(e.targetContainerName)) inputs.targetId = target->id;
  }
  auto config = TRY(containerConfig(d_.config, inputs));
  TRY(makeDirs(concat(podLogDir(d_.config, pod), "/", c.name)));

  *failReason = "CreateContainerError";
  auto slot = std::make_optional<Slot>(slots_);
  std::string id = TRY(d_.cri.createContainer(pass.sandboxId, config, pass.sandboxConfig));
  record(pod, c, kind, "Normal", "Created", concat("Container created"));
  pass.memory.appliedResources[id] = summaryOf(config.linux.resources ? *config.linux.resources
                                                                      : cri::LinuxContainerResources{});
  *failReason = "RunContainerError";
  TRY(d_.cri.startContainer(id));
  slot.reset();  // a hook may take its time
  record(pod, c, kind, "Normal", "Started", concat("Container started"));
  if (c.lifecycle && c.lifecycle->postStart) {
    auto hook = runHook(pod, c, id, pass.podIp(d_.config), *c.lifecycle->postStart, kHookTimeout);
    if (hook.kind != ActionResult::Kind::Success && hook.kind != ActionResult::Kind::Warning) {
      *failReason = "PostStartHookError";
      RuntimeContainer target;
      target.id = id;
      target.name = c.name;
      killContainer(pod, &c, kind, target, pass.podIp(d_.config), seconds(gracePeriodSeconds(pod)),
                    "FailedPostStartHook");
      return internalError(concat("PostStartHook failed: ", hook.output));
    }
  }
  return id;
}

Result<std::vector<cri::Mount>> PodRuntime::mountsOf(Pass& pass, const Container& c, ContainerKind kind, int attempt,
                                                     const std::vector<cri::KeyValue>& environment) {
  (void)kind;
  const Pod& pod = pass.pod;
  std::vector<cri::Mount> out;
  bool hostsMounted = false;
  auto lookup = [&](std::string_view name) -> std::optional<std::string> {
    for (const auto& variable : environment)
      if (variable.key == name) return variable.value;
    return std::nullopt;
  };
  for (size_t i = 0; i < c.volumeMounts.size(); ++i) {
    const auto& mount = c.volumeMounts[i];
    auto volume = std::find_if(pod.spec.volumes.begin(), pod.spec.volumes.end(),
                               [&](const auto& v) { return v.name == mount.name; });
    if (volume == pod.spec.volumes.end()) return badRequest(concat("no volume named ", mount.name));
    auto path = TRY(d_.volumes.pathOf(pod, *volume));
    std::string sub = mount.subPath;
    if (!mount.subPathExpr.empty()) {
      std::vector<std::string> missing;
      sub = expandVariables(mount.subPathExpr, lookup, &missing);
      if (!missing.empty()) return badRequest(concat("missing value for ", quoted(missing[0])));
    }
    if (!sub.empty()) {
      if (!isSafeRelativePath(sub)) return badRequest(concat("invalid subPath ", quoted(sub)));
      path.hostPath = TRY(d_.volumes.subPath(pod, path.hostPath, mount.name, c.name, i, sub));
    }
    cri::Mount next;
    next.hostPath = path.hostPath;
    next.containerPath = mount.mountPath.starts_with("/") ? mount.mountPath : "/" + mount.mountPath;
    next.readonly = mount.readOnly || path.readOnly;
    const std::string propagation = mount.mountPropagation.value_or("None");
    next.propagation = propagation == "Bidirectional"     ? cri::MountPropagation::Bidirectional
                       : propagation == "HostToContainer" ? cri::MountPropagation::HostToContainer
                                                          : cri::MountPropagation::Private;
    hostsMounted = hostsMounted || next.containerPath == "/etc/hosts";
    out.push_back(std::move(next));
  }
  const std::string podDir = d_.volumes.podDir(pod.metadata.uid);
  if (!hostsMounted) {
    const std::string path = podDir + "/etc-hosts";
    TRY(makeDirs(podDir, 0755));
    TRY(writeFile(path, podHostsFile(pod, factsOf(pod, pass.runtime).podIPs, d_.config.options.clusterDomain,
                                     readFile("/etc/hosts").valueOr(""))));
    cri::Mount hosts;
    hosts.hostPath = path;
    hosts.containerPath = "/etc/hosts";
    out.push_back(std::move(hosts));
  }
  if (!c.terminationMessagePath.empty()) {
    const std::string dir = concat(podDir, "/containers/", c.name);
    TRY(makeDirs(dir));
    cri::Mount message;
    message.hostPath = concat(dir, "/", attempt);
    message.containerPath = c.terminationMessagePath;
    TRY(writeFile(message.hostPath, "", 0666));  // any user of the container may write it
    out.push_back(std::move(message));
  }
  return out;
}

ActionResult PodRuntime::runHook(const Pod& pod, const Container& c, const std::string& id, const std::string& podIp,
                                 const api::core::v1::LifecycleHandler& hook, seconds timeout) {
  (void)pod;
  if (hook.exec) {
    auto result = d_.handlers.exec(id, hook.exec->command, timeout);
    if (result.kind == ActionResult::Kind::Failure)
      result.output = concat("command '", join(hook.exec->command, " "), "' exited with an error: ", result.output);
    return result;
  }
  if (hook.httpGet) return d_.handlers.httpGet(*hook.httpGet, c, podIp, timeout, "kube-lifecycle/1.37");
  if (hook.sleep) {
    rt::StopSignal().waitFor(std::min(seconds(hook.sleep->seconds), timeout));
    return {};
  }
  return {ActionResult::Kind::Unknown, "invalid handler"};
}

void PodRuntime::killContainer(const Pod& pod, const Container* c, ContainerKind kind, const RuntimeContainer& target,
                               const std::string& podIp, seconds grace, std::string message) {
  if (c != nullptr)
    record(pod, *c, kind, "Normal", "Killing", message.empty() ? concat("Stopping container ", c->name) : std::move(message));
  if (c != nullptr && c->lifecycle && c->lifecycle->preStop && grace.count() > 0) {
    auto begin = d_.config.clock->steadyNow();
    auto hook = runHook(pod, *c, target.id, podIp, *c->lifecycle->preStop, grace);
    if (hook.kind == ActionResult::Kind::Failure || hook.kind == ActionResult::Kind::Unknown)
      record(pod, *c, kind, "Warning", "FailedPreStopHook", concat("PreStopHook failed: ", hook.output));
    auto used = std::chrono::duration_cast<seconds>(d_.config.clock->steadyNow() - begin);
    grace = std::max(grace - used, kLeastGrace);
  }
  auto stopped = d_.cri.stopContainer(target.id, grace);
  if (!stopped.ok() && !stopped.failedWith(Reason::NotFound))
    log::warn("Could not stop the container", {{"container", target.name}, {"err", stopped.error().message()}});
}

void PodRuntime::killContainers(const Pod& pod, const RuntimePod& runtime, seconds grace, std::string_view message) {
  struct Victim {
    const RuntimeContainer* container;
    Container holder;
    const Container* spec;
    ContainerKind kind = ContainerKind::Regular;
  };
  std::vector<std::unique_ptr<Victim>> together, sidecars;
  for (const auto& c : runtime.containers) {
    if (!c.running()) continue;
    auto victim = std::make_unique<Victim>();
    victim->container = &c;
    victim->spec = findContainer(pod, c.name, &victim->holder, &victim->kind);
    bool last = victim->kind == ContainerKind::Init && victim->spec != nullptr && isSidecar(*victim->spec);
    (last ? sidecars : together).push_back(std::move(victim));
  }
  std::string podIp;
  if (auto ips = factsOf(pod, runtime).podIPs; !ips.empty()) podIp = ips[0];
  auto deadline = d_.config.clock->steadyNow() + grace;
  auto kill = [&](const Victim& v, seconds time) {
    killContainer(pod, v.spec, v.kind, *v.container, podIp, time, std::string(message));
  };
  if (together.size() == 1) {
    kill(*together[0], grace);
  } else if (!together.empty()) {
    std::latch left(ptrdiff_t(together.size()));
    for (const auto& victim : together) {
      auto task = [&kill, &left, &victim, grace] {
        kill(*victim, grace);
        left.count_down();
      };
      if (!killers_->submit(task)) task();
    }
    left.wait();
  }
  // Sidecars serve the others to the end, and go in reverse order within what is left of the time.
  auto orderOf = [&](const Victim& v) {
    for (size_t i = 0; i < pod.spec.initContainers.size(); ++i)
      if (pod.spec.initContainers[i].name == v.container->name) return i;
    return size_t(0);
  };
  std::sort(sidecars.begin(), sidecars.end(), [&](const auto& a, const auto& b) { return orderOf(*a) > orderOf(*b); });
  for (const auto& victim : sidecars) {
    auto left = std::chrono::ceil<seconds>(deadline - d_.config.clock->steadyNow());
    kill(*victim, std::max(left, seconds(grace.count() > 0 ? 2 : 0)));
  }
}

void PodRuntime::hastenEnd(const RuntimePod& runtime, seconds grace) {
  for (const auto& c : runtime.containers) {
    if (!c.running()) continue;
    killers_->submit([this, id = c.id, grace] {
      auto stopped = d_.cri.stopContainer(id, grace);
      (void)stopped;  // the first request reports
    });
  }
}

Status PodRuntime::stopSandboxes(const RuntimePod& runtime) {
  for (const auto& sandbox : runtime.sandboxes) {
    if (!sandbox.ready && sandbox.ips.empty()) continue;
    Slot slot(slots_);
    auto stopped = d_.cri.stopPodSandbox(sandbox.id);
    if (!stopped.ok() && !stopped.failedWith(Reason::NotFound)) return stopped;
  }
  return okStatus();
}

void PodRuntime::removeAll(const RuntimePod& runtime) {
  for (const auto& sandbox : runtime.sandboxes) {
    Slot slot(slots_);
    auto stopped = d_.cri.stopPodSandbox(sandbox.id);
    auto removed = d_.cri.removePodSandbox(sandbox.id);
    if (!removed.ok() && !removed.failedWith(Reason::NotFound))
      log::warn("Could not remove the sandbox", {{"sandbox", sandbox.id}, {"err", removed.error().message()}});
  }
  for (const auto& c : runtime.containers) d_.reader.forget(c.id);
}

void PodRuntime::pruneContainers(const RuntimePod& runtime) {
  std::map<std::string, int> seen;
  for (const auto& c : runtime.containers) {
    if (seen[c.name]++ < 2 || c.running()) continue;
    auto removed = d_.cri.removeContainer(c.id);
    if (removed.ok()) {
      d_.reader.forget(c.id);
      if (!c.logPath.empty()) ::unlink(c.logPath.c_str());
    }
  }
}

}  // namespace skiff::kubelet
