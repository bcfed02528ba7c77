#include "rt/executor.h"

#include <pthread.h>

#include <algorithm>

#include "base/result.h"
#include "rt/parker.h"

namespace skiff::rt {
namespace {

constexpr auto kIdleTime = std::chrono::seconds(10);
// Under a limit, so many tasks may wait for each thread at work before another is woken: a wake-up costs as much as a
// small task.
constexpr size_t kShare = 4;
// While tasks wait, the threads are looked at: often if none was taken since the last look, else now and then. Who is at
// one task for two looks is taken to be blocked: most tasks take a fraction of the shorter time.
constexpr auto kOften = std::chrono::milliseconds(2);
constexpr auto kNowAndThen = std::chrono::milliseconds(8);

using Task = UniqueFunction<void()>;

// Tasks wait in one queue. The thread that became idle last is the next to be woken: its caches are warm, and the others
// may end. Under a limit of running threads, tasks wait while enough are at work; a watch then looks whether some are
// blocked, and sleeps for good when nothing waits.
class Pool final : public Executor {
 public:
  explicit Pool(Options options) : options_(std::move(options)) {
    MUST(options_.maxThreads > 0);
    if (options_.maxRunning == 0) options_.maxRunning = options_.maxThreads;
  }
  ~Pool() override { stop(); }

  bool submit(Task task) override {
    std::vector<Thread> ended;  // joined after the lock is gone
    std::shared_ptr<Worker> woken;
    bool watched = false;
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || queue_.size() >= options_.maxQueue) return false;
      ended.swap(ended_);
      queue_.push_back(std::move(task));
      if (missing() == 0) watched = limited() && !std::exchange(watching_, true);
      else if (idle_.empty()) startThread();
      else woken = takeIdle();
      if (watched && !watch_.joinable()) watch_ = Thread(options_.name.substr(0, 9) + "-watch", [this] { watch(); });
    }
    if (woken) woken->wake.signal(Wake::Look);
    if (watched) wakeWatch_.signal(Wake::Look);
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
    }
    wakeWatch_.signal(Wake::Look);
    for (const auto& worker : idle) worker->wake.signal(Wake::Look);
  }

 private:
  enum class Wake { Look };
  struct Worker {
    Parker<Wake> wake;
    uint64_t since = 0;  // the look after which it took its task
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
          worker->since = looks_;
          ++taken_;
          Task task = std::move(queue_.front());
          queue_.pop_front();
          return task;
        }
        if (stopping_) return nullptr;
        idle_.push_back(worker);
      }
      if (worker->wake.waitFor(kIdleTime)) continue;
      {
        std::lock_guard lock(mutex_);
        if (std::erase(idle_, worker) > 0) {
          // A thread cannot join itself: the next submit() or stop() does.
          auto self = threads_.extract(id);
          if (!self.empty()) ended_.push_back(std::move(self.mapped().thread));
          return nullptr;
        }
      }
      worker->wake.wait();  // it was called at the last moment
    }
  }

  // ---- under the lock ----

  bool limited() const { return options_.maxRunning < options_.maxThreads; }
  size_t running() const { return threads_.size() - idle_.size(); }
  size_t allowed() const { return std::min(options_.maxThreads, options_.maxRunning + blocked_); }

  // Threads that should be at work besides those that are.
  size_t missing() const {
    size_t room = allowed() - std::min(allowed(), running());
    if (!limited()) return std::min<size_t>(room, 1);  // a thread for each task
    size_t atWork = running() - std::min(running(), blocked_), wanted = (queue_.size() + kShare - 1) / kShare;
    return std::min(room, wanted - std::min(wanted, atWork));
  }

  std::shared_ptr<Worker> takeIdle() {
    std::shared_ptr<Worker> worker = std::move(idle_.back());
    idle_.pop_back();
    worker->since = looks_;
    return worker;
  }

  void startThread() {
    auto worker = std::make_shared<Worker>();
    worker->since = looks_;
    uint64_t id = ++lastThread_;
    threads_.emplace(id, Member{worker, Thread(options_.name, [this, id, worker] { serve(id, worker); })});
  }

  void watch() {
    while (true) {
      wakeWatch_.wait();
      for (auto pause = kOften; pause.count() > 0;) {
        wakeWatch_.waitFor(pause);
        std::vector<std::shared_ptr<Worker>> woken;
        {
          std::lock_guard lock(mutex_);
          if (stopping_) return;
          pause = look(woken);
        }
        for (const auto& worker : woken) worker->wake.signal(Wake::Look);
      }
    }
  }

  // How long until the next look; zero: until a task has to wait again.
  std::chrono::milliseconds look(std::vector<std::shared_ptr<Worker>>& woken) {
    ++looks_;
    bool progress = std::exchange(takenBefore_, taken_) != taken_;
    blocked_ = queue_.empty() ? 0 : countBlocked();
    for (size_t more = missing(); more > 0; --more) {
      if (idle_.empty()) startThread();
      else woken.push_back(takeIdle());
    }
    watching_ = progress || !queue_.empty();
    if (!watching_) return std::chrono::milliseconds(0);
    return progress ? kNowAndThen : kOften;
  }

  size_t countBlocked() const {
    return size_t(std::ranges::count_if(threads_, [this](const auto& entry) {
      const std::shared_ptr<Worker>& worker = entry.second.worker;
      return worker->since + 1 < looks_ && std::ranges::find(idle_, worker) == idle_.end();
    }));
  }

  Options options_;
  std::mutex mutex_;  // guards all below but wakeWatch_
  std::vector<std::shared_ptr<Worker>> idle_;  // the last one was at work last
  std::deque<Task> queue_;
  std::unordered_map<uint64_t, Member> threads_;
  std::vector<Thread> ended_;
  uint64_t lastThread_ = 0, taken_ = 0;
  bool stopping_ = false;

  bool watching_ = false;  // it was asked to look, and has not gone to sleep since
  uint64_t looks_ = 0, takenBefore_ = 0;
  size_t blocked_ = 0;  // threads, at the last look
  Parker<Wake> wakeWatch_;
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
