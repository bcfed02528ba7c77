#include "store/history_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "base/log.h"
#include "base/read_file.h"
#include "base/strings.h"
#include "store/crc32c.h"
#include "store/file_error.h"
#include "store/record_format.h"
#include "store/sealed_disk.h"
#include "store/stored_bytes.h"

namespace skiff::store {
namespace {

constexpr std::string_view kMagic = "SKHIST01";
constexpr std::string_view kFilePrefix = "history-";
constexpr size_t kRevisionDigits = 20;
constexpr size_t kBatchHeader = 2 * sizeof(uint32_t);                          // size, checksum
constexpr size_t kEventHeader = sizeof(Revision) + sizeof(uint8_t) + sizeof(uint32_t);  // revision, kind, size

enum class Kind : uint8_t { Created, Changed, Removed };

// An event as it is written: of the newer value it says nothing.
struct Change {
  Revision revision;
  Kind kind;
  std::string key;
  RecordPtr replaced;  // null: created
};

Kind kindOf(const Event& event) {
  if (event.type == Event::Type::Delete) return Kind::Removed;
  return event.previous ? Kind::Changed : Kind::Created;
}

// Room for so many bytes at the end.
char* grow(std::string& out, size_t size) {
  out.resize(out.size() + size);
  return out.data() + out.size() - size;
}

Status putEvent(std::string& out, const Event& event, Transformer* transformer) {
  Kind kind = kindOf(event);
  RecordPtr replaced = event.previous;
  if (replaced && transformer) replaced = TRY(sealed(*transformer, replaced));
  size_t size = replaced ? encodedSize(*replaced, KeyPlace::Inside) : event.record->key().size();
  char* at = put(grow(out, kEventHeader + size), event.revision);
  at = put(at, static_cast<uint8_t>(kind));
  at = put(at, static_cast<uint32_t>(size));
  if (replaced) encodeRecord(*replaced, KeyPlace::Inside, at);
  else put(at, event.record->key());
  return okStatus();
}

std::optional<Change> cutChange(std::string_view& in, Transformer* transformer) {
  if (in.size() < kEventHeader) return std::nullopt;
  auto revision = cutNumber<Revision>(in);
  auto kind = cutNumber<uint8_t>(in);
  auto size = cutNumber<uint32_t>(in);
  if (kind > static_cast<uint8_t>(Kind::Removed) || size > in.size()) return std::nullopt;
  Change change{revision, static_cast<Kind>(kind), {}, nullptr};
  std::string_view body = cutBytes(in, size);
  if (change.kind == Kind::Created) {
    change.key = body;
    return change;
  }
  auto record = decodeRecord({}, body);
  if (!record.ok()) return std::nullopt;
  change.replaced = transformer ? opened(*transformer, *record) : *record;
  change.key = change.replaced->key();
  return change;
}

// What the segments tell, as far as each begins where the one before it ends.
struct Reading {
  Revision start = -1, newest = -1;
  std::vector<Change> changes;
};

// The bytes of the segment that are sound and lead no further than the limit.
size_t readSegment(std::string_view bytes, Revision limit, Transformer* transformer, Reading& reading) {
  if (!bytes.starts_with(kMagic)) return 0;
  size_t sound = kMagic.size();
  for (std::string_view in = bytes.substr(sound); !in.empty();) {
    if (in.size() < kBatchHeader) break;
    auto size = cutNumber<uint32_t>(in), checksum = cutNumber<uint32_t>(in);
    if (size > in.size() || size < sizeof(Revision)) break;
    std::string_view body = cutBytes(in, size);
    if (crc32c(body) != checksum) break;
    auto revision = cutNumber<Revision>(body);
    if (revision <= reading.newest || revision > limit) break;
    std::vector<Change> changes;
    while (!body.empty()) {
      auto change = cutChange(body, transformer);
      if (!change) return sound;
      changes.push_back(std::move(*change));
    }
    std::ranges::move(changes, std::back_inserter(reading.changes));
    reading.newest = revision;
    sound += kBatchHeader + size;
  }
  return sound;
}

// Walks back from the state. Nothing when the changes cannot have led to it.
std::optional<Past> undo(const DiskState& state, const Reading& reading) {
  std::unordered_map<std::string_view, RecordPtr> touched;
  for (const Change& change : reading.changes) touched.emplace(change.key, nullptr);
  Past past{.base = {.records = {}, .revision = reading.start}, .events = {}, .newest = state.revision};
  for (const RecordPtr& record : state.records) {
    auto found = touched.find(record->key());
    if (found != touched.end()) found->second = record;
    else past.base.records.push_back(record);
  }
  for (auto change = reading.changes.rbegin(); change != reading.changes.rend(); ++change) {
    RecordPtr& now = touched[change->key];
    bool removed = change->kind == Kind::Removed;
    bool fits = removed ? !now : now && now->modRevision() == change->revision;
    if (!fits) return std::nullopt;
    auto event = std::make_shared<Event>();
    event->type = removed ? Event::Type::Delete : Event::Type::Put;
    event->revision = change->revision;
    event->record = removed ? change->replaced : std::move(now);
    event->previous = change->replaced;
    now = change->replaced;
    past.events.push_back(std::move(event));
  }
  std::ranges::reverse(past.events);
  for (auto& [key, record] : touched)
    if (record) past.base.records.push_back(std::move(record));
  return past;
}

}  // namespace

HistoryLog::~HistoryLog() { closeSegment(); }

std::string HistoryLog::fileOf(Revision start) const {
  std::string digits = std::to_string(start);
  return concat(directory_, "/", kFilePrefix, std::string(kRevisionDigits - digits.size(), '0'), digits);
}

Past HistoryLog::load(DiskState state) {
  std::lock_guard lock(mutex_);
  newest_ = state.revision;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, failed)) {
    std::string name = entry.path().filename();
    if (!name.starts_with(kFilePrefix)) continue;
    auto start = parseInt(std::string_view(name).substr(kFilePrefix.size()));
    if (start) files_.emplace(*start, entry.path());
  }
  Reading reading;
  for (const auto& [start, file] : files_) {
    if (start != reading.newest) reading = {.start = start, .newest = start, .changes = {}};
    size_t sound = readSegment(readFile(file).valueOr({}), state.revision, transformer_.get(), reading);
    // What lies behind never came to be; the next segment begins where this one ends.
    if (::truncate(file.c_str(), static_cast<off_t>(sound)) != 0) reading = {};
  }
  if (reading.newest == state.revision && !reading.changes.empty()) {
    if (std::optional<Past> past = undo(state, reading)) return std::move(*past);
  }
  discard();
  Revision newest = state.revision;
  return {.base = std::move(state), .events = {}, .newest = newest};
}

