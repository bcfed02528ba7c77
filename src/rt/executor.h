// A bounded pool of workers for plain blocking code. One per purpose, so that a stuck peer starves
// only itself.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include "base/unique_function.h"

namespace skiff::rt {

class Executor {
 public:
  struct Options {
    std::string name;          // thread name, at most 15 characters
    size_t maxThreads = 8;     // threads start on demand and end after 10 idle seconds
    // So many are put to work at once, and not before a few tasks wait for each: to wait for a thread that runs costs no
    // wake-up and finds warm caches. Threads that are at one task for milliseconds count as blocked, others take their
    // place. 0: no such limit, each task gets a thread while there are any.
    size_t maxRunning = 0;
    size_t maxQueue = 100000;  // tasks beyond it are refused
  };
  static std::unique_ptr<Executor> create(Options options);
  virtual ~Executor() = default;  // as stop()

  virtual bool submit(UniqueFunction<void()> task) = 0;  // false: the queue is full or stopped
  virtual void stop() = 0;                               // refuses new tasks, drains, joins
};

// A thread of its own with a name, joined by the destructor. The only way to start a thread outside
// rt/.
class Thread {
 public:
  Thread();
  Thread(std::string name, UniqueFunction<void()> body);
  Thread(Thread&&) noexcept;
  Thread& operator=(Thread&&) noexcept;
  ~Thread();
  void join();
  bool joinable() const { return impl_ != nullptr; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skiff::rt
