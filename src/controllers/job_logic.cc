#include "controllers/job_logic.h"

#include "base/strings.h"

namespace skiff::controllers {
namespace {

constexpr size_t kUntrackAtOnce = 500;  // pods whose end one sync accounts for, as upstream
constexpr int kCreateAtOnce = 500;
constexpr seconds kBackoffFirst{10}, kBackoffMost{600};

bool isSuspended(const Job& job) { return job.spec.suspend.value_or(false); }
bool onlyReplaceFailed(const Job& job) { return job.spec.podReplacementPolicy == std::optional<std::string>("Failed"); }

bool countsAsFailed(const Job& job, const Pod& pod) {
  if (pod.status.phase == "Failed") return true;
  if (pod.status.phase == "Succeeded" || onlyReplaceFailed(job) || isSuspended(job)) return false;
  return isTerminating(pod);  // it may vanish without ever having failed
}

WallTime endOf(const Pod& pod) {
  WallTime end{};
  for (const auto& status : pod.status.containerStatuses)
    if (status.state.terminated) end = std::max(end, status.state.terminated->finishedAt.value);
  if (end == WallTime{})
    if (const auto* ready = findCondition(pod.status.conditions, "Ready")) end = ready->lastTransitionTime.value;
  if (end == WallTime{} && pod.metadata.deletionTimestamp) end = pod.metadata.deletionTimestamp->value;
  return end == WallTime{} ? pod.metadata.creationTimestamp.value : end;
}

milliseconds backoffAfter(int failures) {
  seconds delay = kBackoffFirst;
  for (int i = 1; i < failures && delay < kBackoffMost; ++i) delay *= 2;
  return std::min(delay, kBackoffMost);
}

int annotationNumber(const Pod& pod, std::string_view key) {
  auto it = pod.metadata.annotations.find(std::string(key));
  return it == pod.metadata.annotations.end() ? 0 : int(parseInt(it->second).value_or(0));
}

struct Finish {
  bool success = false;
  std::string reason, message;
};

// One run of planning; the order of the steps is the order of the calls in run().
class Planner {
 public:
  Planner(const Job& job, const std::vector<PodPtr>& pods, MayCreate mayCreate, WallTime now)
      : job_(job), pods_(pods), mayCreate_(mayCreate), now_(now), status_(plan_.status) {
    status_ = job.status;
    completions_ = job.spec.completions.value_or(0);
    if (isIndexed(job_)) {
      completed_ = parseIndexes(status_.completedIndexes, completions_);
      if (job.spec.backoffLimitPerIndex)
        failedIndexes_ = parseIndexes(status_.failedIndexes.value_or(""), completions_);
    }
  }

  JobPlan run() {
    countUntracked();
    classify();
    decideFinish();
    if (!finish_ && !isSuspended(job_) && !status_.startTime) status_.startTime = api::Time{floorNow()};
    if (!job_.metadata.deletionTimestamp) {
      suspendOrResume();
      if (finish_ || isSuspended(job_)) plan_.remove = active_;
      else if (mayCreate_ == MayCreate::Yes) manage();
    }
    writeNumbers();
    enactFinish();
    return std::move(plan_);
  }

 private:
  WallTime floorNow() const { return std::chrono::floor<seconds>(now_); }
  void wantAgain(milliseconds wait) {
    if (!plan_.again || wait < *plan_.again) plan_.again = std::max(wait, milliseconds(1));
  }

  // Ends whose finalizer is gone are counted for good.
  void countUntracked() {
    std::set<std::string> tracked;
    for (const auto& pod : pods_)
      if (hasJobFinalizer(*pod)) tracked.insert(pod->metadata.uid);
    auto& uncounted = status_.uncountedTerminatedPods.ensure();
    auto settle = [&](std::vector<std::string>& uids, int32_t& counter) {
      std::erase_if(uids, [&](const std::string& uid) {
        if (tracked.contains(uid)) return false;
        ++counter;
        return true;
      });
    };
    settle(uncounted.succeeded, status_.succeeded);
    settle(uncounted.failed, status_.failed);
  }

  void classify() {
    auto& uncounted = *status_.uncountedTerminatedPods;
    std::set<std::string> known(uncounted.succeeded.begin(), uncounted.succeeded.end());
    known.insert(uncounted.failed.begin(), uncounted.failed.end());
    bool over = job_.metadata.deletionTimestamp || finishTime(job_);
    for (const auto& pod : pods_) {
      if (isActive(*pod)) active_.push_back(pod);
      else if (isTerminating(*pod) && !isTerminal(*pod)) ++terminating_;
      if (isIndexed(job_) && countsAsFailed(job_, *pod)) noteIndexFailure(*pod);
      if (!hasJobFinalizer(*pod)) continue;
      bool ended = isTerminal(*pod) || countsAsFailed(job_, *pod) || (isTerminating(*pod) && isSuspended(job_));
      if (!ended && !over) continue;
      if (plan_.untrack.size() == kUntrackAtOnce) {
        wantAgain(milliseconds(100));
        continue;
      }
      plan_.untrack.push_back(pod);
      if (over || known.contains(pod->metadata.uid)) continue;
      account(*pod);
    }
  }

