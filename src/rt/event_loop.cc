#include "rt/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/result.h"

namespace skiff::rt {
namespace {

constexpr int kEventsPerTurn = 256;  // bounds how long a turn delays timers and posted tasks
constexpr auto kSlowCallback = milliseconds(50);
constexpr int kPostedPasses = 2;  // a turn
constexpr int kRests = 2;
constexpr int kLaterRest = 9;  // times as long as the first one

// One turn: wait, deliver socket events, run due timers, run posted tasks, and once those that these
// have posted: what writers ask for and the sending of it need one turn. Later ones run in the next
// turn. A task posted while the loop is awake needs no system call.
class EpollLoop final : public EventLoop {
 public:
  explicit EpollLoop(milliseconds rest)
      : rest_(rest), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    MUST(epoll_ >= 0 && wake_ >= 0);
    // By edges: each wake-up is told once, and nobody has to read it.
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = kWakeTag}};
    MUST(epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
  }

  ~EpollLoop() override {
    close(wake_);
    close(epoll_);
  }

  void run() override {
    owner_.store(std::this_thread::get_id(), std::memory_order_release);
    std::array<epoll_event, kEventsPerTurn> events;
    while (!stopping_.load(std::memory_order_acquire)) {
      int wait = waitMillis(), rest = restMillis();
      bool rests = rest >= 0 && (wait < 0 || wait > rest);
      int count = waitForEvents(events, rests ? rest : wait);
      if (rests && count == 0 && !havePosted_.load(std::memory_order_acquire)) {
        releaseFreeMemory();
        ++rests_;
        continue;
      }
      rests_ = 0;
      for (int i = 0; i < count; ++i) deliver(events[size_t(i)]);
      runDueTimers();
      for (int i = 0; i < kPostedPasses; ++i) runPosted();
      retired_.clear();
    }
    owner_.store(std::thread::id(), std::memory_order_release);
  }

  void stop() override {
    stopping_.store(true, std::memory_order_release);
    wake();
  }

  bool inLoop() const override {
    return owner_.load(std::memory_order_acquire) == std::this_thread::get_id();
  }

  void post(UniqueFunction<void()> task) override {
    bool first;
    {
      std::lock_guard lock(mutex_);
      first = posted_.empty();
      posted_.push_back(std::move(task));
    }
    havePosted_.store(true, std::memory_order_seq_cst);
    if (first && asleep_.load(std::memory_order_seq_cst)) wake();
  }

  TimerId after(milliseconds delay, UniqueFunction<void()> task) override {
    TimerId id = ++lastTimer_;
    timers_.emplace(id, std::move(task));
    heap_.push_back({Clock::real().steadyNow() + delay, id});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
    return id;
  }

  void cancel(TimerId timer) override {
    timers_.erase(timer);
    // Cancelled entries stay in the heap until due; sweep when they are most of it.
    if (heap_.size() > 64 && heap_.size() > 2 * timers_.size()) {
      std::erase_if(heap_, [&](const Due& due) { return !timers_.contains(due.id); });
      std::make_heap(heap_.begin(), heap_.end(), Later{});
    }
  }

  void watch(int fd, uint32_t events, UniqueFunction<void(uint32_t)> onEvents) override {
    MUST(fd >= 0);
    if (watches_.size() <= size_t(fd)) watches_.resize(size_t(fd) + 1);
    auto& slot = watches_[size_t(fd)];
    MUST(slot == nullptr);
    slot = std::make_unique<Watch>(Watch{++lastGeneration_, std::move(onEvents)});
    control(EPOLL_CTL_ADD, fd, events, slot->generation);
  }

  void modify(int fd, uint32_t events) override {
    MUST(size_t(fd) < watches_.size() && watches_[size_t(fd)] != nullptr);
    control(EPOLL_CTL_MOD, fd, events, watches_[size_t(fd)]->generation);
  }

  void unwatch(int fd) override {
    if (size_t(fd) >= watches_.size() || watches_[size_t(fd)] == nullptr) return;
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    // The callback may be the one that runs right now: it dies at the end of the turn.
    retired_.push_back(std::move(watches_[size_t(fd)]));
  }