void HistoryLog::append(std::span<const EventPtr> events, Revision revision) {
  std::lock_guard lock(mutex_);
  before_ = {size_, newest_};
  if (!broken_) {
    if (Status written = write(events, revision); !written.ok()) {
      log::warn("The history on disk is interrupted: watches will not go on after a restart", {{"err", written.error().message()}});
      discard();
      broken_ = true;
    }
  }
  newest_ = revision;
}

Status HistoryLog::write(std::span<const EventPtr> events, Revision revision) {
  if (size_ > kSegmentBytes) closeSegment();
  if (fd_ < 0) TRY(openSegment());
  before_.size = size_;
  buffer_.clear();
  put(grow(buffer_, kBatchHeader + sizeof revision) + kBatchHeader, revision);
  for (const EventPtr& event : events) TRY(putEvent(buffer_, *event, transformer_.get()));
  std::string_view body = std::string_view(buffer_).substr(kBatchHeader);
  put(put(buffer_.data(), static_cast<uint32_t>(body.size())), crc32c(body));
  if (::pwrite(fd_, buffer_.data(), buffer_.size(), static_cast<off_t>(size_)) != static_cast<ssize_t>(buffer_.size())) {
    return fileError("write", files_.rbegin()->second);
  }
  size_ += buffer_.size();
  if (buffer_.capacity() > kSegmentBytes) std::string().swap(buffer_);
  return okStatus();
}

Status HistoryLog::openSegment() {
  std::string file = fileOf(newest_);
  fd_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd_ < 0) return fileError("create", file);
  files_[newest_] = file;
  size_ = kMagic.size();
  if (::pwrite(fd_, kMagic.data(), kMagic.size(), 0) != static_cast<ssize_t>(kMagic.size())) return fileError("write", file);
  return okStatus();
}

void HistoryLog::takeBack() {
  std::lock_guard lock(mutex_);
  newest_ = before_.newest;
  if (fd_ < 0) return;
  if (::ftruncate(fd_, static_cast<off_t>(before_.size)) == 0) size_ = before_.size;
  else discard();
}

void HistoryLog::endSegment() {
  std::lock_guard lock(mutex_);
  closeSegment();
  broken_ = false;
}

void HistoryLog::forget(Revision upTo) {
  std::lock_guard lock(mutex_);
  while (files_.size() > 1 && std::next(files_.begin())->first <= upTo) {
    ::unlink(files_.begin()->second.c_str());
    files_.erase(files_.begin());
  }
}

void HistoryLog::closeSegment() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  size_ = 0;
}

void HistoryLog::discard() {
  closeSegment();
  for (const auto& [start, file] : files_) ::unlink(file.c_str());
  files_.clear();
}

}  // namespace skiff::store
