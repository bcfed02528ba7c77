#include "kubelet/probes.h"

#include "base/strings.h"

namespace skiff::kubelet {
namespace {

constexpr std::string_view kUserAgent = "kube-probe/1.37";

std::string_view kindName(ProbeKind kind) {
  return kind == ProbeKind::Liveness ? "Liveness" : kind == ProbeKind::Readiness ? "Readiness" : "Startup";
}

const api::Box<api::core::v1::Probe>& probeOf(const Container& c, ProbeKind kind) {
  return kind == ProbeKind::Liveness ? c.livenessProbe : kind == ProbeKind::Readiness ? c.readinessProbe : c.startupProbe;
}

// Does the API know this very run of the container as ready, or started? Then a restart of the kubelet changes nothing:
// taking it out of its services until the next probe would drop their traffic.
bool passedBefore(const Pod& pod, const RuntimeContainer& now, ProbeKind kind) {
  for (const auto* statuses : {&pod.status.containerStatuses, &pod.status.initContainerStatuses})
    for (const auto& status : *statuses)
      if (status.containerID.ends_with(concat("/", now.id)))
        return kind == ProbeKind::Readiness ? status.ready : kind == ProbeKind::Startup && status.started.value_or(false);
  return false;
}

}  // namespace

struct ProbeManager::Worker {
  Worker(PodPtr p, Container c, ContainerKind ofContainer, ProbeKind ofProbe)
      : pod(std::move(p)), container(std::move(c)), containerKind(ofContainer), kind(ofProbe),
        probe(*probeOf(container, ofProbe)), state(ofProbe, probe.successThreshold, probe.failureThreshold) {}
  const PodPtr pod;
  const Container container;
  const ContainerKind containerKind;
  const ProbeKind kind;
  const api::core::v1::Probe probe;
  std::string containerId, podIp;
  WallTime startedAt{};
  // Guarded by the manager's mutex.
  ProbeState state;
  bool removed = false;
};

ProbeManager::ProbeManager(cri::Client& runtime, client::EventRecorder& events, const Clock& clock,
                           std::function<void(const std::string&)> onChange)
    : runtime_(runtime), handlers_(runtime), events_(events), clock_(clock), onChange_(std::move(onChange)) {}

ProbeManager::~ProbeManager() { stop(); }

void ProbeManager::start() {
  // A probe may hang for its whole timeout; that many may do so at once before others are late.
  executor_ = rt::Executor::create({.name = "kubelet-probe", .maxThreads = 64});
  thread_ = rt::Thread("kubelet-probes", [this] { schedule(); });
}

void ProbeManager::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (executor_) executor_->stop();
}

void ProbeManager::update(const PodPtr& pod, const RuntimePod& runtime, const std::string& podIp, bool terminating) {
  const std::string& uid = pod->metadata.uid;
  std::lock_guard lock(mutex_);
  std::set<Key> wanted;
  eachContainer(*pod, [&](const Container& c, ContainerKind kind) {
    if (kind == ContainerKind::Ephemeral || (kind == ContainerKind::Init && !isSidecar(c))) return;
    const RuntimeContainer* now = runtime.latest(c.name);
    if (now == nullptr || !now->running()) return;
    for (ProbeKind probe : {ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness}) {
      if (!probeOf(c, probe) || (terminating && probe != ProbeKind::Readiness)) continue;
      Key key = concat(uid, "/", c.name, "/", kindName(probe));
      wanted.insert(key);
      auto& worker = workers_[key];
      if (worker && worker->containerId == now->id) continue;
      if (worker) worker->removed = true;
      worker = std::make_shared<Worker>(pod, c, kind, probe);
      worker->containerId = now->id;
      worker->podIp = podIp;
      worker->startedAt = fromNanos(now->startedAt);
      if (passedBefore(*pod, *now, probe)) worker->state.resume();
      auto wait = worker->startedAt + seconds(worker->probe.initialDelaySeconds) - clock_.now();
      due_.emplace(clock_.steadyNow() + std::max(microseconds(0), wait), worker);
    }
  });
  for (auto it = workers_.lower_bound(uid + "/"); it != workers_.end() && it->first.starts_with(uid + "/");) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    it->second->removed = true;
    it = workers_.erase(it);
  }
  changed_.notify_all();
}

void ProbeManager::remove(const std::string& uid) {
  std::lock_guard lock(mutex_);
  for (auto it = workers_.lower_bound(uid + "/"); it != workers_.end() && it->first.starts_with(uid + "/");) {
    it->second->removed = true;
    it = workers_.erase(it);
  }
}

