#include "store/housekeeper.h"

#include "base/memory.h"

namespace skiff::store {

void Housekeeper::start() {
  thread_ = rt::Thread(name_, [this] { run(); });
}

void Housekeeper::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::nudge() {
  {
    std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  changed_.notify_all();
}

void Housekeeper::run() {
  while (true) {
    std::optional<std::chrono::milliseconds> idle = work_();
    releaseFreeMemory();
    std::unique_lock lock(mutex_);
    auto due = [this] { return nudged_ || stopped_; };
    if (idle) {
      changed_.wait_for(lock, *idle, due);
    } else {
      changed_.wait(lock, due);
    }
    if (stopped_) return;
    nudged_ = false;
  }
}

}  // namespace skiff::store
