#include "apiserver/warm_objects.h"

#include "base/memory.h"

namespace skiff::apiserver {
namespace {

// Workers that made the objects may outlive the last one's warmth; the memory of those that have ended is given back here.
constexpr int kUntilWorkersEnd = 3;

}  // namespace

WarmObjects::WarmObjects(std::chrono::milliseconds period)
    : period_(period), thread_("warm-objects", [this] { run(); }) {}

WarmObjects::~WarmObjects() {
  wake_.signal(Word::Stop);
  thread_.join();
}

void WarmObjects::add(std::weak_ptr<const Coolable> object) {
  std::lock_guard lock(mutex_);
  objects_.push_back(std::move(object));
  if (std::exchange(asleep_, false)) wake_.signal(Word::Work);
}

void WarmObjects::run() {
  std::optional<Word> word = wake_.wait();
  while (word != Word::Stop) {
    for (bool idle = false; !idle;) {
      if (wake_.waitFor(period_) == Word::Stop) return;
      coolOnce();
      releaseFreeMemory();
      std::lock_guard lock(mutex_);
      idle = asleep_ = objects_.empty();
    }
    word = wake_.waitFor(period_ * kUntilWorkersEnd);
    if (word) continue;
    releaseFreeMemory();
    word = wake_.wait();
  }
}

void WarmObjects::coolOnce() {
  std::vector<std::weak_ptr<const Coolable>> objects;
  {
    std::lock_guard lock(mutex_);
    objects.swap(objects_);
  }
  std::erase_if(objects, [](const std::weak_ptr<const Coolable>& weak) {
    auto object = weak.lock();
    return !object || !object->coolUnlessUsed();
  });
  std::lock_guard lock(mutex_);
  objects_.insert(objects_.end(), std::make_move_iterator(objects.begin()), std::make_move_iterator(objects.end()));
}

}  // namespace skiff::apiserver