ProbeManager::Results ProbeManager::results(const std::string& uid) const {
  Results out;
  std::lock_guard lock(mutex_);
  for (auto it = workers_.lower_bound(uid + "/"); it != workers_.end() && it->first.starts_with(uid + "/"); ++it) {
    const Worker& w = *it->second;
    const std::string& name = w.container.name;
    if (w.kind != ProbeKind::Liveness && !w.state.decided()) out.undecided.insert(name);
    switch (w.kind) {
      case ProbeKind::Readiness: out.ready[name] = w.state.result(); break;
      case ProbeKind::Startup:
        out.started[name] = w.state.result();
        if (w.state.failedForGood()) out.failedStartup.insert(name);
        break;
      case ProbeKind::Liveness:
        if (w.state.failedForGood()) out.failedLiveness.insert(name);
        break;
    }
  }
  return out;
}

void ProbeManager::schedule() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (due_.empty()) {
      changed_.wait(lock);
      continue;
    }
    auto first = due_.begin();
    if (first->first > clock_.steadyNow()) {
      changed_.wait_until(lock, first->first);
      continue;
    }
    auto worker = first->second.lock();
    due_.erase(first);
    if (!worker || worker->removed) continue;
    executor_->submit([this, worker] { run(worker); });
  }
}

ActionResult ProbeManager::probeOnce(const Worker& w) {
  seconds timeout(std::max(w.probe.timeoutSeconds, 1));
  if (w.probe.exec) return handlers_.exec(w.containerId, w.probe.exec->command, timeout);
  if (w.probe.httpGet) return handlers_.httpGet(*w.probe.httpGet, w.container, w.podIp, timeout, kUserAgent);
  if (w.probe.tcpSocket) return handlers_.tcp(*w.probe.tcpSocket, w.container, w.podIp, timeout);
  if (w.probe.grpc) return handlers_.grpc(*w.probe.grpc, w.podIp, timeout);
  return {ActionResult::Kind::Unknown, "no action"};
}

void ProbeManager::run(const std::shared_ptr<Worker>& worker) {
  Worker& w = *worker;
  const std::string uid = w.pod->metadata.uid;
  const seconds period(std::max(w.probe.periodSeconds, 1));
  auto begin = clock_.steadyNow();
  bool skip = false;
  {
    std::lock_guard lock(mutex_);
    // The others wait until the container has started; a startup probe that succeeded is done.
    auto startup = workers_.find(concat(uid, "/", w.container.name, "/Startup"));
    bool started = startup == workers_.end() || startup->second->state.result();
    skip = w.kind == ProbeKind::Startup ? started : !started;
  }
  bool changed = false;
  if (!skip) {
    ActionResult result = probeOnce(w);
    using Kind = ActionResult::Kind;
    bool success = result.kind == Kind::Success || result.kind == Kind::Warning;
    {
      std::lock_guard lock(mutex_);
      if (w.removed) return;
      if (result.kind != Kind::Unknown) changed = w.state.record(success);
    }
    auto about = client::EventRecorder::referenceTo(*w.pod);
    about.fieldPath = fieldPathOf(w.container.name, w.containerKind);
    if (result.kind == Kind::Failure)
      events_.record(about, "Warning", "Unhealthy", concat(kindName(w.kind), " probe failed: ", result.output));
    if (result.kind == Kind::Unknown)
      events_.record(about, "Warning", "Unhealthy", concat(kindName(w.kind), " probe errored and resulted in unknown state: ", result.output));
    if (result.kind == Kind::Warning)
      events_.record(about, "Warning", "ProbeWarning", concat(kindName(w.kind), " probe warning: ", result.output));
  }
  {
    std::lock_guard lock(mutex_);
    if (w.removed || stopped_) return;
    if (!(w.kind == ProbeKind::Startup && w.state.result())) {
      due_.emplace(begin + period, worker);
    }
    if (changed && w.kind == ProbeKind::Startup && w.state.result()) {
      // What waited for the start begins now, not at its next turn.
      for (auto kind : {ProbeKind::Liveness, ProbeKind::Readiness}) {
        auto it = workers_.find(concat(uid, "/", w.container.name, "/", kindName(kind)));
        if (it == workers_.end()) continue;
        std::erase_if(due_, [&](const auto& entry) { return entry.second.lock() == it->second; });
        due_.emplace(clock_.steadyNow(), it->second);
      }
    }
    changed_.notify_all();
  }
  if (changed) onChange_(uid);
}

}  // namespace skiff::kubelet
