#include "controllers/statefulset_logic.h"

#include "base/strings.h"

namespace skiff::controllers {
namespace {

constexpr std::string_view kRevisionLabel = "controller-revision-hash";

std::string revisionOfPod(const Pod& pod) {
  auto it = pod.metadata.labels.find(std::string(kRevisionLabel));
  return it == pod.metadata.labels.end() ? std::string() : it->second;
}

bool isRunningAndReady(const Pod& pod) { return pod.status.phase == "Running" && isReady(pod); }
bool isHealthy(const Pod& pod) { return isRunningAndReady(pod) && !isTerminating(pod); }

class Planner {
 public:
  Planner(const StatefulSet& set, const std::vector<PodPtr>& pods, const std::string& current,
          const std::string& update, WallTime now)
      : set_(set), current_(current), update_(update), now_(now), status_(plan_.status) {
    start_ = set.spec.ordinals ? set.spec.ordinals->start : 0;
    replicas_ = set.spec.replicas.value_or(1);
    slots_.resize(size_t(replicas_));
    for (const auto& pod : pods) {
      auto ordinal = ordinalOf(set, pod->metadata.name);
      if (!ordinal) continue;
      if (*ordinal >= start_ && *ordinal < start_ + replicas_) slots_[size_t(*ordinal - start_)] = pod;
      else condemned_.emplace_back(*ordinal, pod);
    }
    // The highest goes first.
    std::sort(condemned_.begin(), condemned_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    ordered_ = set.spec.podManagementPolicy != "Parallel";
  }

  StatefulPlan run() {
    count();
    if (!set_.metadata.deletionTimestamp && fillSlots() && scaleDown()) rollOut();
    finishRollout();
    return std::move(plan_);
  }

 private:
  bool available(const Pod& pod) {
    if (auto wait = untilAvailable(pod, set_.spec.minReadySeconds, now_); wait && (!plan_.again || *wait < *plan_.again))
      plan_.again = *wait;
    return isAvailable(pod, set_.spec.minReadySeconds, now_);
  }

  void count() {
    status_ = set_.status;
    status_.observedGeneration = set_.metadata.generation;
    status_.replicas = status_.readyReplicas = status_.availableReplicas = 0;
    status_.currentReplicas = status_.updatedReplicas = 0;
    status_.currentRevision = current_;
    status_.updateRevision = update_;
    auto add = [&](const Pod& pod) {
      ++status_.replicas;
      if (isRunningAndReady(pod)) {
        ++status_.readyReplicas;
        status_.availableReplicas += available(pod);
      }
      if (isTerminating(pod)) return;
      status_.currentReplicas += revisionOfPod(pod) == current_;
      status_.updatedReplicas += revisionOfPod(pod) == update_;
    };
    for (const auto& pod : slots_)
      if (pod) add(*pod);
    for (const auto& [ordinal, pod] : condemned_) add(*pod);
  }

  int partition() const {
    const auto& rolling = set_.spec.updateStrategy.rollingUpdate;
    return rolling ? rolling->partition.value_or(0) : 0;
  }

  // Below the partition a pod that is made again keeps the version the set comes from.
  const std::string& revisionFor(int ordinal) const {
    if (set_.spec.updateStrategy.type == "OnDelete") return update_;
    return ordinal < start_ + partition() ? current_ : update_;
  }

  void create(int ordinal) {
    const std::string& revision = revisionFor(ordinal);
    plan_.create.push_back({ordinal, revision});
    ++status_.replicas;
    status_.currentReplicas += revision == current_;
    status_.updatedReplicas += revision == update_;
  }

  // False when the next step has to wait.
  bool fillSlots() {
    for (size_t i = 0; i < slots_.size(); ++i) {
      const PodPtr& pod = slots_[i];
      if (!pod) {
        create(start_ + int(i));
        if (ordered_) return false;
        continue;
      }
      if (isTerminal(*pod)) {
        if (!isTerminating(*pod)) {
          plan_.remove.push_back({pod, true});
          if (ordered_) return false;
        } else if (ordered_) {
          return false;
        }
        continue;
      }
      if (!ordered_) continue;
      if (isTerminating(*pod) || !isRunningAndReady(*pod) || !available(*pod)) return false;
    }
    return true;
  }

  bool scaleDown() {
    const Pod* firstUnhealthy = nullptr;
    for (const auto& pod : slots_)
      if (pod && !isHealthy(*pod) && firstUnhealthy == nullptr) firstUnhealthy = pod.get();
    for (auto it = condemned_.rbegin(); it != condemned_.rend() && firstUnhealthy == nullptr; ++it)
      if (!isHealthy(*it->second)) firstUnhealthy = it->second.get();
    for (const auto& [ordinal, pod] : condemned_) {
      if (isTerminating(*pod)) {
        if (ordered_) return false;
        continue;
      }
      // One that is not ready may only go when no other is in trouble.
      if (ordered_ && !isRunningAndReady(*pod) && pod.get() != firstUnhealthy) return false;
      plan_.remove.push_back({pod, false});
      status_.currentReplicas -= revisionOfPod(*pod) == current_;
      status_.updatedReplicas -= revisionOfPod(*pod) == update_;
      if (ordered_) return false;
    }
    return true;
  }

  void rollOut() {
    if (set_.spec.updateStrategy.type == "OnDelete") return;
    int budget = 1;
    const auto& rolling = set_.spec.updateStrategy.rollingUpdate;
    if (rolling && rolling->maxUnavailable)
      budget = std::max(1, api::scaledValue(*rolling->maxUnavailable, replicas_, false).value_or(1));
    int down = 0;
    for (const auto& pod : slots_)
      if (budget > 1 && (!pod || !isHealthy(*pod) || !available(*pod))) ++down;
    for (int i = replicas_ - 1; i >= partition() && i >= 0; --i) {
      const PodPtr& pod = slots_[size_t(i)];
      if (!pod) {
        if (budget == 1) return;
        continue;
      }
      bool old = revisionOfPod(*pod) != update_;
      if (old && !isTerminating(*pod)) {
        bool wasDown = budget > 1 && (!isHealthy(*pod) || !isAvailable(*pod, set_.spec.minReadySeconds, now_));
        if (budget > 1 && !wasDown && down >= budget) return;
        plan_.remove.push_back({pod, false});
        status_.currentReplicas -= revisionOfPod(*pod) == current_;
        if (budget == 1) return;
        down += !wasDown;
        continue;
      }
      if (budget == 1 && (!isHealthy(*pod) || !available(*pod))) return;
    }
  }

  // When all pods are of the new version and ready, it is the current one.
  void finishRollout() {
    if (set_.spec.updateStrategy.type == "OnDelete") return;
    if (status_.updatedReplicas == status_.replicas && status_.readyReplicas == status_.replicas &&
        status_.replicas == replicas_ && plan_.create.empty() && plan_.remove.empty()) {
      status_.currentReplicas = status_.updatedReplicas;
      status_.currentRevision = status_.updateRevision;
    }
  }

  const StatefulSet& set_;
  const std::string &current_, &update_;
  WallTime now_;
  StatefulPlan plan_;
  StatefulSetStatus& status_;
  int start_ = 0, replicas_ = 0;
  bool ordered_ = true;
  std::vector<PodPtr> slots_;
  std::vector<std::pair<int, PodPtr>> condemned_;
};

}  // namespace

std::string statefulPodName(const StatefulSet& set, int ordinal) { return concat(set.metadata.name, "-", ordinal); }

std::optional<int> ordinalOf(const StatefulSet& set, std::string_view podName) {
  std::string prefix = set.metadata.name + "-";
  if (!podName.starts_with(prefix)) return std::nullopt;
  std::string_view rest = podName.substr(prefix.size());
  auto number = parseInt(rest);
  if (!number || *number < 0 || *number > INT32_MAX || std::to_string(*number) != rest) return std::nullopt;
  return int(*number);
}

std::string claimName(const StatefulSet& set, const PersistentVolumeClaim& claimTemplate, int ordinal) {
  return concat(claimTemplate.metadata.name, "-", set.metadata.name, "-", ordinal);
}

StatefulPlan planStatefulSet(const StatefulSet& set, const std::vector<PodPtr>& pods, const std::string& current,
                             const std::string& update, WallTime now) {
  return Planner(set, pods, current, update, now).run();
}

Pod statefulPod(const StatefulSet& set, const PodTemplateSpec& podTemplate, int ordinal, const std::string& revision) {
  Pod pod = podFromTemplate(podTemplate, set.metadata.namespace_, set.metadata.name);
  pod.metadata.generateName = set.metadata.name + "-";
  pod.metadata.name = statefulPodName(set, ordinal);
  pod.metadata.labels["statefulset.kubernetes.io/pod-name"] = pod.metadata.name;
  pod.metadata.labels["apps.kubernetes.io/pod-index"] = std::to_string(ordinal);
  pod.metadata.labels[std::string(kRevisionLabel)] = revision;
  pod.spec.hostname = pod.metadata.name;
  pod.spec.subdomain = set.spec.serviceName;
  for (const auto& claim : set.spec.volumeClaimTemplates) {
    std::erase_if(pod.spec.volumes, [&](const auto& volume) { return volume.name == claim.metadata.name; });
    api::core::v1::Volume volume;
    volume.name = claim.metadata.name;
    volume.persistentVolumeClaim.emplace().claimName = claimName(set, claim, ordinal);
    pod.spec.volumes.push_back(std::move(volume));
  }
  return pod;
}

std::vector<PersistentVolumeClaim> claimsOf(const StatefulSet& set, int ordinal) {
  std::vector<PersistentVolumeClaim> out;
  for (const auto& from : set.spec.volumeClaimTemplates) {
    PersistentVolumeClaim claim;
    claim.metadata.name = claimName(set, from, ordinal);
    claim.metadata.namespace_ = set.metadata.namespace_;
    claim.metadata.labels = from.metadata.labels;
    claim.metadata.annotations = from.metadata.annotations;
    if (set.spec.selector)
      for (const auto& [key, value] : set.spec.selector->matchLabels) claim.metadata.labels[key] = value;
    claim.spec = from.spec;
    out.push_back(std::move(claim));
  }
  return out;
}

}  // namespace skiff::controllers
