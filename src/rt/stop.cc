#include "rt/stop.h"

namespace skiff::rt {

void StopSignal::raise() {
  {
    std::lock_guard lock(mutex_);
    raised_ = true;
  }
  changed_.notify_all();
}

bool StopSignal::raised() const {
  std::lock_guard lock(mutex_);
  return raised_;
}

bool StopSignal::waitFor(std::chrono::milliseconds time) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [&] { return raised_; });
}

void StopSignal::wait() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return raised_; });
}

}  // namespace skiff::rt
