// The readable state in memory: every live key, the versions that history reads may still ask for, and the window of
// events. It knows nothing of disks: the embedded engine publishes into it what is durable, and the client of an
// external etcd what its watch delivers.
//
// Threads: one publisher at a time; everything else from any thread. A reader holds the lock for at most
// kScanEntries keys at a time and goes on at the same revision, so a long LIST does not hold up a write.
#pragma once
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string_view>
#include <vector>

#include "store/event_window.h"
#include "store/key_index.h"
#include "store/store.h"

namespace skiff::store {

class KeySpace {
 public:
  static constexpr size_t kScanEntries = 2048;

  // The state at a revision, of which the past is unknown.
  KeySpace(std::vector<RecordPtr> records, Revision revision);

  // Makes the events and the state after them visible at once, then wakes the watchers.
  void publish(std::span<const EventPtr> events, Revision revision);

  // The same over a gap in what is known: the events lead to the state at the revision, but not all that happened on
  // the way is among them. Watches end, older revisions can no longer be read.
  void publishOverGap(std::span<const EventPtr> events, Revision revision);

  RecordPtr get(std::string_view key) const;
  // Everything at the newest revision.
  std::vector<RecordPtr> all() const;
  Result<RangeResult> range(const RangeOptions& options) const;
  size_t count(std::string_view from, std::string_view to) const;
  size_t keys() const;
  Revision revision() const;
  Revision compactedRevision() const;
  // The state at the newest revision stays readable: `upTo` is cut to the one before it.
  Status compact(Revision upTo);
  Result<std::unique_ptr<Watcher>> watch(std::string_view prefix, Revision after) {
    return window_->watch(prefix, after);
  }
  const EventWindow& window() const { return *window_; }

 private:
  // Readers that follow each other without a gap would starve a writer: all pass the turnstile first.
  std::shared_lock<std::shared_mutex> readLock() const;
  std::unique_lock<std::shared_mutex> writeLock() const;
  Status readable(Revision at) const;
  bool scanInto(RangeResult& result, const RangeOptions& options, std::string& from, size_t entries) const;

  mutable std::mutex turnstile_;      // taken before mutex_, never held while reading
  mutable std::shared_mutex mutex_;   // guards the four below; the window's lock is never taken under it
  KeyIndex index_;
  Revision revision_;
  Revision compacted_;
  std::shared_ptr<EventWindow> window_;  // has a lock of its own
};

}  // namespace skiff::store