 private:
  // An event of this turn may belong to an fd number that was closed and opened anew in the same
  // turn: the generation in the epoll data tells them apart.
  struct Watch {
    uint32_t generation;
    UniqueFunction<void(uint32_t)> onEvents;
  };
  struct Due {
    SteadyTime when;
    TimerId id;
  };
  struct Later {
    bool operator()(const Due& a, const Due& b) const {
      return a.when != b.when ? a.when > b.when : a.id > b.id;
    }
  };
  static constexpr uint64_t kWakeTag = ~uint64_t{0};

  void control(int operation, int fd, uint32_t events, uint32_t generation) {
    epoll_event event{.events = events, .data = {.u64 = uint64_t(generation) << 32 | uint32_t(fd)}};
    MUST(epoll_ctl(epoll_, operation, fd, &event) == 0);
  }

  // Either the loop sees what was posted after it has said that it sleeps, or who posts sees that it does.
  int waitForEvents(std::array<epoll_event, kEventsPerTurn>& events, int wait) {
    if (wait != 0) asleep_.store(true, std::memory_order_seq_cst);
    if (havePosted_.load(std::memory_order_seq_cst)) wait = 0;
    int count = epoll_wait(epoll_, events.data(), kEventsPerTurn, wait);
    asleep_.store(false, std::memory_order_relaxed);
    return count;
  }

  void wake() {
    uint64_t one = 1;
    [[maybe_unused]] auto written = write(wake_, &one, sizeof one);
  }

  int waitMillis() {
    if (havePosted_.load(std::memory_order_acquire)) return 0;
    while (!heap_.empty() && !timers_.contains(heap_.front().id)) popTimer();
    if (heap_.empty()) return -1;
    auto left = heap_.front().when - Clock::real().steadyNow();
    if (left <= SteadyTime::duration::zero()) return 0;
    auto millis = std::chrono::ceil<milliseconds>(left).count();
    return int(std::min<int64_t>(millis, 3600 * 1000));
  }

  // How long to do nothing before memory is given back; negative: that is done.
  int restMillis() const {
    if (rests_ == kRests) return -1;
    return int(rest_.count()) * (rests_ == 0 ? 1 : kLaterRest);
  }

  void deliver(const epoll_event& event) {
    if (event.data.u64 == kWakeTag) return;
    size_t fd = uint32_t(event.data.u64);
    if (fd >= watches_.size()) return;
    Watch* watch = watches_[fd].get();
    if (watch == nullptr || watch->generation != uint32_t(event.data.u64 >> 32)) return;
    watch->onEvents(event.events);
  }

  void popTimer() {
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    heap_.pop_back();
  }

  void runDueTimers() {
    if (heap_.empty()) return;
    auto now = Clock::real().steadyNow();
    while (!heap_.empty() && heap_.front().when <= now) {
      TimerId id = heap_.front().id;
      popTimer();
      auto node = timers_.extract(id);
      if (!node.empty()) node.mapped()();
    }
  }

  void runPosted() {
    if (!havePosted_.load(std::memory_order_acquire)) return;
    {
      std::lock_guard lock(mutex_);
      running_.swap(posted_);
      havePosted_.store(false, std::memory_order_release);
    }
    auto start = Clock::real().steadyNow();
    for (auto& task : running_) task();
    auto took = Clock::real().steadyNow() - start;
    if (took > kSlowCallback * int64_t(running_.size() + 1)) {
      log::debug("Event loop tasks were slow",
                 {{"tasks", running_.size()},
                  {"ms", std::chrono::duration_cast<milliseconds>(took).count()}});
    }
    running_.clear();
  }

  const milliseconds rest_;
  const int epoll_;
  const int wake_;
  std::atomic<std::thread::id> owner_{};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> havePosted_{false};
  std::atomic<bool> asleep_{false};  // in the kernel, or about to be
  std::mutex mutex_;  // guards posted_
  std::vector<UniqueFunction<void()>> posted_;

  // The loop's thread only.
  std::vector<UniqueFunction<void()>> running_;
  std::vector<std::unique_ptr<Watch>> watches_;  // by fd
  std::vector<std::unique_ptr<Watch>> retired_;
  uint32_t lastGeneration_ = 0;
  std::unordered_map<TimerId, UniqueFunction<void()>> timers_;
  std::vector<Due> heap_;
  TimerId lastTimer_ = 0;
  int rests_ = 0;  // since there was work
};

}  // namespace

std::unique_ptr<EventLoop> EventLoop::create(milliseconds rest) { return std::make_unique<EpollLoop>(rest); }

}  // namespace skiff::rt
