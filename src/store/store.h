// A linear sequence of revisions over keys (etcd's model): everything above, from resourceVersion to watch, follows
// from it. The whole live key space and a window of history are in memory; the engine below makes it durable.
// Keys are etcd-compatible: "/registry/pods/default/a".
#pragma once
#include <any>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_function.h"

namespace skiff::store {

using Revision = int64_t;  // 1 is the first write; 0 means "none" or "now", as said at each use

// What a cache above made of a record (a decoded object), kept with it and dropped with it. Immutable.
class Attachment {
 public:
  virtual ~Attachment() = default;
};
using AttachmentPtr = std::shared_ptr<const Attachment>;

// A key's value at a revision; immutable, shared by all readers.
class Record {
 public:
  Record(std::string key, SharedBytes value, Revision created, Revision modified, AttachmentPtr attachment,
         WallTime expiry = {})
      : key_(std::move(key)), value_(std::move(value)), created_(created), modified_(modified), expiry_(expiry),
        attachment_(std::move(attachment)) {}
  const std::string& key() const { return key_; }
  const SharedBytes& value() const { return value_; }
  Revision createRevision() const { return created_; }
  Revision modRevision() const { return modified_; }
  WallTime expiry() const { return expiry_; }  // the epoch: never
  AttachmentPtr attachment() const { return attachment_.load(std::memory_order_acquire); }
  // The first one wins and is returned: two readers that decode at once end with one object.
  AttachmentPtr attach(AttachmentPtr made) const {
    AttachmentPtr none;
    return attachment_.compare_exchange_strong(none, made) ? made : none;
  }
  // Frees what the cache made; who holds it keeps it, and the next reader makes it again.
  void detach() const { attachment_.store(nullptr, std::memory_order_release); }

 private:
  std::string key_;
  SharedBytes value_;
  Revision created_, modified_;
  WallTime expiry_;
  mutable std::atomic<AttachmentPtr> attachment_;
};
using RecordPtr = std::shared_ptr<const Record>;

struct Event {
  enum class Type { Put, Delete };
  Type type;
  Revision revision;      // of this change; a deletion has one of its own
  RecordPtr record;       // after the change; for Delete the last value
  RecordPtr previous;     // before the change; null when created
};
using EventPtr = std::shared_ptr<const Event>;

struct Write {
  std::string key;
  // The modRevision the key must have now; 0: it must not exist. kAnyRevision: whatever is there.
  static constexpr Revision kAnyRevision = -1;
  Revision expected = kAnyRevision;
  bool remove = false;
  SharedBytes value;
  // Called by the committer with the revision given to the write, before anyone can see the record: the object
  // that is cached with it must know its resourceVersion. May be empty.
  UniqueFunction<AttachmentPtr(Revision)> attach;
  std::chrono::seconds timeToLive{0};  // 0: for ever (events live 1 h)
};

struct WriteResult {
  bool applied = false;     // false: the expectation failed; `record` is what is there (null: nothing)
  Revision revision = 0;
  RecordPtr record;         // the new record, or for a removal the removed one
};

struct RangeOptions {
  std::string from;          // first key, inclusive
  std::string to;            // end, exclusive; "" with from "": everything
  Revision at = 0;           // 0: now
  size_t limit = 0;          // 0: all
};
struct RangeResult {
  Revision revision = 0;     // the state's revision that was read: `at`, or the newest one
  std::vector<RecordPtr> records;  // in key order
  bool more = false;
};

// A cursor into the event window for one key prefix. Never blocks; one owner at a time.
class Watcher {
 public:
  virtual ~Watcher() = default;
  struct Batch {
    std::vector<EventPtr> events;  // in revision order, at most `limit`
    // Every event of the prefix up to this revision has been handed out (for bookmarks).
    Revision upTo = 0;
    bool more = false;
    bool compacted = false;         // fell out of the window: the watch is over (410)
  };
  virtual Batch take(size_t limit) = 0;
  // Arms one call of `wake` at the next event for the prefix (at once if there is one already), from the
  // committer's thread: it must only post. Re-arm after each take().
  virtual void notify(UniqueFunction<void()> wake) = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Blocking; durable (fsynced) and visible when it returns. Many writers share one sync (group commit).
  // Errors: ServiceUnavailable when the disk is full or broken (reads go on), InternalError otherwise.
  virtual Result<WriteResult> commit(Write write) = 0;
  // The same without waiting: `done` is called once, on this thread or on that of a later writer; it may block for as long
  // as that one may.
  using Done = UniqueFunction<void(Result<WriteResult>)>;
  virtual void commitThen(Write write, Done done) { done(commit(std::move(write))); }

  virtual RecordPtr get(std::string_view key) const = 0;  // now; null when absent
  // Reason::Expired when `at` is compacted; Timeout when it is in the future.
  virtual Result<RangeResult> range(const RangeOptions& options) const = 0;
  virtual size_t count(std::string_view from, std::string_view to) const = 0;

  virtual Revision revision() const = 0;           // newest visible
  virtual Revision compactedRevision() const = 0;  // oldest readable - 1
  virtual Status compact(Revision upTo) = 0;

  // Events after `after` (0: from now on) whose key starts with prefix. Reason::Expired when compacted.
  virtual Result<std::unique_ptr<Watcher>> watch(std::string_view prefix, Revision after) = 0;

  // Whether other processes write to it as well. If so, what is in memory follows what they have been told is done.
  virtual bool shared() const { return false; }
  // Calls `ready` once everything that any writer knew to be done at the time of this call can be read here; or with
  // an error when that cannot be shown in time. At once where nobody else writes; else from a thread that must not wait.
  virtual void whenFresh(UniqueFunction<void(Status)> ready) { ready(okStatus()); }
  // A shared store tells of every change, its own writers' too, when it can be read: in order, on the publisher's
  // thread, which must not wait. Once, before the store is used; without events when `listener` is null again.
  using Listener = UniqueFunction<void(std::span<const EventPtr>)>;
  virtual void onChanges(Listener) {}

  // Whether what is kept of the key is encrypted otherwise than it would be now: to write the same value is no waste then.
  virtual bool isStale([[maybe_unused]] std::string_view key) const { return false; }

  struct Stats {
    uint64_t commits = 0, syncs = 0;
    uint64_t diskBytes = 0;
    size_t keys = 0;
    size_t windowEvents = 0;
  };
  virtual Stats stats() const = 0;
};

std::string prefixEnd(std::string_view prefix);  // the first key after all keys with the prefix

}  // namespace skiff::store
