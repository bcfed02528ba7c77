// What was written since the state on disk, in segments (log_segment.h): an event is durable once it is here. The same
// events tell a restart what watches and reads at older revisions may still ask for.
//
//   log-<revision, 20 digits>   a segment, by the revision it begins after: it has this name once its header is durable
//   spare-<any>                 a file for the next one: an old segment, or zeros. To sync what overwrites blocks costs half
//                               of what it costs when the file grows.
//
// After a failed append the next one begins a segment where that one began: what may have reached the disk of it lies
// behind the end of its segment.
#pragma once
#include <map>
#include <mutex>
#include <optional>

#include "base/fd.h"
#include "store/log_segment.h"

namespace skiff::store {

class WriteLog {
 public:
  struct Options {
    std::string directory;
    size_t segmentBytes = 4 << 20;  // a batch that begins in a segment may exceed it
    bool sync = true;
  };
  struct Segment {
    Revision start = 0, end = kNoEnd;
    std::string file;
  };
  // By their start.
  static std::vector<Segment> segmentsIn(const std::string& directory);
  static Result<std::vector<LogChange>> read(const Segment& segment);
  // What the segments tell of the time after the revision; an error when they do not go on from there.
  static Result<std::vector<LogChange>> readAfter(std::span<const Segment> segments, Revision after);

  // Whoever reads a log that is written holds its segments first: the file is not used again until the Fd is closed.
  // Nothing when the segment was dropped before.
  static Fd hold(const Segment& segment);

  explicit WriteLog(Options options) : options_(std::move(options)) {}

  // Once, before all else.
  Result<std::vector<LogChange>> load(Revision after);
  // Durable when it returns ok; otherwise nothing was appended. One caller at a time.
  Status append(std::span<const EventPtr> events);

  // The rest from any thread. The oldest segment, if it ends, and by the revision.
  std::optional<Segment> oldest(Revision upTo) const;
  void drop(const Segment& segment);
  // A file for the next segment, unless there is one. May take a while.
  Status prepareSpare();
  size_t segments() const;
  uint64_t bytes() const;

 private:
  Status begin(Revision start);
  Status write(std::string_view bytes);
  Status sync(int fd, const std::string& file) const;
  std::string fileOf(std::string_view prefix, Revision start) const;

  const Options options_;
  Fd fd_;                 // of the newest segment; the four below are the appender's
  uint64_t salt_ = 0;
  uint64_t size_ = 0;     // of that segment
  Revision newest_ = 0;
  std::string buffer_;

  mutable std::mutex mutex_;                // guards the two below, and who has which name
  std::map<Revision, std::string> files_;   // by the revision they begin after
  std::vector<std::string> spares_;
};

}  // namespace skiff::store
