#include "rt/executor.h"

#include <pthread.h>

#include "base/result.h"
#include "rt/parker.h"

namespace skiff::rt {
namespace {

constexpr auto kIdleTime = std::chrono::seconds(10);

using Task = UniqueFunction<void()>;

// The thread that became idle last gets the next task, straight into its hand: its caches are warm, and the others may
// end.
class Pool final : public Executor {
 public:
  explicit Pool(Options options) : options_(std::move(options)) { MUST(options_.maxThreads > 0); }
  ~Pool() override { stop(); }

  bool submit(Task task) override {
    std::vector<Thread> ended;  // joined after the lock is gone
    std::unique_lock lock(mutex_);
    if (stopping_ || queue_.size() >= options_.maxQueue) return false;
    ended.swap(ended_);
    if (!idle_.empty()) {
      std::shared_ptr<Hand> hand = std::move(idle_.back());
      idle_.pop_back();
      lock.unlock();
      hand->signal(std::move(task));
      return true;
    }
    queue_.push_back(std::move(task));
    if (threads_.size() < options_.maxThreads) {
      uint64_t id = ++lastThread_;
      threads_.emplace(id, Thread(options_.name, [this, id] { serve(id); }));
    }
    return true;
  }

  void stop() override {
    std::unordered_map<uint64_t, Thread> threads;
    std::vector<Thread> ended;
    std::vector<std::shared_ptr<Hand>> idle;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      threads.swap(threads_);
      ended.swap(ended_);
      idle.swap(idle_);
    }
    for (const auto& hand : idle) hand->signal(nullptr);
  }

 private:
  using Hand = Parker<Task>;  // a null task: look whether the pool stops

  void serve(uint64_t id) {
    auto hand = std::make_shared<Hand>();
    while (Task task = next(id, hand)) task();
  }

  // Null: the thread ends.
  Task next(uint64_t id, const std::shared_ptr<Hand>& hand) {
    {
      std::lock_guard lock(mutex_);
      if (!queue_.empty()) {
        Task task = std::move(queue_.front());
        queue_.pop_front();
        return task;
      }
      if (stopping_) return nullptr;
      idle_.push_back(hand);
    }
    if (auto task = hand->waitFor(kIdleTime)) return std::move(*task);
    {
      std::lock_guard lock(mutex_);
      if (std::erase(idle_, hand) > 0) {
        // A thread cannot join itself: the next submit() or stop() does.
        auto self = threads_.extract(id);
        if (!self.empty()) ended_.push_back(std::move(self.mapped()));
        return nullptr;
      }
    }
    return hand->wait();  // it was given one at the last moment
  }

  const Options options_;
  std::mutex mutex_;  // guards all below
  std::vector<std::shared_ptr<Hand>> idle_;  // the last one was at work last
  std::deque<Task> queue_;                   // empty while somebody is idle
  std::unordered_map<uint64_t, Thread> threads_;
  std::vector<Thread> ended_;
  uint64_t lastThread_ = 0;
  bool stopping_ = false;
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
