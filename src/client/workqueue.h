// A work queue with client-go's three promises: fair, an item never in two workers at once, re-adds while it is worked
// on collapse into one more run. With delayed and rate-limited adds.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "rt/executor.h"

namespace skiff::client {

class WorkQueue {
 public:
  struct Backoff {
    milliseconds first{5};        // doubled with each failure of the item
    milliseconds most{1000000};   // upstream's default limits
  };
  WorkQueue() : WorkQueue(Backoff{}) {}
  explicit WorkQueue(Backoff backoff, const Clock& clock = Clock::real()) : backoff_(backoff), clock_(clock) {}

  void add(const std::string& key);
  void addAfter(const std::string& key, milliseconds delay);
  void addRateLimited(const std::string& key);
  void forget(const std::string& key);  // its failures are history
  int failures(const std::string& key) const;
  // Blocks; nullopt after shutDown. Every key got must be given back by done().
  std::optional<std::string> get();
  void done(const std::string& key);
  void shutDown();
  size_t size() const;

 private:
  void addLocked(const std::string& key);
  std::optional<SteadyTime> moveDueLocked();

  Backoff backoff_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<std::string> ready_;
  std::unordered_set<std::string> dirty_, busy_;
  std::multimap<SteadyTime, std::string> delayed_;
  std::unordered_map<std::string, SteadyTime> delayedAt_;
  std::unordered_map<std::string, int> failures_;
  bool shutDown_ = false;
};

// Workers over a queue: reconcile(key) says ok (forget), or an error (retry with backoff, logged once), or asks to be
// called again after a time.
struct Requeue {
  milliseconds after{0};  // 0: not again
};
class ReconcileLoop {
 public:
  using Reconcile = std::function<Result<Requeue>(const std::string& key)>;
  ReconcileLoop(std::string name, int workers, Reconcile reconcile, WorkQueue::Backoff backoff = {});
  ~ReconcileLoop();  // as stop
  void start();
  void stop();
  WorkQueue& queue() { return queue_; }

 private:
  void work();
  std::string name_;
  int workers_;
  Reconcile reconcile_;
  WorkQueue queue_;
  std::vector<rt::Thread> threads_;
};

}  // namespace skiff::client
