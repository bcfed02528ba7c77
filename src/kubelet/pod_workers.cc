#include "kubelet/pod_workers.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "kubelet/files.h"
#include "kubelet/pod_admission.h"

namespace skiff::kubelet {

PodWorkers::~PodWorkers() { stop(); }

void PodWorkers::start() {
  // A worker may block for a whole grace period; upstream allows 110 pods a node, and so many may end at once.
  executor_ = rt::Executor::create({.name = "kubelet-pod", .maxThreads = 256});
  thread_ = rt::Thread("kubelet-pods", [this] { dispatch(); });
}

void PodWorkers::stop() {
  queue_.shutDown();
  if (thread_.joinable()) thread_.join();
  if (executor_) executor_->stop();
}

void PodWorkers::dispatch() {
  while (auto uid = queue_.get()) {
    auto task = [this, key = *uid] {
      syncOne(key);
      queue_.done(key);
    };
    if (!executor_->submit(task)) queue_.done(*uid);
  }
}

void PodWorkers::request(const std::string& uid) {
  {
    std::lock_guard lock(mutex_);
    if (auto it = entries_.find(uid); it != entries_.end()) it->second->dirty = true;
  }
  queue_.add(uid);
}

void PodWorkers::podChanged(PodPtr pod) {
  const std::string uid = pod->metadata.uid;
  std::optional<RuntimePod> hasten;
  int64_t grace = 0;
  {
    std::lock_guard lock(mutex_);
    auto& entry = entries_[uid];
    if (!entry) entry = std::make_shared<Entry>();
    entry->pod = std::move(pod);
    bool newer = parseUint(entry->pod->metadata.resourceVersion).value_or(0) > entry->written;
    if (entry->hasStatus && newer && isOverwritten(entry->pod->status, entry->status)) entry->apiStatus = entry->pod->status;
    grace = gracePeriodSeconds(*entry->pod);
    if (entry->killGrace && entry->pod->metadata.deletionTimestamp && grace < *entry->killGrace && entry->runtime) {
      entry->killGrace = grace;
      hasten = *entry->runtime;
    }
  }
  if (hasten) d_.runtime.hastenEnd(*hasten, seconds(grace));
  request(uid);
}

void PodWorkers::podGone(const PodPtr& last) {
  const std::string uid = last->metadata.uid;
  std::optional<RuntimePod> hasten;
  int64_t grace = std::max<int64_t>(1, gracePeriodSeconds(*last));
  {
    std::lock_guard lock(mutex_);
    auto it = entries_.find(uid);
    if (it == entries_.end()) return;
    it->second->gone = true;
    it->second->pod = last;
    if (it->second->killGrace && grace < *it->second->killGrace && it->second->runtime) hasten = *it->second->runtime;
  }
  if (hasten) d_.runtime.hastenEnd(*hasten, seconds(grace));
  request(uid);
}

void PodWorkers::mirrorSeen(const std::string& uid, const PodPtr& mirror) {
  {
    std::lock_guard lock(mutex_);
    auto it = entries_.find(uid);
    if (it == entries_.end()) return;
    if (it->second->hasStatus && statusPatch(*mirror, mirror->status, it->second->status).empty()) return;
    it->second->apiStatus = mirror->status;
  }
  request(uid);
}

void PodWorkers::wake(const std::string& uid) {
  {
    std::lock_guard lock(mutex_);
    if (!entries_.contains(uid)) return;
  }
  request(uid);
}

bool PodWorkers::evict(const std::string& uid, std::string message) {
  PodPtr pod;
  {
    std::lock_guard lock(mutex_);
    auto it = entries_.find(uid);
    if (it == entries_.end() || it->second->evicted || it->second->gone || it->second->pod->metadata.deletionTimestamp) return false;
    it->second->evicted = message;
    pod = it->second->pod;
  }
  d_.events.record(*pod, "Warning", "Evicted", message);
  request(uid);
  return true;
}

// An evicted pod fails with its reason, and its owner sees that it was not its own fault.
bool PodWorkers::takeEviction(Entry& entry, Pod& pod) {
  {
    std::lock_guard lock(mutex_);
    if (!entry.evicted) return false;
    entry.failReason = "Evicted";
    entry.failMessage = *entry.evicted;
  }
  for (const auto& c : pod.status.conditions)
    if (c.type == "DisruptionTarget") return true;
  auto& condition = pod.status.conditions.emplace_back();
  condition.type = "DisruptionTarget";
  condition.status = "True";
  condition.reason = std::string(kTerminationByKubelet);
  condition.message = entry.failMessage;
  condition.observedGeneration = pod.metadata.generation;
  condition.lastTransitionTime.value = std::chrono::floor<seconds>(d_.config.clock->now());
  return true;
}

void PodWorkers::containerEnded(const std::string& containerId) {
  std::string uid;
  {
    std::lock_guard lock(mutex_);
    auto it = byContainer_.find(containerId);
    if (it == byContainer_.end()) {
      // Just started, and its worker has not looked yet: that worker will see the end itself if it has come by then;
      // if not, one more look of all busy pods is cheap.
      for (auto& [id, entry] : entries_)
        if (!entry->terminated) entry->endedIds.insert(containerId);
    } else {
      uid = it->second;
      if (auto entry = entries_.find(uid); entry != entries_.end()) entry->second->endedIds.insert(containerId);
    }
  }
  if (!uid.empty()) request(uid);
}

std::optional<PodWorkers::View> PodWorkers::find(std::string_view ns, std::string_view name) const {
  std::lock_guard lock(mutex_);
  std::optional<View> found;
  for (const auto& [uid, entry] : entries_) {
    if (!entry->pod || entry->pod->metadata.name != name || entry->pod->metadata.namespace_ != ns) continue;
    if (!found || !entry->gone) found = View{entry->pod, entry->runtime, entry->status};
  }
  return found;
}

std::optional<PodWorkers::View> PodWorkers::findByUid(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(uid);
  if (it == entries_.end() || !it->second->pod) return std::nullopt;
  return View{it->second->pod, it->second->runtime, it->second->status};
}

std::vector<PodWorkers::View> PodWorkers::all() const {
  std::lock_guard lock(mutex_);
  std::vector<View> out;
  for (const auto& [uid, entry] : entries_)
    if (entry->pod) out.push_back({entry->pod, entry->runtime, entry->status});
  return out;
}

void PodWorkers::keepRuntime(Entry& entry, const RuntimePod& runtime) {
  auto kept = std::make_shared<const RuntimePod>(runtime);
  std::lock_guard lock(mutex_);
  for (const auto& c : runtime.containers) byContainer_[c.id] = runtime.uid;
  entry.runtime = std::move(kept);
}

void PodWorkers::syncOne(const std::string& uid) {
  EntryPtr entry;
  Pod pod;
  bool gone = false, full = false;
  {
    std::lock_guard lock(mutex_);
    auto it = entries_.find(uid);
    if (it == entries_.end()) return;
    entry = it->second;
    pod = *entry->pod;
    gone = entry->gone;
    full = std::exchange(entry->dirty, false);
  }
  const auto begin = d_.config.clock->steadyNow();
  full = full || !entry->hasStatus || (entry->retryAt && *entry->retryAt <= begin);
  auto& memory = entry->memory;
  memory.refreshAfter.reset();
  if (!full) {
    if (!entry->terminated && memory.volumesReady) {
      auto done = d_.runtime.ensureVolumes(pod, entry->runtime ? *entry->runtime : RuntimePod{}, memory);
      if (!done.ok()) log::warn("Volume refresh failed", {{"pod", podKey(pod)}, {"err", done.error().message()}});
    }
    schedule(*entry, uid);
    return;
  }
  memory.retryAfter.reset();
  auto done = pass(*entry, uid, pod, gone);
  if (!done.ok()) {
    log::warn("Pod sync failed", {{"pod", podKey(pod)}, {"err", done.error().message()}});
    if (!memory.retryAfter) memory.retryWithin(seconds(1));
  }
  entry->retryAt.reset();
  if (memory.retryAfter) entry->retryAt = begin + *memory.retryAfter;
  schedule(*entry, uid);
}

void PodWorkers::schedule(Entry& entry, const std::string& uid) {
  const auto now = d_.config.clock->steadyNow();
  std::optional<SteadyTime> next = entry.retryAt;
  if (entry.memory.refreshAfter) next = std::min(next.value_or(SteadyTime::max()), now + *entry.memory.refreshAfter);
  if (next) queue_.addAfter(uid, std::max(milliseconds(1), std::chrono::ceil<milliseconds>(*next - now)));
}

Status PodWorkers::pass(Entry& entry, const std::string& uid, Pod& pod, bool gone) {
  if (entry.hasStatus) {
    // Our last word counts, not the informer's copy of an older one; what others write stays theirs.
    PodStatus own = entry.status;
    for (const auto& condition : pod.status.conditions) {
      bool known = std::any_of(own.conditions.begin(), own.conditions.end(),
                               [&](const auto& c) { return c.type == condition.type; });
      if (!known) own.conditions.push_back(condition);
    }
    own.nominatedNodeName = pod.status.nominatedNodeName;
    own.resourceClaimStatuses = pod.status.resourceClaimStatuses;
    pod.status = std::move(own);
  }
  if (entry.terminated) {
    if (gone) {
      cleanUp(uid);
      std::lock_guard lock(mutex_);
      entries_.erase(uid);
    } else if (pod.metadata.deletionTimestamp) {
      return d_.statuses.removePod(pod);
    }
    return okStatus();
  }
  RuntimePod runtime = TRY(d_.reader.pod(uid));
  awaitEnds(entry, runtime);
  keepRuntime(entry, runtime);
  if (gone || pod.metadata.deletionTimestamp || entry.over || isTerminal(pod.status)) return terminate(entry, pod, runtime, gone);
  if (takeEviction(entry, pod) || !admit(entry, pod) || pastDeadline(entry, pod)) return terminate(entry, pod, runtime, gone);

  if (!entry.hasStatus) TRY(publish(entry, pod, runtime, false, gone));
  auto synced = d_.runtime.sync(pod, &runtime, entry.memory);
  keepRuntime(entry, runtime);
  std::string ip = pod.spec.hostNetwork ? (d_.config.nodeIps.empty() ? std::string() : d_.config.nodeIps[0])
                   : runtime.sandboxes.empty() || runtime.sandboxes[0].ips.empty() ? std::string()
                                                                                    : runtime.sandboxes[0].ips[0];
  d_.probes.update(entry.pod, runtime, ip, false);
  TRY(publish(entry, pod, runtime, false, gone));
  awaitEnds(entry, runtime);
  if (!synced.ok()) return synced;
  d_.runtime.pruneContainers(runtime);
  if (entry.over) return terminate(entry, pod, runtime, gone);
  return okStatus();
}

void PodWorkers::awaitEnds(Entry& entry, const RuntimePod& runtime) {
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(entry.endedIds, [&](const std::string& id) {
      const auto* c = runtime.byId(id);
      return c == nullptr || !c->running();
    });
    again = !entry.endedIds.empty();
  }
  // The event came before the runtime's own bookkeeping; that takes a few milliseconds.
  if (again) entry.memory.retryWithin(milliseconds(10));
}

