// A wish to stop, shared by all who wait: sleeps and waits on it end at once when it is raised.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace skiff::rt {

class StopSignal {
 public:
  void raise();
  bool raised() const;
  // True if raised (at once or while waiting), false when the time is over.
  bool waitFor(std::chrono::milliseconds time) const;
  void wait() const;

 private:
  mutable std::mutex mutex_;  // guards raised_
  mutable std::condition_variable changed_;
  bool raised_ = false;
};

}  // namespace skiff::rt