  void account(const Pod& pod) {
    auto& uncounted = *status_.uncountedTerminatedPods;
    auto index = completionIndex(pod);
    bool validIndex = index && *index >= 0 && *index < completions_;
    if (isIndexed(job_) && !validIndex) return;
    if (pod.status.phase == "Succeeded") {
      if (isIndexed(job_)) {
        completed_.insert(*index);
        failedIndexes_.erase(*index);
      } else {
        uncounted.succeeded.push_back(pod.metadata.uid);
      }
    } else if (countsAsFailed(job_, pod)) {
      auto verdict = matchFailurePolicy(job_, pod);
      if (verdict.action == "FailJob" && failJobMessage_.empty()) failJobMessage_ = verdict.message;
      if (verdict.action != "Ignore") uncounted.failed.push_back(pod.metadata.uid);
    }
  }

  void noteIndexFailure(const Pod& pod) {
    auto index = completionIndex(pod);
    if (!index || *index < 0 || *index >= completions_) return;
    auto verdict = matchFailurePolicy(job_, pod);
    int failures = annotationNumber(pod, kIndexFailures) + (verdict.action == "Ignore" ? 0 : 1);
    indexFailures_[*index] = std::max(indexFailures_[*index], failures);
    indexFailedAt_[*index] = std::max(indexFailedAt_[*index], endOf(pod));
    if (job_.spec.backoffLimitPerIndex && !completed_.contains(*index) &&
        (verdict.action == "FailIndex" || failures > *job_.spec.backoffLimitPerIndex))
      failedIndexes_.insert(*index);
  }

  int succeeded() const {
    if (isIndexed(job_)) return int(completed_.size());
    return status_.succeeded + int(status_.uncountedTerminatedPods->succeeded.size());
  }
  int failed() const { return status_.failed + int(status_.uncountedTerminatedPods->failed.size()); }

  bool restartedTooOften() const {
    if (job_.spec.template_.spec.restartPolicy != "OnFailure") return false;
    int restarts = 0;
    for (const auto& pod : pods_) {
      if (pod->status.phase != "Running" && pod->status.phase != "Pending") continue;
      for (const auto& status : pod->status.initContainerStatuses) restarts += status.restartCount;
      for (const auto& status : pod->status.containerStatuses) restarts += status.restartCount;
    }
    int limit = job_.spec.backoffLimit.value_or(6);
    return limit == 0 ? restarts > 0 : restarts >= limit;
  }

  void decideFinish() {
    if (const auto* condition = findCondition(status_.conditions, "FailureTarget"); condition && condition->status == "True") {
      finish_ = Finish{false, condition->reason, condition->message};
      return;
    }
    if (const auto* condition = findCondition(status_.conditions, "SuccessCriteriaMet");
        condition && condition->status == "True") {
      finish_ = Finish{true, condition->reason, condition->message};
      return;
    }
    if (finishTime(job_)) return;
    auto fail = [&](std::string reason, std::string message) { finish_ = Finish{false, std::move(reason), std::move(message)}; };
    if (!failJobMessage_.empty()) return fail("PodFailurePolicy", failJobMessage_);
    if (failed() > job_.spec.backoffLimit.value_or(6) || restartedTooOften())
      return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    if (job_.spec.activeDeadlineSeconds && status_.startTime && !isSuspended(job_)) {
      auto left = status_.startTime->value + seconds(*job_.spec.activeDeadlineSeconds) - now_;
      if (left <= microseconds(0)) return fail("DeadlineExceeded", "Job was active longer than specified deadline");
      wantAgain(std::chrono::ceil<milliseconds>(left));
    }
    if (isIndexed(job_) && decideByIndexes()) return;
    bool complete = job_.spec.completions ? succeeded() >= *job_.spec.completions
                                          : succeeded() > 0 && active_.empty();
    if (complete) finish_ = Finish{true, "CompletionsReached", "Reached expected number of succeeded pods"};
  }

