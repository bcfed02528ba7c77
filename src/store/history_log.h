// The recent past on disk, so that watches and reads at an older revision go on after a restart.
//
// It is an undo log: an event is written as the value it replaced, since the newer one is the state's or a later event's.
// Written before the state and never synced: after kill -9 it is whole; after a power loss it may end before the state
// does, and is then thrown away: those who watched are told Expired and list again. Losing it loses nothing else.
//
//   history-<revision, 20 digits>     a segment: what happened after the revision, up to where the next one begins
//     "SKHIST01", then a batch for each commit round:
//       u32 size and u32 CRC-32C of what follows, i64 revision after the batch, then its events:
//       i64 revision, u8 kind, u32 size, and for a creation the key, else the record it replaced (record_format.h)
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "store/disk.h"
#include "store/transformer.h"

namespace skiff::store {

// The state at an older revision and what led from there to the newest one.
struct Past {
  DiskState base;
  std::vector<EventPtr> events;
  Revision newest = 0;
};

// One caller at a time but for forget(), which may come from any thread.
class HistoryLog {
 public:
  static constexpr size_t kSegmentBytes = 8 << 20;

  // `transformer`: of values on their way to the disk and back; null: none.
  HistoryLog(std::string directory, std::shared_ptr<Transformer> transformer)
      : directory_(std::move(directory)), transformer_(std::move(transformer)) {}
  HistoryLog(const HistoryLog&) = delete;
  ~HistoryLog();

  // Once, before all else. Where the log does not lead to the state, the past is empty and the log begins anew.
  Past load(DiskState state);
  // Events that lead to the revision. A failure ends the log until the next segment; it is not the writer's.
  void append(std::span<const EventPtr> events, Revision revision);
  // The batch appended last did not come to be.
  void takeBack();
  // The next batch begins a segment: forget() can only drop whole ones.
  void endSegment();
  // Nobody will ask for what was up to the revision.
  void forget(Revision upTo);

 private:
  Status write(std::span<const EventPtr> events, Revision revision);
  Status openSegment();
  void closeSegment();
  void discard();  // every segment
  std::string fileOf(Revision start) const;

  const std::string directory_;
  const std::shared_ptr<Transformer> transformer_;
  std::mutex mutex_;                      // guards everything below
  std::map<Revision, std::string> files_; // by the revision they begin at
  int fd_ = -1;                           // of the newest segment; -1: the next batch begins one
  uint64_t size_ = 0;                     // of that segment
  bool broken_ = false;                   // until the next segment
  Revision newest_ = 0;                   // all events up to it are written, or lost for good
  struct {
    uint64_t size = 0;
    Revision newest = 0;
  } before_;                              // the last batch
  std::string buffer_;
};

}  // namespace skiff::store
