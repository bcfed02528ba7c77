// The disk of the embedded engine: a log of what was written in front of a state that follows behind.
//
//   append --> WriteLog (one sync)
//   forget --> the keeper folds each segment that nobody asks for any more into the LmdbState, in one transaction, and drops it
//
// So history costs no write of its own, and a key that is written often reaches the state once a segment.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>

#include "store/disk.h"
#include "store/housekeeper.h"
#include "store/lmdb_state.h"
#include "store/write_log.h"

namespace skiff::store {

class LoggedDisk final : public Disk {
 public:
  static Result<std::unique_ptr<Disk>> open(WriteLog::Options options);
  ~LoggedDisk() override { keeper_.stop(); }

  Result<Past> load() override;
  Status append(std::span<const EventPtr> events) override;
  void forget(Revision upTo) override;
  uint64_t bytes() const override { return state_->bytes() + log_.bytes(); }

 private:
  LoggedDisk(WriteLog::Options options, std::unique_ptr<LmdbState> state) : state_(std::move(state)), log_(std::move(options)) {}
  void wakeKeeper();
  std::optional<std::chrono::milliseconds> tidy();
  Status fold(const WriteLog::Segment& segment);

  const std::unique_ptr<LmdbState> state_;  // after load() the keeper's
  Revision folded_ = 0;                     // the state's; the keeper's too
  WriteLog log_;
  size_t segments_ = 0;                     // when the appender looked last
  std::atomic<Revision> forgotten_ = 0;
  std::once_flag keeperStarted_;            // with the second segment: most logs never have one
  Housekeeper keeper_{"store-fold", [this] { return tidy(); }};
};

// Of each key what is last, in the order of keys: what a state must take over to follow the changes.
std::vector<KeyState> lastOfEach(std::span<const LogChange> changes);
// What the changes were to who knew the state before them. An error when they cannot have followed it.
Result<std::vector<EventPtr>> eventsOf(const DiskState& base, std::span<const LogChange> changes);

}  // namespace skiff::store
