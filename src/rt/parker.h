// One thread waits, another lets it go: a word from one to the other. Unlike a condition variable on a shared lock, who
// is woken finds nothing taken.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace skiff::rt {

template <class Word>
class Parker {
 public:
  // The waiting thread may destroy the parker as soon as its wait() is over: all is done under the lock.
  void signal(Word word) {
    std::lock_guard lock(mutex_);
    word_ = std::move(word);
    changed_.notify_one();
  }
  Word wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return word_.has_value(); });
    return take();
  }
  std::optional<Word> waitFor(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, time, [this] { return word_.has_value(); })) return std::nullopt;
    return take();
  }

 private:
  Word take() {
    Word word = std::move(*word_);
    word_.reset();
    return word;
  }
  std::mutex mutex_;  // guards word_
  std::condition_variable changed_;
  std::optional<Word> word_;
};

}  // namespace skiff::rt