bool PodWorkers::admit(Entry& entry, const Pod& pod) {
  if (entry.admitted) return entry.failReason.empty();
  entry.admitted = true;
  if (pod.status.startTime) return true;  // it was admitted before a restart of ours
  AdmissionInputs inputs;
  inputs.config = &d_.config;
  inputs.node = d_.node.get("", d_.config.options.nodeName);
  inputs.pressure = d_.pressure();
  for (const auto& other : all()) {
    if (other.pod->metadata.uid == pod.metadata.uid || isTerminal(other.status) || isTerminal(other.pod->status)) continue;
    if (!other.runtime && !other.pod->status.startTime) continue;  // not admitted yet: it comes after this one
    inputs.others.push_back(other.pod);
  }
  auto refusal = refusalOf(pod, inputs);
  if (!refusal) return true;
  entry.failReason = refusal->reason;
  entry.failMessage = concat("Pod was rejected: ", refusal->message);
  d_.events.record(pod, "Warning", entry.failReason, refusal->message);
  return false;
}

bool PodWorkers::pastDeadline(Entry& entry, const Pod& pod) {
  if (!pod.spec.activeDeadlineSeconds || !pod.status.startTime) return false;
  auto left = pod.status.startTime->value + seconds(*pod.spec.activeDeadlineSeconds) - d_.config.clock->now();
  if (left.count() > 0) {
    entry.memory.retryWithin(left);
    return false;
  }
  entry.failReason = "DeadlineExceeded";
  entry.failMessage = "Pod was active on the node longer than the specified deadline";
  d_.events.record(pod, "Normal", "DeadlineExceeded", entry.failMessage);
  return true;
}

