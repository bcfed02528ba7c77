#include "scheduler/scheduler.h"

#include <mutex>

#include "base/log.h"
#include "base/strings.h"
#include "client/events.h"
#include "client/informer.h"
#include "client/leader.h"
#include "codec/json.h"
#include "rt/executor.h"
#include "rt/stop.h"
#include "scheduler/decision.h"
#include "scheduler/scheduling_queue.h"

namespace skiff::scheduler {
namespace {

using api::core::v1::Namespace;
using api::core::v1::Node;
using api::core::v1::Pod;
using api::policy::v1::PodDisruptionBudget;

constexpr milliseconds kSyncTimeout{60000};
constexpr size_t kBinders = 16;  // bindings wait for the store's sync: many share one

bool finished(const Pod& pod) { return pod.status.phase == "Succeeded" || pod.status.phase == "Failed"; }

// Heartbeats change nodes all the time; only these parts matter to decisions.
bool matters(const Node& before, const Node& now) {
  return before.spec.unschedulable != now.spec.unschedulable || before.metadata.labels != now.metadata.labels ||
         before.status.allocatable != now.status.allocatable ||
         before.spec.taints.size() != now.spec.taints.size() || !api::equal(before.spec, now.spec);
}

class Scheduler final : public client::Role {
 public:
  explicit Scheduler(SchedulerOptions options)
      : options_(std::move(options)),
        client_(std::make_shared<client::Client>(options_.transport, "kube-scheduler")),
        informers_(client::InformerFactory::create(client_)) {}
  ~Scheduler() override { stop(); }

  Status start() override {
    recorder_ = client::EventRecorder::create(client_, options_.schedulerName);
    binders_ = rt::Executor::create({.name = "bind", .maxThreads = kBinders});
    watchCluster();
    informers_->start();
    if (!informers_->waitForSync(kSyncTimeout)) return Error(Reason::Timeout, "scheduler: caches did not sync");
    loop_ = rt::Thread("schedule", [this] { lead(); });
    return okStatus();
  }

  void stop() override {
    stop_.raise();
    queue_.close();
    loop_.join();
    informers_->stop();
    if (binders_) binders_->stop();
    recorder_.reset();
  }

 private:
  void watchCluster() {
    informers_->of<Node>().addHandler({
        .onAdd = [this](const NodePtr& node) { putNode(node, true); },
        .onUpdate = [this](const NodePtr& before, const NodePtr& now) { putNode(now, matters(*before, *now)); },
        .onDelete = [this](const NodePtr& node) {
          std::lock_guard lock(mutex_);
          state_.removeNode(node->metadata.name);
        }});
    informers_->of<Pod>().addHandler({
        .onAdd = [this](const PodPtr& pod) { putPod(nullptr, pod); },
        .onUpdate = [this](const PodPtr& before, const PodPtr& now) { putPod(before, now); },
        .onDelete = [this](const PodPtr& pod) { removePod(*pod); }});
    informers_->of<Namespace>().addHandler({
        .onAdd = [this](const auto& ns) { putNamespace(*ns); },
        .onUpdate = [this](const auto&, const auto& ns) { putNamespace(*ns); },
        .onDelete = [this](const auto& ns) {
          std::lock_guard lock(mutex_);
          state_.removeNamespace(ns->metadata.name);
        }});
    informers_->of<PodDisruptionBudget>();
  }

  void putNode(const NodePtr& node, bool wake) {
    {
      std::lock_guard lock(mutex_);
      state_.putNode(node);
    }
    if (wake) queue_.wake(ClusterEvent::NodeChanged);
  }

  void putNamespace(const Namespace& ns) {
    std::lock_guard lock(mutex_);
    state_.putNamespace(ns.metadata.name, ns.metadata.labels);
  }

  void putPod(const PodPtr& before, const PodPtr& pod) {
    if (finished(*pod)) return removePod(*pod);
    if (!pod->spec.nodeName.empty()) {
      bool fresh = !before || before->spec.nodeName.empty();
      {
        std::lock_guard lock(mutex_);
        state_.putPod(pod);
      }
      queue_.remove(pod->metadata.uid);
      if (fresh) queue_.wake(ClusterEvent::PodPlaced);
    } else if (pod->spec.schedulerName == options_.schedulerName && pod->spec.schedulingGates.empty() &&
               !pod->metadata.deletionTimestamp) {
      queue_.put(pod);
    } else {
      queue_.remove(pod->metadata.uid);
    }
  }

  void removePod(const Pod& pod) {
    {
      std::lock_guard lock(mutex_);
      state_.removePod(pod.metadata.uid);
    }
    queue_.remove(pod.metadata.uid);
    if (!pod.spec.nodeName.empty()) queue_.wake(ClusterEvent::PodGone);
  }

  void lead() {
    if (!options_.leaderElect) return run();
    client::runLeaderElection(*client_, {.name = "kube-scheduler", .identity = options_.identity}, stop_,
                              [this] { worker_ = rt::Thread("schedule", [this] { run(); }); });
    queue_.close();
    worker_.join();
  }

  void run() {
    while (auto pod = queue_.pop()) scheduleOne(std::move(*pod));
  }

