#include "store/key_space.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::store {
namespace {

constexpr size_t kPruneEvents = 512;  // at a time under the lock

}  // namespace

std::string prefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

KeySpace::KeySpace(std::vector<RecordPtr> records, Revision revision)
    : revision_(revision), compacted_(std::max<Revision>(revision - 1, 0)),
      window_(std::make_shared<EventWindow>(revision)) {
  for (RecordPtr& record : records) index_.put(std::move(record));
}

std::shared_lock<std::shared_mutex> KeySpace::readLock() const {
  std::lock_guard turn(turnstile_);
  return std::shared_lock(mutex_);
}

std::unique_lock<std::shared_mutex> KeySpace::writeLock() const {
  std::lock_guard turn(turnstile_);
  return std::unique_lock(mutex_);
}

void KeySpace::publish(std::span<const EventPtr> events, Revision revision) {
  {
    auto lock = writeLock();
    for (const EventPtr& event : events) {
      if (event->type == Event::Type::Delete) {
        index_.remove(event->record->key(), event->revision);
      } else {
        index_.put(event->record);
      }
    }
    revision_ = revision;
  }
  window_->append(events, revision);
}

void KeySpace::publishOverGap(std::span<const EventPtr> events, Revision revision) {
  window_->interrupt(revision);
  publish(events, revision);
  MUST(compact(revision).ok());
}

std::vector<RecordPtr> KeySpace::all() const {
  std::vector<RecordPtr> records;
  auto lock = readLock();
  index_.scan("", "", [&](const KeyHistory& history) {
    if (history.live()) records.push_back(history.newest());
    return true;
  });
  return records;
}

RecordPtr KeySpace::get(std::string_view key) const {
  auto lock = readLock();
  const KeyHistory* history = index_.find(key);
  return history && history->live() ? history->newest() : nullptr;
}

Status KeySpace::readable(Revision at) const {
  if (at > revision_) {
    return Error(Reason::Timeout, concat("Too large resource version: ", at, ", current: ", revision_));
  }
  if (at <= compacted_) {
    return Error(Reason::Expired, concat("too old resource version: ", at, " (", compacted_ + 1, ")"));
  }
  return okStatus();
}

// Reads on from `from`, at most so many entries. True when the range is done; else `from` is where to go on.
bool KeySpace::scanInto(RangeResult& result, const RangeOptions& options, std::string& from, size_t entries) const {
  bool done = true;
  index_.scan(from, options.to, [&](const KeyHistory& history) {
    if (entries-- == 0) {
      from = history.key();
      done = false;
      return false;
    }
    const RecordPtr* record = history.at(result.revision);
    if (!record) return true;
    if (options.limit != 0 && result.records.size() == options.limit) {
      result.more = true;
      return false;
    }
    result.records.push_back(*record);
    return true;
  });
  return done;
}

Result<RangeResult> KeySpace::range(const RangeOptions& options) const {
  RangeResult result;
  result.records.reserve(std::min(options.limit, kScanEntries));
  std::string from = options.from;
  auto lock = readLock();
  result.revision = options.at != 0 ? options.at : revision_;
  if (options.at != 0) TRY(readable(options.at));
  while (!scanInto(result, options, from, kScanEntries)) {
    lock.unlock();
    lock = readLock();
    if (result.revision > compacted_ || result.revision == revision_) continue;
    if (options.at != 0) return readable(options.at).error();
    // Compaction overtook a read of "now". Read it anew in one go.
    result = {.revision = revision_};
    from = options.from;
    scanInto(result, options, from, SIZE_MAX);
    break;
  }
  return result;
}

size_t KeySpace::count(std::string_view from, std::string_view to) const {
  auto lock = readLock();
  return index_.countLive(from, to);
}

size_t KeySpace::keys() const {
  auto lock = readLock();
  return index_.live();
}

Revision KeySpace::revision() const {
  auto lock = readLock();
  return revision_;
}

Revision KeySpace::compactedRevision() const {
  auto lock = readLock();
  return compacted_;
}

Status KeySpace::compact(Revision upTo) {
  {
    auto lock = writeLock();
    if (upTo > revision_) {
      return badRequest(concat("cannot compact to ", upTo, ", the newest revision is ", revision_));
    }
    upTo = std::min(upTo, revision_ - 1);
    if (upTo <= compacted_) return okStatus();
    compacted_ = upTo;
  }
  // Only the keys that changed can hold past versions, and the events say which those are.
  while (true) {
    std::vector<EventPtr> dropped = window_->drop(upTo, kPruneEvents);
    {
      auto lock = writeLock();
      for (const EventPtr& event : dropped) index_.prune(event->record->key(), upTo);
    }
    if (dropped.size() < kPruneEvents) return okStatus();
  }
}

}  // namespace skiff::store