Status PodWorkers::publish(Entry& entry, Pod& pod, const RuntimePod& runtime, bool terminating, bool gone) {
  StatusInputs inputs;
  inputs.pod = &pod;
  inputs.runtime = &runtime;
  inputs.waiting = entry.memory.waiting;
  auto probes = d_.probes.results(pod.metadata.uid);
  inputs.ready = std::move(probes.ready);
  inputs.started = std::move(probes.started);
  inputs.undecided = std::move(probes.undecided);
  for (const auto& c : runtime.containers)
    if (!c.imageRef.empty()) inputs.imageIds[c.imageRef] = d_.images.imageId(c.imageRef);
  inputs.hostIPs = d_.config.nodeIps;
  inputs.terminating = terminating;
  inputs.reason = entry.failReason;
  inputs.message = entry.failMessage;
  inputs.now = d_.config.clock->now();
  PodStatus status = computeStatus(inputs);
  if (status.qosClass == "BestEffort") status.qosClass = qosClassOf(pod);
  PodStatus before;
  entry.over = entry.over || isTerminal(status);
  {
    std::lock_guard lock(mutex_);
    before = entry.hasStatus ? entry.status : entry.pod->status;
    if (entry.apiStatus) before = *std::exchange(entry.apiStatus, std::nullopt);
  }
  if (isTerminal(status) && runtime.anyRunning()) {
    // Succeeded and Failed promise that nothing runs any more: sidecars and late containers end first.
    status.phase = before.phase.empty() || isTerminal(before) ? "Running" : before.phase;
    status.reason = before.reason;
    status.message = before.message;
  }
  uint64_t written = gone ? 0 : TRY(d_.statuses.publish(pod, before, status));
  pod.status = status;  // the rest of the pass goes on from here
  std::lock_guard lock(mutex_);
  entry.written = std::max(entry.written, written);
  entry.status = std::move(status);
  entry.hasStatus = true;
  return okStatus();
}

