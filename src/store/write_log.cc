#include "store/write_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/read_file.h"
#include "base/strings.h"
#include "store/files.h"

namespace skiff::store {
namespace {

constexpr std::string_view kSegmentPrefix = "log-", kSparePrefix = "spare-";
constexpr size_t kMaxSpares = 2;
constexpr size_t kRevisionDigits = 20;

uint64_t sizeOfFile(const std::string& file) {
  std::error_code absent;
  uint64_t size = std::filesystem::file_size(file, absent);
  return absent ? 0 : size;
}

}  // namespace

std::vector<WriteLog::Segment> WriteLog::segmentsIn(const std::string& directory) {
  std::vector<Segment> segments;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
    std::string name = entry.path().filename();
    if (!name.starts_with(kSegmentPrefix)) continue;
    auto start = parseInt(std::string_view(name).substr(kSegmentPrefix.size()));
    if (start) segments.push_back({.start = *start, .file = entry.path()});
  }
  std::ranges::sort(segments, {}, &Segment::start);
  for (size_t i = 1; i < segments.size(); ++i) segments[i - 1].end = segments[i].start;
  return segments;
}

Result<std::vector<LogChange>> WriteLog::read(const Segment& segment) {
  std::string bytes = TRY(readFile(segment.file));
  auto changes = readSegment(bytes, segment.start, segment.end);
  if (!changes.ok()) {
    return internalError(concat("store: ", segment.file, ": ", changes.error().message(), "; \"skiff store verify\" lists all faults"));
  }
  return changes;
}

Result<std::vector<LogChange>> WriteLog::readAfter(std::span<const Segment> segments, Revision after) {
  std::vector<LogChange> all;
  for (const Segment& segment : segments) {
    if (segment.end <= after) continue;
    Revision newest = all.empty() ? after : all.back().revision;
    if (segment.start > newest) {
      return internalError(concat("store: what happened between the revisions ", newest, " and ", segment.start, " is missing before ", segment.file));
    }
    for (LogChange& change : TRY(read(segment)))
      if (change.revision > after) all.push_back(std::move(change));
  }
  return all;
}

