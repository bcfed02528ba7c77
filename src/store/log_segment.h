// The form of a segment of the write log: what happened after a revision, in batches as they were committed.
//
//   "SKLOG001", u64 salt, i64 the revision it begins after, u32 CRC-32C of these
//   then for each commit round: u32 size and u32 CRC-32C of what follows, each xor one half of the salt, and its changes:
//     i64 revision, u8 kind, u32 size, and the record that was put (record_format.h, the key inside) or the key that was removed
//
// A file is used again for later segments: its salt tells the batches of a segment from what lies behind them. For the same
// reason no value that somebody writes can look like a batch.
#pragma once
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace skiff::store {

struct SegmentHeader {
  static constexpr size_t kBytes = 28;
  uint64_t salt = 0;
  Revision start = 0;
};

struct LogChange {
  Revision revision;
  std::string key;
  RecordPtr record;  // null: the key was removed
};

// The revision a segment ends at is where the next one begins; the newest one has no end.
inline constexpr Revision kNoEnd = std::numeric_limits<Revision>::max();

std::string encodeHeader(const SegmentHeader& header);
// At the end of `out`: a batch of at least one event.
void encodeBatch(std::string& out, uint64_t salt, std::span<const EventPtr> events);

// What is told by the segment that begins and ends at these revisions. What lies behind the end never came to be; where
// there is no end the last batch may be torn. All else that is not sound is an error.
Result<std::vector<LogChange>> readSegment(std::string_view bytes, Revision start, Revision end);

}  // namespace skiff::store
