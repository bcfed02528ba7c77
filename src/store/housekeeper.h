// A thread that sleeps until its work says there is something to do again: no polling.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

#include "base/unique_function.h"
#include "rt/executor.h"

namespace skiff::store {

class Housekeeper {
 public:
  // `work` does what is due and returns how long there is nothing to do; nullopt: until the next nudge.
  using Work = UniqueFunction<std::optional<std::chrono::milliseconds>()>;
  Housekeeper(std::string name, Work work) : name_(std::move(name)), work_(std::move(work)) {}
  ~Housekeeper() { stop(); }
  void start();
  void stop();     // waits for the running work
  void nudge();    // something is due earlier than was said

 private:
  void run();

  const std::string name_;  // of the thread
  Work work_;
  std::mutex mutex_;  // guards the two below
  std::condition_variable changed_;
  bool nudged_ = false, stopped_ = false;
  rt::Thread thread_;
};

}  // namespace skiff::store