Fd WriteLog::hold(const Segment& segment) {
  Fd fd(::open(segment.file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat held, named;
  bool present = fd && ::flock(fd.get(), LOCK_SH) == 0 && ::fstat(fd.get(), &held) == 0 &&
                 ::stat(segment.file.c_str(), &named) == 0 && held.st_ino == named.st_ino;
  return present ? std::move(fd) : Fd();
}

std::string WriteLog::fileOf(std::string_view prefix, Revision start) const {
  std::string digits = std::to_string(start);
  return concat(options_.directory, "/", prefix, std::string(kRevisionDigits - digits.size(), '0'), digits);
}

Status WriteLog::sync(int fd, const std::string& file) const {
  if (options_.sync && ::fdatasync(fd) != 0) return fileError("sync", file);
  return okStatus();
}

Result<std::vector<LogChange>> WriteLog::load(Revision after) {
  std::lock_guard lock(mutex_);
  std::vector<Segment> segments = segmentsIn(options_.directory);
  for (const Segment& segment : segments) files_[segment.start] = segment.file;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory))
    if (std::string(entry.path().filename()).starts_with(kSparePrefix)) spares_.push_back(entry.path());
  auto changes = TRY(readAfter(segments, after));
  newest_ = changes.empty() ? after : changes.back().revision;
  if (segments.empty()) return changes;
  // The last batch may be one that was not acknowledged. It is told of from now on, so it must stay.
  const std::string& last = segments.back().file;
  Fd fd(::open(last.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return fileError("open", last);
  TRY(sync(fd.get(), last));
  return changes;
}

Status WriteLog::append(std::span<const EventPtr> events) {
  Revision start = events.front()->revision - 1;
  if (!fd_ || start != newest_ || size_ >= options_.segmentBytes) TRY(begin(start));
  buffer_.clear();
  encodeBatch(buffer_, salt_, events);
  if (Status written = write(buffer_); !written.ok()) {
    fd_.reset();
    return written;
  }
  newest_ = events.back()->revision;
  if (buffer_.capacity() > options_.segmentBytes) std::string().swap(buffer_);
  return okStatus();
}

Status WriteLog::write(std::string_view bytes) {
  const std::string& file = files_.rbegin()->second;  // which nobody else changes
  TRY(writeAt(fd_.get(), bytes, size_, file));
  TRY(sync(fd_.get(), file));
  size_ += bytes.size();
  return okStatus();
}

Status WriteLog::begin(Revision start) {
  fd_.reset();
  std::lock_guard lock(mutex_);
  std::string file = fileOf(kSegmentPrefix, start);
  std::string spare = spares_.empty() ? fileOf(kSparePrefix, start) : spares_.back();
  Fd fd(::open(spare.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fileError("create", spare);
  SegmentHeader header{.salt = Rng::real().next(), .start = start};
  TRY(writeAt(fd.get(), encodeHeader(header), 0, spare));
  TRY(sync(fd.get(), spare));
  if (::rename(spare.c_str(), file.c_str()) != 0) return fileError("rename to", file);
  if (!spares_.empty()) spares_.pop_back();
  files_[start] = file;
  if (options_.sync) TRY(syncPath(options_.directory, O_RDONLY | O_DIRECTORY));
  fd_ = std::move(fd);
  salt_ = header.salt;
  size_ = SegmentHeader::kBytes;
  newest_ = start;
  return okStatus();
}

std::optional<WriteLog::Segment> WriteLog::oldest(Revision upTo) const {
  std::lock_guard lock(mutex_);
  if (files_.size() < 2) return std::nullopt;
  auto first = files_.begin(), second = std::next(first);
  if (second->first > upTo) return std::nullopt;
  return Segment{.start = first->first, .end = second->first, .file = first->second};
}

void WriteLog::drop(const Segment& segment) {
  std::lock_guard lock(mutex_);
  std::string spare = fileOf(kSparePrefix, segment.start);
  Fd fd(::open(segment.file.c_str(), O_RDONLY | O_CLOEXEC));
  bool wanted = spares_.size() < kMaxSpares && sizeOfFile(segment.file) >= options_.segmentBytes;
  bool held = !fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
  if (wanted && !held && ::rename(segment.file.c_str(), spare.c_str()) == 0) spares_.push_back(spare);
  else ::unlink(segment.file.c_str());
  files_.erase(segment.start);
}

Status WriteLog::prepareSpare() {
  {
    std::lock_guard lock(mutex_);
    if (!spares_.empty()) return okStatus();
  }
  std::string file = concat(options_.directory, "/", kSparePrefix, "zeros"), part = concat(options_.directory, "/zeros.part");
  Fd fd(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fileError("create", part);
  const std::string zeros(size_t{64} << 10, '\0');
  Status done = okStatus();
  for (size_t at = 0; done.ok() && at < options_.segmentBytes; at += zeros.size()) done = writeAt(fd.get(), zeros, at, part);
  if (done.ok()) done = sync(fd.get(), part);
  if (done.ok() && ::rename(part.c_str(), file.c_str()) != 0) done = fileError("rename to", file);
  if (!done.ok()) {
    ::unlink(part.c_str());
    return done;
  }
  std::lock_guard lock(mutex_);
  spares_.insert(spares_.begin(), file);
  return done;
}

size_t WriteLog::segments() const {
  std::lock_guard lock(mutex_);
  return files_.size();
}

uint64_t WriteLog::bytes() const {
  std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const auto& [start, file] : files_) bytes += sizeOfFile(file);
  for (const std::string& file : spares_) bytes += sizeOfFile(file);
  return bytes;
}

}  // namespace skiff::store
