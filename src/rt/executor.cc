#include "rt/executor.h"

#include <pthread.h>

#include "base/result.h"

namespace skiff::rt {
namespace {

constexpr auto kIdleTime = std::chrono::seconds(10);

class Pool final : public Executor {
 public:
  explicit Pool(Options options) : options_(std::move(options)) { MUST(options_.maxThreads > 0); }
  ~Pool() override { stop(); }

  bool submit(UniqueFunction<void()> task) override {
    std::vector<Thread> ended;  // joined after the lock is gone
    std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= options_.maxQueue) return false;
    queue_.push_back(std::move(task));
    ended.swap(ended_);
    if (idle_ >= queue_.size()) {
      work_.notify_one();
    } else if (threads_.size() < options_.maxThreads) {
      uint64_t id = ++lastThread_;
      threads_.emplace(id, Thread(options_.name, [this, id] { serve(id); }));
    }
    return true;
  }

  void stop() override {
    std::unordered_map<uint64_t, Thread> threads;
    std::vector<Thread> ended;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      threads.swap(threads_);
      ended.swap(ended_);
    }
    work_.notify_all();
  }

 private:
  void serve(uint64_t id) {
    std::unique_lock lock(mutex_);
    for (;;) {
      while (!queue_.empty()) {
        auto task = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        task();
        task = nullptr;  // what it holds goes before the next one is taken
        lock.lock();
      }
      if (stopping_) return;
      ++idle_;
      bool woken = work_.wait_for(lock, kIdleTime, [&] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (!woken) break;
    }
    // A thread cannot join itself: the next submit() or stop() does.
    auto self = threads_.extract(id);
    if (!self.empty()) ended_.push_back(std::move(self.mapped()));
  }

  const Options options_;
  std::mutex mutex_;  // guards all below
  std::condition_variable work_;
  std::deque<UniqueFunction<void()>> queue_;
  std::unordered_map<uint64_t, Thread> threads_;
  std::vector<Thread> ended_;
  uint64_t lastThread_ = 0;
  size_t idle_ = 0;
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
