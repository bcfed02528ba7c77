#include "rt/executor.h"

#include <pthread.h>

#include <algorithm>

#include "base/result.h"
#include "rt/parker.h"

namespace skiff::rt {
namespace {

constexpr auto kIdleTime = std::chrono::seconds(10);
// A thread that is still at its task after two of these is taken to be blocked: most tasks take a fraction of one.
constexpr auto kTick = std::chrono::milliseconds(2);

using Task = UniqueFunction<void()>;

// The thread that became idle last gets the next task, straight into its hand: its caches are warm, and the others may
// end. Under a limit of running threads, tasks wait while enough are at work; a watch then looks at every tick whether
// some are blocked, and sleeps for good when nothing waits.
class Pool final : public Executor {
 public:
  explicit Pool(Options options) : options_(std::move(options)) {
    MUST(options_.maxThreads > 0);
    if (options_.maxRunning == 0) options_.maxRunning = options_.maxThreads;
  }
  ~Pool() override { stop(); }

  bool submit(Task task) override {
    std::vector<Thread> ended;  // joined after the lock is gone
    std::unique_lock lock(mutex_);
    if (stopping_ || queue_.size() >= options_.maxQueue) return false;
    ended.swap(ended_);
    if (running() < allowed() && !idle_.empty()) {
      std::shared_ptr<Worker> worker = takeIdle();
      lock.unlock();
      worker->hand.signal(std::move(task));
      return true;
    }
    queue_.push_back(std::move(task));
    if (running() < allowed()) startThread();
    else if (options_.maxRunning < options_.maxThreads) startWatching();
    return true;
  }

  void stop() override {
    std::unordered_map<uint64_t, Member> threads;
    std::vector<Thread> ended;
    std::vector<std::shared_ptr<Worker>> idle;
    Thread watch;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      threads.swap(threads_);
      ended.swap(ended_);
      idle.swap(idle_);
      watch = std::move(watch_);
      wakeWatch_.notify_one();
    }
    for (const auto& worker : idle) worker->hand.signal(nullptr);
  }

 private:
  struct Worker {
    Parker<Task> hand;   // a null task: look into the queue
    uint64_t since = 0;  // the tick in which it took its task
  };
  struct Member {
    std::shared_ptr<Worker> worker;
    Thread thread;
  };

  void serve(uint64_t id, const std::shared_ptr<Worker>& worker) {
    while (Task task = next(id, worker)) task();
  }

  // Null: the thread ends.
  Task next(uint64_t id, const std::shared_ptr<Worker>& worker) {
    while (true) {
      {
        std::lock_guard lock(mutex_);
        if (!queue_.empty() && (running() <= allowed() || stopping_)) {
          worker->since = tick_;
          Task task = std::move(queue_.front());
          queue_.pop_front();
          return task;
        }
        if (stopping_) return nullptr;
        idle_.push_back(worker);
      }
      auto task = worker->hand.waitFor(kIdleTime);
      if (!task) {
        std::lock_guard lock(mutex_);
        if (std::erase(idle_, worker) > 0) {
          // A thread cannot join itself: the next submit() or stop() does.
          auto self = threads_.extract(id);
          if (!self.empty()) ended_.push_back(std::move(self.mapped().thread));
          return nullptr;
        }
      }
      if (!task) task = worker->hand.wait();  // it was given one at the last moment
      if (*task) return std::move(*task);
    }
  }

  // ---- under the lock ----

  size_t running() const { return threads_.size() - idle_.size(); }
  size_t allowed() const { return std::min(options_.maxThreads, options_.maxRunning + blocked_); }

  std::shared_ptr<Worker> takeIdle() {
    std::shared_ptr<Worker> worker = std::move(idle_.back());
    idle_.pop_back();
    worker->since = tick_;
    return worker;
  }

  void startThread() {
    auto worker = std::make_shared<Worker>();
    worker->since = tick_;
    uint64_t id = ++lastThread_;
    threads_.emplace(id, Member{worker, Thread(options_.name, [this, id, worker] { serve(id, worker); })});
  }

  void startWatching() {
    if (std::exchange(watching_, true)) return;
    if (!watch_.joinable()) watch_ = Thread(options_.name.substr(0, 9) + "-watch", [this] { watch(); });
    wakeWatch_.notify_one();
  }

  void watch() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      wakeWatch_.wait(lock, [this] { return watching_ || stopping_; });
      if (wakeWatch_.wait_for(lock, kTick, [this] { return stopping_; })) return;
      ++tick_;
      blocked_ = queue_.empty() ? 0 : countBlocked();
      size_t room = allowed() - std::min(allowed(), running());
      for (size_t more = std::min(room, queue_.size()); more > 0; --more) {
        if (idle_.empty()) startThread();
        else takeIdle()->hand.signal(nullptr);
      }
      watching_ = !queue_.empty();
    }
  }

  size_t countBlocked() const {
    return size_t(std::ranges::count_if(threads_, [this](const auto& entry) {
      const std::shared_ptr<Worker>& worker = entry.second.worker;
      return worker->since + 1 < tick_ && std::ranges::find(idle_, worker) == idle_.end();
    }));
  }

  Options options_;
  std::mutex mutex_;  // guards all below
  std::vector<std::shared_ptr<Worker>> idle_;  // the last one was at work last
  std::deque<Task> queue_;                     // empty while somebody is idle and may run
  std::unordered_map<uint64_t, Member> threads_;
  std::vector<Thread> ended_;
  uint64_t lastThread_ = 0;
  bool stopping_ = false;

  std::condition_variable wakeWatch_;
  bool watching_ = false;
  uint64_t tick_ = 0;   // goes on while tasks wait
  size_t blocked_ = 0;  // threads, at the last tick
  Thread watch_;
};

}  // namespace

std::unique_ptr<Executor> Executor::create(Options options) {
  return std::make_unique<Pool>(std::move(options));
}

struct Thread::Impl {
  std::thread thread;
};

Thread::Thread() = default;

Thread::Thread(std::string name, UniqueFunction<void()> body) : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([name = name.substr(0, 15), body = std::move(body)]() mutable {
    pthread_setname_np(pthread_self(), name.c_str());
    body();
  });
}

Thread::Thread(Thread&&) noexcept = default;

Thread& Thread::operator=(Thread&& other) noexcept {
  join();
  impl_ = std::move(other.impl_);
  return *this;
}

Thread::~Thread() { join(); }

void Thread::join() {
  if (impl_ == nullptr) return;
  impl_->thread.join();
  impl_.reset();
}

}  // namespace skiff::rt
