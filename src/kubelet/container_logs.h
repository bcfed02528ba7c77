// A container's log as the runtime writes it (CRI format: "time stream tag text") to what `kubectl logs` shows.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::kubelet {

struct LogLine {
  std::string_view time;    // RFC 3339 with nanoseconds
  std::string_view stream;  // stdout, stderr
  bool partial = false;     // the next line of this stream continues it
  std::string_view text;
};
std::optional<LogLine> parseLogLine(std::string_view line);  // without its newline

struct LogOptions {
  bool follow = false, timestamps = false;
  std::optional<int64_t> tailLines, limitBytes;
  std::optional<WallTime> since;
  std::string stream;  // "", "stdout", "stderr"
};

// Where the last `lines` lines of a file begin.
Result<int64_t> tailOffset(int fd, int64_t lines);

// Sends the log to `sink` (false: the reader went away). With follow it goes on, over rotations, until `running` says no
// and everything is read.
Status streamLog(const std::string& path, const LogOptions& options, const std::function<bool(std::string)>& sink,
                 const std::function<bool()>& running);

// Moves a log that outgrew maxBytes to PATH.TIME and removes the oldest beyond maxFiles (the live one counts). True when
// it was moved: the runtime must then reopen it.
Result<bool> rotateLog(const std::string& path, int64_t maxBytes, int maxFiles, const Clock& clock);

}  // namespace skiff::kubelet
