// One thread that owns sockets and timers. Callbacks run on that thread and must not block.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/unique_function.h"

namespace skiff::rt {

using TimerId = uint64_t;  // never 0

class EventLoop {
 public:
  // A loop that has had nothing to do for `rest` gives its thread's free memory back; once more after a longer while, for
  // what others free late. Then it sleeps until there is work.
  static std::unique_ptr<EventLoop> create(std::chrono::milliseconds rest = std::chrono::seconds(3));
  virtual ~EventLoop() = default;

  virtual void run() = 0;   // until stop(); at most once
  virtual void stop() = 0;  // from any thread
  virtual bool inLoop() const = 0;

  // From any thread: runs `task` soon on the loop's thread, in order of posting.
  virtual void post(UniqueFunction<void()> task) = 0;

  // From the loop's thread only.
  virtual TimerId after(std::chrono::milliseconds delay, UniqueFunction<void()> task) = 0;
  virtual void cancel(TimerId timer) = 0;
  // epoll events (EPOLLIN, ...), edge-triggered only if EPOLLET is asked for. The loop does not own
  // fd.
  virtual void watch(int fd, uint32_t events, UniqueFunction<void(uint32_t)> onEvents) = 0;
  virtual void modify(int fd, uint32_t events) = 0;
  virtual void unwatch(int fd) = 0;
};

}  // namespace skiff::rt