  void scheduleOne(QueuedPod pod) {
    std::unique_lock lock(mutex_);
    Snapshot snapshot = state_.snapshot();
    Decision decision = decide(*pod.info, snapshot, state_, rotation_);
    if (decision.node) {
      std::string node = decision.node->name();
      state_.assume(pod.info, node);
      lock.unlock();
      binders_->submit([this, pod, node] { bind(pod, node); });
      return;
    }
    std::string message = decision.message();
    Preemption preemption;
    if (!decision.preemptible.empty() || decision.nodes > 0)
      preemption = findPreemption(*pod.info, snapshot, decision, budgets());
    std::string nominated;
    if (preemption.node) {
      nominated = preemption.node->name();
      state_.nominate(pod.info, nominated);
    } else if (!preemption.message.empty()) {
      message += concat(" ", preemption.message);
    }
    lock.unlock();
    queue_.unschedulable(pod);
    reportUnschedulable(*pod.info->pod, message, nominated);
    for (const auto& victim : preemption.victims) preempt(*pod.info->pod, *victim->pod, nominated);
  }

  std::vector<BudgetPtr> budgets() { return informers_->of<PodDisruptionBudget>().list(); }

  void bind(const QueuedPod& pod, const std::string& node) {
    const Pod& object = *pod.info->pod;
    api::core::v1::Binding binding;
    binding.metadata.name = object.metadata.name;
    binding.metadata.namespace_ = object.metadata.namespace_;
    binding.metadata.uid = object.metadata.uid;
    binding.target.kind = "Node";
    binding.target.name = node;
    auto bound = client_->createObject(client::resourceOf<Pod>(), object.metadata.namespace_,
                                       api::Object::fromTyped(binding), object.metadata.name, "binding");
    if (bound.ok()) {
      queue_.done(object.metadata.uid);
      recorder_->record(object, "Normal", "Scheduled",
                        concat("Successfully assigned ", pod.info->key, " to ", node));
      return;
    }
    {
      std::lock_guard lock(mutex_);
      state_.forget(object.metadata.uid);
    }
    if (bound.failedWith(Reason::NotFound) || bound.failedWith(Reason::Conflict)) {
      queue_.done(object.metadata.uid);  // gone or bound by another: its next change comes through the watch
      return;
    }
    log::warn("Binding failed", {{"pod", pod.info->key}, {"node", node}, {"err", bound.error().message()}});
    queue_.failed(pod);
  }

  void reportUnschedulable(const Pod& pod, const std::string& message, const std::string& nominated) {
    recorder_->record(pod, "Warning", "FailedScheduling", message);
    for (const auto& condition : pod.status.conditions)
      if (condition.type == "PodScheduled" && condition.status == "False" && condition.message == message &&
          (nominated.empty() || pod.status.nominatedNodeName == nominated))
        return;  // said already
    patchCondition(pod, "PodScheduled", "False", "Unschedulable", message, nominated);
  }

  void patchCondition(const Pod& pod, std::string_view type, std::string_view status, std::string_view reason,
                      std::string_view message, std::string_view nominated) {
    codec::Arena arena;
    auto text = [&](std::string_view s) { return codec::Value::text(arena, s); };
    codec::Value condition;
    condition.set(arena, "type", text(type));
    condition.set(arena, "status", text(status));
    condition.set(arena, "reason", text(reason));
    condition.set(arena, "message", text(message));
    condition.set(arena, "observedGeneration", codec::Value::integer(pod.metadata.generation));
    condition.set(arena, "lastTransitionTime", text(formatRfc3339(Clock::real().now())));
    codec::Value patch;
    auto& body = patch.child(arena, "status");
    body.child(arena, "conditions").push(arena, condition);
    if (!nominated.empty()) body.set(arena, "nominatedNodeName", text(nominated));
    auto patched = client_->patch<Pod>(pod.metadata.namespace_, pod.metadata.name, client::PatchType::StrategicMerge,
                                       codec::toJson(patch), {.subresource = "status"});
    if (!patched.ok() && !patched.failedWith(Reason::NotFound))
      log::warn("Pod condition was not written", {{"pod", pod.metadata.name}, {"err", patched.error().message()}});
  }

  void preempt(const Pod& pod, const Pod& victim, const std::string& node) {
    patchCondition(victim, "DisruptionTarget", "True", "PreemptionByScheduler",
                   concat(options_.schedulerName, ": preempting to accommodate a higher priority pod"), "");
    auto removed = client_->remove<Pod>(victim.metadata.namespace_, victim.metadata.name,
                                        {.uid = victim.metadata.uid});
    if (!removed.ok() && !removed.failedWith(Reason::NotFound)) {
      log::warn("Victim was not deleted", {{"pod", victim.metadata.name}, {"err", removed.error().message()}});
      return;
    }
    recorder_->record(victim, "Normal", "Preempted", concat("Preempted by pod ", pod.metadata.uid, " on node ", node));
  }

  SchedulerOptions options_;
  std::shared_ptr<client::Client> client_;
  std::unique_ptr<client::InformerFactory> informers_;
  std::unique_ptr<client::EventRecorder> recorder_;
  std::unique_ptr<rt::Executor> binders_;
  SchedulingQueue queue_;
  std::mutex mutex_;  // guards state_ and rotation_; taken before the queue's own
  ClusterState state_;
  size_t rotation_ = 0;
  rt::StopSignal stop_;
  rt::Thread loop_, worker_;
};

}  // namespace

std::unique_ptr<client::Role> createScheduler(SchedulerOptions options) {
  return std::make_unique<Scheduler>(std::move(options));
}

}  // namespace skiff::scheduler
