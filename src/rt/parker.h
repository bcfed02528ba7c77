// One thread waits, another lets it go: a word from one to the other. Unlike with a condition variable, who is woken finds
// nothing taken, and nobody is woken who does not sleep.
#pragma once
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "rt/futex.h"

namespace skiff::rt {

template <class Word>
class Parker {
 public:
  // A newer word replaces one that was not taken. The waiting thread may destroy the parker as soon as its wait() is over:
  // after the lock only its address is used.
  void signal(Word word) {
    const std::atomic<uint32_t>* sleeper = nullptr;
    {
      std::lock_guard lock(mutex_);
      word_ = std::move(word);
      signals_.fetch_add(1, std::memory_order_relaxed);
      if (std::exchange(asleep_, false)) sleeper = &signals_;
    }
    if (sleeper) futexWakeOne(sleeper);
  }
  Word wait() {
    std::unique_lock lock(mutex_);
    while (!word_) sleep(lock, std::nullopt);
    return take();
  }
  std::optional<Word> waitFor(std::chrono::milliseconds time) {
    auto end = std::chrono::steady_clock::now() + time;
    std::unique_lock lock(mutex_);
    while (!word_) {
      auto left = end - std::chrono::steady_clock::now();
      if (left <= left.zero()) return std::nullopt;
      sleep(lock, left);
    }
    return take();
  }

 private:
  void sleep(std::unique_lock<std::mutex>& lock, std::optional<std::chrono::nanoseconds> time) {
    uint32_t seen = signals_.load(std::memory_order_relaxed);
    asleep_ = true;
    lock.unlock();
    futexWait(signals_, seen, time);
    lock.lock();
    asleep_ = false;
  }
  Word take() {
    Word word = std::move(*word_);
    word_.reset();
    return word;
  }
  std::mutex mutex_;  // guards all below
  std::optional<Word> word_;
  bool asleep_ = false;
  std::atomic<uint32_t> signals_{0};  // what the thread sleeps on
};

}  // namespace skiff::rt
