// The embedded engine: a KeySpace made durable by a Disk. Private to the room and its tests.
//
// Group commit: the first writer that finds no commit running becomes the committer. It takes every write that waits,
// judges them in order against the state, puts those that apply on disk in one transaction, publishes them, and lets
// all their writers go. Those who arrived meanwhile wait for the next round, which one of them leads. A writer who does
// not wait (commitThen) is called by the committer:
//
//   writers ---> queue_ --(whole queue)--> judge -> disk.append -> keys.publish -> outcomes
//
// If the disk fails, nothing was published: the writers get ServiceUnavailable, readers go on.
#pragma once
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "rt/parker.h"
#include "store/directory_lock.h"
#include "store/disk.h"
#include "store/engine.h"
#include "store/expiry_queue.h"
#include "store/housekeeper.h"
#include "store/key_space.h"

namespace skiff::store {

class Engine final : public Store {
 public:
  // Without a disk everything is in memory only.
  static Result<std::unique_ptr<Engine>> create(EngineOptions options, std::unique_ptr<Disk> disk, DirectoryLock lock = {});
  ~Engine() override;  // no call may be running or follow

  Result<WriteResult> commit(Write write) override;
  void commitThen(Write write, Done done) override;
  RecordPtr get(std::string_view key) const override { return keys_.get(key); }
  Result<RangeResult> range(const RangeOptions& options) const override { return keys_.range(options); }
  size_t count(std::string_view from, std::string_view to) const override { return keys_.count(from, to); }
  Revision revision() const override { return keys_.revision(); }
  Revision compactedRevision() const override { return keys_.compactedRevision(); }
  Status compact(Revision upTo) override;
  Result<std::unique_ptr<Watcher>> watch(std::string_view prefix, Revision after) override {
    return keys_.watch(prefix, after);
  }
  bool isStale(std::string_view key) const override { return disk_ && disk_->isStale(key); }
  Stats stats() const override;

  // Expires and compacts what is due by the clock; the housekeeper calls it. Returns when it is needed again.
  std::optional<milliseconds> keepHouse();

  size_t waitingForTest() const {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  enum class Turn { Lead, Done };  // the writer is to lead a round, or has its outcome
  struct Pending {
    explicit Pending(Write w) : write(std::move(w)) {}
    Write write;
    std::optional<Result<WriteResult>> outcome;
    rt::Parker<Turn> turn;  // of a writer who waits
    Done done;              // of one who does not: the committer owns the write
  };
  // What one round decided, before it is durable.
  struct Round {
    std::vector<WriteResult> results;  // of each pending write
    std::vector<EventPtr> events;
    std::unordered_map<std::string_view, RecordPtr> changed;  // by key; null: removed
    Revision revision = 0;
  };

  Engine(EngineOptions options, std::unique_ptr<Disk> disk, DirectoryLock lock, Past past);
  void await(std::span<Pending* const> mine);
  void lead();
  void leadRound();
  std::vector<Result<WriteResult>> runRound(std::span<Pending* const> batch);
  WriteResult judge(Write& write, Round& round) const;
  RecordPtr makeRecord(Write& write, const RecordPtr& previous, Revision revision) const;
  Status makeDurable(const Round& round);
  void publish(const Round& round);
  std::optional<milliseconds> expireDue();
  std::optional<milliseconds> compactDue();

  const EngineOptions options_;
  DirectoryLock lock_;
  const std::unique_ptr<Disk> disk_;

  std::mutex houseMutex_;            // one keepHouse at a time; taken before all others
  std::mutex timesMutex_;            // guards the three below; no lock is taken under it
  ExpiryQueue expiries_;
  struct Mark {
    SteadyTime at;
    Revision revision;               // the newest one at that time
  };
  std::deque<Mark> marks_;           // in order; how old events are, to a tenth of historyAge
  Revision lastMarked_;

  KeySpace keys_;

  mutable std::mutex mutex_;         // guards the three below; never held during a commit
  std::deque<Pending*> queue_;
  bool committing_ = false;
  uint64_t commits_ = 0, syncs_ = 0;

  Housekeeper housekeeper_{"store-keeper", [this] { return keepHouse(); }};
};

}  // namespace skiff::store
