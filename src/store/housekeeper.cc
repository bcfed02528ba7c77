#include "store/housekeeper.h"

namespace skiff::store {

Housekeeper::Housekeeper(Work work) : work_(std::move(work)), thread_("store-keeper", [this] { run(); }) {}

Housekeeper::~Housekeeper() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
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