  bool decideByIndexes() {
    if (job_.spec.backoffLimitPerIndex) {
      if (job_.spec.maxFailedIndexes && int(failedIndexes_.size()) > *job_.spec.maxFailedIndexes) {
        finish_ = Finish{false, "MaxFailedIndexesExceeded",
                         "Job has exceeded the specified maximal number of failed indexes"};
        return true;
      }
    }
    if (job_.spec.successPolicy) {
      const auto& rules = job_.spec.successPolicy->rules;
      for (size_t i = 0; i < rules.size(); ++i) {
        std::set<int> wanted;
        if (rules[i].succeededIndexes) wanted = parseIndexes(*rules[i].succeededIndexes, completions_);
        int hits = 0;
        for (int index : completed_) hits += !rules[i].succeededIndexes || wanted.contains(index);
        int needed = rules[i].succeededCount.value_or(int(wanted.size()));
        if (hits < needed) continue;
        finish_ = Finish{true, "SuccessPolicy", concat("Matched rules at index ", i)};
        return true;
      }
    }
    if (!failedIndexes_.empty() && int(failedIndexes_.size()) + succeeded() >= completions_) {
      finish_ = Finish{false, "FailedIndexes", "Job has failed indexes"};
      return true;
    }
    return false;
  }

  void suspendOrResume() {
    if (finish_ || finishTime(job_)) return;
    const auto* condition = findCondition(status_.conditions, "Suspended");
    if (isSuspended(job_)) {
      if (condition != nullptr && condition->status == "True") return;
      setCondition(status_.conditions, "Suspended", "True", "JobSuspended", "Job suspended", now_);
      status_.startTime.reset();
      plan_.events.push_back({"Normal", "Suspended", "Job suspended"});
    } else if (condition != nullptr && condition->status == "True") {
      setCondition(status_.conditions, "Suspended", "False", "JobResumed", "Job resumed", now_);
      // The deadline counts from the resumption.
      status_.startTime = api::Time{floorNow()};
      plan_.events.push_back({"Normal", "Resumed", "Job resumed"});
      if (job_.spec.activeDeadlineSeconds) wantAgain(seconds(*job_.spec.activeDeadlineSeconds));
    }
  }

  int wantedActive() const {
    int parallelism = job_.spec.parallelism.value_or(1);
    if (!job_.spec.completions) return succeeded() > 0 ? int(active_.size()) : parallelism;
    int open = *job_.spec.completions - succeeded() - int(failedIndexes_.size());
    return std::max(0, std::min(parallelism, open));
  }

  void manage() {
    std::vector<PodPtr> surplus = isIndexed(job_) ? surplusIndexed() : std::vector<PodPtr>{};
    int active = int(active_.size() - surplus.size());
    int wanted = wantedActive();
    if (active > wanted) {
      // The least advanced go first.
      std::vector<PodPtr> rest;
      for (const auto& pod : active_)
        if (std::find(surplus.begin(), surplus.end(), pod) == surplus.end()) rest.push_back(pod);
      std::stable_sort(rest.begin(), rest.end(), [](const PodPtr& a, const PodPtr& b) {
        if (a->spec.nodeName.empty() != b->spec.nodeName.empty()) return a->spec.nodeName.empty();
        if (isReady(*a) != isReady(*b)) return !isReady(*a);
        return a->metadata.creationTimestamp > b->metadata.creationTimestamp;
      });
      surplus.insert(surplus.end(), rest.begin(), rest.begin() + (active - wanted));
    }
    plan_.remove = std::move(surplus);
    if (!plan_.remove.empty()) return;
    int missing = wanted - active - (onlyReplaceFailed(job_) ? terminating_ : 0);
    missing = std::min(missing, kCreateAtOnce);
    if (missing <= 0) return;
    if (isIndexed(job_)) return addIndexes(missing);
    if (auto wait = backoffLeft()) return wantAgain(*wait);
    plan_.create.assign(size_t(missing), std::nullopt);
  }

  // Pods of an index that has another pod, is done, failed or out of range.
  std::vector<PodPtr> surplusIndexed() const {
    std::vector<PodPtr> out;
    std::set<int> seen;
    for (const auto& pod : active_) {
      auto index = completionIndex(*pod);
      bool useful = index && *index >= 0 && *index < completions_ && !completed_.contains(*index) &&
                    !failedIndexes_.contains(*index) && seen.insert(*index).second;
      if (!useful) out.push_back(pod);
    }
    return out;
  }

