#include "apiserver/audit/event_queue.h"

#include <algorithm>

#include "base/log.h"

namespace skiff::apiserver::audit {
namespace {
// A batch is tried so often, with pauses that double, before its events are given up.
constexpr int kTries = 5;
}  // namespace

EventQueue::EventQueue(std::unique_ptr<Sink> sink, Mode mode, BatchOptions options, std::chrono::milliseconds firstBackoff,
                       int64_t maxBatchBytes)
    : sink_(std::move(sink)), mode_(mode), options_(options), firstBackoff_(firstBackoff), maxBatchBytes_(size_t(maxBatchBytes)) {
  if (mode_ == Mode::Batch) thread_ = rt::Thread("audit", [this] { run(); });
}

bool EventQueue::addNow(const std::string& event) {
  std::lock_guard lock(sinkMutex_);
  if (sink_->write({&event, 1}).ok()) return true;
  drop();
  return false;
}

bool EventQueue::add(std::string event) {
  if (mode_ == Mode::Blocking) return addNow(event);
  {
    std::lock_guard lock(mutex_);
    if (stopped_ || waiting_.size() >= size_t(options_.bufferSize)) {
      drop();
      return false;
    }
    waiting_.push_back(std::move(event));
    if (waiting_.size() != 1 && waiting_.size() < size_t(options_.maxSize)) return true;
  }
  changed_.notify_one();
  return true;
}

void EventQueue::stop() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  changed_.notify_all();
  thread_.join();
}

bool EventQueue::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return stopped_; });
}

void EventQueue::run() {
  for (;;) {
    std::vector<std::string> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopped_ || !waiting_.empty(); });
      // A batch goes when it is full, or when its first event has waited long enough.
      auto full = [&] { return stopped_ || waiting_.size() >= size_t(options_.maxSize); };
      if (options_.maxWait.count() > 0) changed_.wait_for(lock, options_.maxWait, full);
      if (waiting_.empty()) return;
      batch = takeBatch();
    }
    throttle();
    writeBatch(batch);
  }
}

// Under the lock: as many as a batch may hold, by number and by bytes, but one at least.
std::vector<std::string> EventQueue::takeBatch() {
  std::vector<std::string> batch;
  size_t bytes = 0;
  while (!waiting_.empty() && batch.size() < size_t(std::max(options_.maxSize, 1))) {
    bytes += waiting_.front().size();
    if (!batch.empty() && maxBatchBytes_ > 0 && bytes > maxBatchBytes_) break;
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return batch;
}

// A bucket of `throttleBurst` batches that fills with `throttleQps` a second.
void EventQueue::throttle() {
  if (!options_.throttle || options_.throttleQps <= 0) return;
  auto now = std::chrono::steady_clock::now();
  double passed = filled_ == decltype(filled_){} ? 1e9 : std::chrono::duration<double>(now - filled_).count();
  tokens_ = std::min(double(std::max(options_.throttleBurst, 1)), tokens_ + passed * options_.throttleQps);
  filled_ = now;
  if (tokens_ < 1) {
    pause(std::chrono::milliseconds(int64_t((1 - tokens_) / options_.throttleQps * 1000)));
    tokens_ = 1;
  }
  tokens_ -= 1;
}

void EventQueue::writeBatch(const std::vector<std::string>& batch) {
  auto backoff = firstBackoff_;
  for (int attempt = 1;; ++attempt) {
    Status written = [&] {
      std::lock_guard lock(sinkMutex_);
      return sink_->write(batch);
    }();
    if (written.ok()) return;
    if (attempt < kTries && pause(backoff)) {
      backoff *= 2;
      continue;
    }
    failed_.fetch_add(batch.size());
    log::warn("Cannot write audit events", {{"sink", sink_->name()}, {"events", batch.size()}, {"err", written.error().message()}});
    return;
  }
}

}  // namespace skiff::apiserver::audit
