#include "client/workqueue.h"

#include "base/log.h"
#include "base/strings.h"

namespace skiff::client {

void WorkQueue::add(const std::string& key) {
  std::lock_guard lock(mutex_);
  addLocked(key);
}

void WorkQueue::addLocked(const std::string& key) {
  if (shutDown_ || !dirty_.insert(key).second) return;
  if (busy_.contains(key)) return;  // done() will queue it again
  ready_.push_back(key);
  changed_.notify_one();
}

void WorkQueue::addAfter(const std::string& key, milliseconds delay) {
  if (delay <= milliseconds(0)) return add(key);
  std::lock_guard lock(mutex_);
  if (shutDown_) return;
  SteadyTime at = clock_.steadyNow() + delay;
  auto known = delayedAt_.find(key);
  if (known != delayedAt_.end()) {
    if (known->second <= at) return;  // the sooner wish holds
    auto [from, to] = delayed_.equal_range(known->second);
    for (auto it = from; it != to; ++it)
      if (it->second == key) {
        delayed_.erase(it);
        break;
      }
  }
  delayedAt_[key] = at;
  delayed_.emplace(at, key);
  changed_.notify_one();
}

void WorkQueue::addRateLimited(const std::string& key) {
  milliseconds delay = backoff_.first;
  {
    std::lock_guard lock(mutex_);
    int failed = failures_[key]++;
    for (int i = 0; i < failed && delay < backoff_.most; ++i) delay *= 2;
  }
  addAfter(key, std::min(delay, backoff_.most));
}

void WorkQueue::forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  failures_.erase(key);
}

int WorkQueue::failures(const std::string& key) const {
  std::lock_guard lock(mutex_);
  auto it = failures_.find(key);
  return it == failures_.end() ? 0 : it->second;
}

// Queues what is due; gives the time of the next one.
std::optional<SteadyTime> WorkQueue::moveDueLocked() {
  while (!delayed_.empty()) {
    auto first = delayed_.begin();
    if (first->first > clock_.steadyNow()) return first->first;
    std::string key = std::move(first->second);
    delayed_.erase(first);
    delayedAt_.erase(key);
    addLocked(key);
  }
  return std::nullopt;
}

std::optional<std::string> WorkQueue::get() {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto next = moveDueLocked();
    if (!ready_.empty()) {
      std::string key = std::move(ready_.front());
      ready_.pop_front();
      dirty_.erase(key);
      busy_.insert(key);
      return key;
    }
    if (shutDown_) return std::nullopt;
    if (next) {
      changed_.wait_until(lock, *next);
    } else {
      changed_.wait(lock);
    }
  }
}

void WorkQueue::done(const std::string& key) {
  std::lock_guard lock(mutex_);
  busy_.erase(key);
  if (!dirty_.contains(key)) return;
  ready_.push_back(key);
  changed_.notify_one();
}

void WorkQueue::shutDown() {
  std::lock_guard lock(mutex_);
  shutDown_ = true;
  delayed_.clear();
  delayedAt_.clear();
  changed_.notify_all();
}

size_t WorkQueue::size() const {
  std::lock_guard lock(mutex_);
  return ready_.size();
}

ReconcileLoop::ReconcileLoop(std::string name, int workers, Reconcile reconcile, WorkQueue::Backoff backoff)
    : name_(std::move(name)), workers_(workers), reconcile_(std::move(reconcile)), queue_(backoff) {}

ReconcileLoop::~ReconcileLoop() { stop(); }

void ReconcileLoop::start() {
  for (int i = 0; i < workers_; ++i) threads_.emplace_back(name_.substr(0, 15), [this] { work(); });
}

void ReconcileLoop::stop() {
  queue_.shutDown();
  threads_.clear();
}

void ReconcileLoop::work() {
  while (auto key = queue_.get()) {
    auto result = reconcile_(*key);
    if (result.ok()) {
      queue_.forget(*key);
      if (result->after > milliseconds(0)) queue_.addAfter(*key, result->after);
    } else {
      // Conflicts are daily bread: the next run reads the newer state.
      if (result.failedWith(Reason::Conflict)) {
        log::debug("Reconcile met a conflict", {{"controller", name_}, {"key", *key}});
      } else {
        log::warn("Reconcile failed", {{"controller", name_}, {"key", *key}, {"err", result.error().message()}});
      }
      queue_.addRateLimited(*key);
    }
    queue_.done(*key);
  }
}

}  // namespace skiff::client