  void addIndexes(int missing) {
    std::set<int> busy;
    for (const auto& pod : pods_) {
      bool holds = isActive(*pod) || (onlyReplaceFailed(job_) && isTerminating(*pod) && !isTerminal(*pod));
      if (auto index = completionIndex(*pod); index && holds) busy.insert(*index);
    }
    std::optional<milliseconds> wait;
    if (!job_.spec.backoffLimitPerIndex) {
      wait = backoffLeft();
      if (wait) return wantAgain(*wait);
    }
    for (int index = 0; index < completions_ && missing > 0; ++index) {
      if (busy.contains(index) || completed_.contains(index) || failedIndexes_.contains(index)) continue;
      auto failures = indexFailures_.find(index);
      if (job_.spec.backoffLimitPerIndex && failures != indexFailures_.end()) {
        auto left = indexFailedAt_[index] + backoffAfter(failures->second) - now_;
        if (left > microseconds(0)) {
          wantAgain(std::chrono::ceil<milliseconds>(left));
          continue;
        }
      }
      plan_.create.push_back(index);
      plan_.indexFailures[index] = failures == indexFailures_.end() ? 0 : failures->second;
      --missing;
    }
  }

  // Time until pods may be made again after failures in a row.
  std::optional<milliseconds> backoffLeft() const {
    WallTime lastSuccess{}, lastFailure{};
    for (const auto& pod : pods_)
      if (pod->status.phase == "Succeeded") lastSuccess = std::max(lastSuccess, endOf(*pod));
    int failures = 0;
    for (const auto& pod : pods_) {
      if (pod->status.phase != "Failed" || endOf(*pod) < lastSuccess) continue;
      if (matchFailurePolicy(job_, *pod).action == "Ignore") continue;
      ++failures;
      lastFailure = std::max(lastFailure, endOf(*pod));
    }
    if (failures == 0) return std::nullopt;
    auto left = lastFailure + backoffAfter(failures) - now_;
    if (left <= microseconds(0)) return std::nullopt;
    return std::chrono::ceil<milliseconds>(left);
  }

  void writeNumbers() {
    status_.active = int32_t(active_.size() - plan_.remove.size() + plan_.create.size());
    status_.terminating = terminating_ + int32_t(plan_.remove.size());
    int32_t ready = 0;
    for (const auto& pod : active_) ready += isReady(*pod) && std::find(plan_.remove.begin(), plan_.remove.end(), pod) == plan_.remove.end();
    status_.ready = ready;
    if (isIndexed(job_)) {
      status_.completedIndexes = formatIndexes(completed_);
      status_.succeeded = int32_t(completed_.size());
      if (job_.spec.backoffLimitPerIndex) status_.failedIndexes = formatIndexes(failedIndexes_);
    }
  }

  // First the target condition; the final one when no pod runs and every end is counted.
  void enactFinish() {
    if (!finish_ || finishTime(job_)) return;
    setCondition(status_.conditions, finish_->success ? "SuccessCriteriaMet" : "FailureTarget", "True", finish_->reason,
                 finish_->message, now_);
    const auto& uncounted = *status_.uncountedTerminatedPods;
    bool settled = active_.empty() && terminating_ == 0 && plan_.untrack.empty() && uncounted.succeeded.empty() &&
                   uncounted.failed.empty();
    if (!settled) return;
    setCondition(status_.conditions, finish_->success ? "Complete" : "Failed", "True", finish_->reason, finish_->message,
                 now_);
    if (finish_->success) {
      status_.completionTime = api::Time{floorNow()};
      plan_.events.push_back({"Normal", "Completed", "Job completed"});
    } else {
      plan_.events.push_back({"Warning", finish_->reason, finish_->message});
    }
    if (!status_.startTime) status_.startTime = api::Time{floorNow()};
  }

