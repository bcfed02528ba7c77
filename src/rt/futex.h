// Sleep until a word changes. A waiter may wake for no reason; a wake for an address that is gone does no harm.
#pragma once
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>

namespace skiff::rt {

// Returns at once when the word is no longer `seen`; without a time it may sleep for ever.
inline void futexWait(const std::atomic<uint32_t>& word, uint32_t seen,
                      std::optional<std::chrono::nanoseconds> time = std::nullopt) {
  timespec left{};
  if (time) {
    auto whole = std::chrono::duration_cast<std::chrono::seconds>(*time);
    left = {.tv_sec = time_t(whole.count()), .tv_nsec = long((*time - whole).count())};
  }
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, time ? &left : nullptr, nullptr, 0);
}

inline void futexWakeOne(const std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace skiff::rt
