#include "scheduler/scheduling_queue.h"

#include <algorithm>

#include "api/typed.h"

namespace skiff::scheduler {
namespace {
constexpr milliseconds kFirstBackoff{1000}, kMostBackoff{10000};  // upstream's podInitialBackoffSeconds and max
constexpr milliseconds kPatience{300000};  // an unschedulable pod is tried again after this, whatever happened

// Could the event make room for this pod? Others' placement helps only those who want to be near someone.
bool mayHelp(const PodInfo& pod, ClusterEvent event) {
  return event != ClusterEvent::PodPlaced || !pod.affinity.empty() || !pod.pod->spec.topologySpreadConstraints.empty();
}
}  // namespace

milliseconds SchedulingQueue::backoffOf(int attempts) {
  milliseconds delay = kFirstBackoff;
  for (int i = 1; i < attempts && delay < kMostBackoff; ++i) delay *= 2;
  return std::min(delay, kMostBackoff);
}

void SchedulingQueue::makeReadyLocked(Entry& entry) {
  entry.where = Where::Ready;
  entry.rank = {entry.pod.info->priority, sequence_++, entry.pod.info->pod->metadata.uid};
  ready_.insert(entry.rank);
  changed_.notify_one();
}

void SchedulingQueue::put(const PodPtr& pod) {
  std::lock_guard lock(mutex_);
  const auto& uid = pod->metadata.uid;
  auto it = entries_.find(uid);
  if (it == entries_.end()) {
    Entry entry{{std::make_shared<PodInfo>(pod), 0, clock_.steadyNow()}, Where::Ready, {}};
    makeReadyLocked(entries_.emplace(uid, std::move(entry)).first->second);
    return;
  }
  Entry& entry = it->second;
  bool changed = !api::equal(entry.pod.info->pod->spec, pod->spec) ||
                 entry.pod.info->pod->metadata.labels != pod->metadata.labels;
  if (entry.where == Where::Ready && changed) ready_.erase(entry.rank);
  if (entry.where != Where::Deciding) entry.pod.info = std::make_shared<PodInfo>(pod);
  if (!changed) return;
  if (entry.where == Where::Deciding) {
    entry.pod.info = std::make_shared<PodInfo>(pod);
    entry.wakeAgain = true;
  } else {
    makeReadyLocked(entry);
  }
}

void SchedulingQueue::remove(const std::string& uid) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(uid);
  if (it == entries_.end()) return;
  if (it->second.where == Where::Ready) ready_.erase(it->second.rank);
  entries_.erase(it);
}

void SchedulingQueue::done(const std::string& uid) { remove(uid); }

// Makes ready what is due; gives the time of the next one. Stale times (entries that moved on) are skipped.
std::optional<SteadyTime> SchedulingQueue::moveDueLocked() {
  while (!due_.empty()) {
    auto first = due_.begin();
    if (first->first > clock_.steadyNow()) return first->first;
    auto it = entries_.find(first->second);
    bool waiting = it != entries_.end() && it->second.due == first->first &&
                   (it->second.where == Where::Backoff || it->second.where == Where::Unschedulable);
    due_.erase(first);
    if (waiting) makeReadyLocked(it->second);
  }
  return std::nullopt;
}

std::optional<QueuedPod> SchedulingQueue::pop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto next = moveDueLocked();
    if (closed_) return std::nullopt;
    if (!ready_.empty()) {
      auto uid = ready_.begin()->uid;
      ready_.erase(ready_.begin());
      Entry& entry = entries_.at(uid);
      entry.where = Where::Deciding;
      entry.wakeAgain = false;
      ++entry.pod.attempts;
      return entry.pod;
    }
    if (next) {
      changed_.wait_until(lock, *next);
    } else {
      changed_.wait(lock);
    }
  }
}

void SchedulingQueue::parkLocked(QueuedPod pod, Where where) {
  auto it = entries_.find(pod.info->pod->metadata.uid);
  if (it == entries_.end()) return;  // removed meanwhile
  Entry& entry = it->second;
  bool soon = where == Where::Backoff || entry.wakeAgain;
  entry.where = soon ? Where::Backoff : Where::Unschedulable;
  entry.due = clock_.steadyNow() + (soon ? backoffOf(entry.pod.attempts) : kPatience);
  due_.emplace(entry.due, it->first);
  changed_.notify_one();
}

void SchedulingQueue::unschedulable(QueuedPod pod) {
  std::lock_guard lock(mutex_);
  parkLocked(std::move(pod), Where::Unschedulable);
}

void SchedulingQueue::failed(QueuedPod pod) {
  std::lock_guard lock(mutex_);
  parkLocked(std::move(pod), Where::Backoff);
}

void SchedulingQueue::wake(ClusterEvent event) {
  std::lock_guard lock(mutex_);
  for (auto& [uid, entry] : entries_) {
    if (!mayHelp(*entry.pod.info, event)) continue;
    if (entry.where == Where::Deciding) entry.wakeAgain = true;
    if (entry.where == Where::Unschedulable) makeReadyLocked(entry);
  }
}

void SchedulingQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

size_t SchedulingQueue::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace skiff::scheduler