Status PodWorkers::terminate(Entry& entry, Pod& pod, RuntimePod runtime, bool gone) {
  const std::string& uid = pod.metadata.uid;
  int64_t grace = gracePeriodSeconds(pod);
  if (gone && !pod.metadata.deletionGracePeriodSeconds) grace = std::min<int64_t>(grace, 30);
  if (entry.failReason == "Evicted") grace = 1;  // the node cannot wait
  grace = std::max<int64_t>(grace, 1);
  {
    std::lock_guard lock(mutex_);
    entry.killGrace = grace;
  }
  std::string ip = runtime.sandboxes.empty() || runtime.sandboxes[0].ips.empty() ? "" : runtime.sandboxes[0].ips[0];
  d_.probes.update(entry.pod, runtime, ip, true);
  if (runtime.anyRunning()) {
    // The status may be wrong by now (not ready any more); say so before the wait.
    TRY(publish(entry, pod, runtime, true, gone));
    d_.runtime.killContainers(pod, runtime, seconds(grace), entry.failReason.empty() ? "" : entry.failMessage);
    runtime = TRY(d_.reader.pod(uid));
    keepRuntime(entry, runtime);
    if (runtime.anyRunning()) {
      entry.memory.retryWithin(milliseconds(50));
      return okStatus();
    }
  }
  if (entry.hasStatus) pod.status = entry.status;
  TRY(publish(entry, pod, runtime, true, gone));
  TRY(d_.runtime.stopSandboxes(runtime));
  d_.probes.remove(uid);
  TRY(d_.volumes.tearDown(uid));
  d_.cgroups.removePod(uid);
  entry.terminated = true;
  bool again = gone;
  if (!gone && pod.metadata.deletionTimestamp) TRY(d_.statuses.removePod(pod));
  {
    std::lock_guard lock(mutex_);
    again = again || entry.gone || entry.pod->metadata.deletionTimestamp.has_value();
  }
  if (again) request(uid);
  return okStatus();
}

void PodWorkers::cleanUp(const std::string& uid) {
  auto runtime = d_.reader.pod(uid);
  PodPtr pod;
  {
    std::lock_guard lock(mutex_);
    if (auto it = entries_.find(uid); it != entries_.end()) pod = it->second->pod;
    std::erase_if(byContainer_, [&](const auto& entry) { return entry.second == uid; });
  }
  if (runtime.ok()) d_.runtime.removeAll(*runtime);
  d_.probes.remove(uid);
  d_.images.forget(uid);
  if (auto removed = d_.volumes.tearDown(uid); !removed.ok())
    log::warn("Could not remove the pod's folder", {{"uid", uid}, {"err", removed.error().message()}});
  d_.cgroups.removePod(uid);
  if (!pod) return;
  if (auto removed = removeTree(podLogDir(d_.config, *pod)); !removed.ok())
    log::warn("Could not remove the pod's logs", {{"pod", podKey(*pod)}, {"err", removed.error().message()}});
}

void PodWorkers::removeOrphans() {
  std::set<std::string> wanted;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [uid, entry] : entries_) wanted.insert(uid);
  }
  if (auto pods = d_.reader.allPods(); pods.ok()) {
    for (const auto& [uid, runtime] : *pods) {
      if (wanted.contains(uid)) continue;
      log::info("Removing a pod that is no longer wanted", {{"pod", concat(runtime.ns, "/", runtime.name)}, {"uid", uid}});
      Pod unknown;
      unknown.metadata.name = runtime.name;
      unknown.metadata.namespace_ = runtime.ns;
      unknown.metadata.uid = uid;
      d_.runtime.killContainers(unknown, runtime, seconds(30));
      d_.runtime.removeAll(runtime);
      auto logs = removeTree(podLogDir(d_.config, unknown));
      (void)logs;
    }
  }
  for (const auto& uid : d_.volumes.podUids()) {
    if (wanted.contains(uid)) continue;
    if (auto removed = d_.volumes.tearDown(uid); !removed.ok())
      log::warn("Could not remove an old pod's folder", {{"uid", uid}, {"err", removed.error().message()}});
  }
  for (const auto& uid : d_.cgroups.podUids())
    if (!wanted.contains(uid)) d_.cgroups.removeEmptyPod(uid);
}

}  // namespace skiff::kubelet