  const Job& job_;
  const std::vector<PodPtr>& pods_;
  MayCreate mayCreate_;
  WallTime now_;
  JobPlan plan_;
  JobStatus& status_;
  int completions_ = 0;
  int terminating_ = 0;
  std::vector<PodPtr> active_;
  std::set<int> completed_, failedIndexes_;
  std::map<int, int> indexFailures_;
  std::map<int, WallTime> indexFailedAt_;
  std::string failJobMessage_;
  std::optional<Finish> finish_;
};

}  // namespace

std::optional<WallTime> finishTime(const Job& job) {
  for (std::string_view type : {"Complete", "Failed"})
    if (const auto* condition = findCondition(job.status.conditions, type); condition && condition->status == "True")
      return job.status.completionTime && type == "Complete" ? job.status.completionTime->value
                                                             : condition->lastTransitionTime.value;
  return std::nullopt;
}

bool hasJobFinalizer(const Pod& pod) {
  return std::find(pod.metadata.finalizers.begin(), pod.metadata.finalizers.end(), kJobFinalizer) !=
         pod.metadata.finalizers.end();
}

bool isIndexed(const Job& job) { return job.spec.completionMode == std::optional<std::string>("Indexed"); }

std::optional<int> completionIndex(const Pod& pod) {
  auto it = pod.metadata.annotations.find(std::string(kCompletionIndex));
  if (it == pod.metadata.annotations.end()) return std::nullopt;
  auto number = parseInt(it->second);
  if (!number || *number < 0 || *number > INT32_MAX) return std::nullopt;
  return int(*number);
}

std::set<int> parseIndexes(std::string_view text, int completions) {
  std::set<int> out;
  for (std::string_view part : splitNonEmpty(text, ',')) {
    auto range = cut(part, "-");
    auto from = parseInt(range ? range->first : part), to = parseInt(range ? range->second : part);
    if (!from || !to) continue;
    for (int64_t i = std::max<int64_t>(*from, 0); i <= *to && i < completions; ++i) out.insert(int(i));
  }
  return out;
}

std::string formatIndexes(const std::set<int>& indexes) {
  std::vector<std::string> parts;
  for (auto it = indexes.begin(); it != indexes.end();) {
    int from = *it, to = from;
    while (++it != indexes.end() && *it == to + 1) ++to;
    if (to == from) parts.push_back(std::to_string(from));
    else if (to == from + 1) parts.push_back(concat(from, ",", to));
    else parts.push_back(concat(from, "-", to));
  }
  return join(parts, ",");
}

FailureVerdict matchFailurePolicy(const Job& job, const Pod& pod) {
  if (!job.spec.podFailurePolicy || pod.status.phase != "Failed") return {};
  const auto& rules = job.spec.podFailurePolicy->rules;
  for (size_t i = 0; i < rules.size(); ++i) {
    const auto& rule = rules[i];
    if (rule.onExitCodes) {
      const auto& wanted = *rule.onExitCodes;
      for (const auto* statuses : {&pod.status.containerStatuses, &pod.status.initContainerStatuses})
        for (const auto& status : *statuses) {
          if (wanted.containerName && *wanted.containerName != status.name) continue;
          if (!status.state.terminated || status.state.terminated->exitCode == 0) continue;
          int code = status.state.terminated->exitCode;
          bool listed = std::find(wanted.values.begin(), wanted.values.end(), code) != wanted.values.end();
          if (listed != (wanted.operator_ == "In")) continue;
          return {rule.action, concat("Container ", status.name, " for pod ", pod.metadata.namespace_, "/",
                                      pod.metadata.name, " failed with exit code ", code, " matching ", rule.action,
                                      " rule at index ", i)};
        }
    }
    for (const auto& pattern : rule.onPodConditions) {
      if (!conditionIs(pod.status.conditions, pattern.type, pattern.status.empty() ? "True" : pattern.status)) continue;
      return {rule.action, concat("Pod ", pod.metadata.namespace_, "/", pod.metadata.name, " has condition ",
                                  pattern.type, " matching ", rule.action, " rule at index ", i)};
    }
  }
  return {};
}

JobPlan planJob(const Job& job, const std::vector<PodPtr>& pods, MayCreate mayCreate, WallTime now) {
  return Planner(job, pods, mayCreate, now).run();
}

Pod jobPod(const Job& job, std::optional<int> index, int indexFailures) {
  Pod pod = podFromTemplate(job.spec.template_, job.metadata.namespace_, job.metadata.name);
  pod.metadata.finalizers.emplace_back(kJobFinalizer);
  if (!index) return pod;
  std::string number = std::to_string(*index);
  pod.metadata.annotations[std::string(kCompletionIndex)] = number;
  pod.metadata.labels[std::string(kCompletionIndex)] = number;
  if (job.spec.backoffLimitPerIndex)
    pod.metadata.annotations[std::string(kIndexFailures)] = std::to_string(indexFailures);
  pod.spec.hostname = concat(job.metadata.name, "-", number);
  pod.metadata.generateName = concat(job.metadata.name, "-", number, "-");
  auto addIndexVariable = [](auto& containers) {
    for (auto& container : containers) {
      bool has = std::any_of(container.env.begin(), container.env.end(),
                             [](const auto& env) { return env.name == "JOB_COMPLETION_INDEX"; });
      if (has) continue;
      api::core::v1::EnvVar env;
      env.name = "JOB_COMPLETION_INDEX";
      env.valueFrom.emplace().fieldRef.emplace().fieldPath = concat("metadata.labels['", kCompletionIndex, "']");
      container.env.push_back(std::move(env));
    }
  };
  addIndexVariable(pod.spec.containers);
  addIndexVariable(pod.spec.initContainers);
  return pod;
}

}  // namespace skiff::controllers
