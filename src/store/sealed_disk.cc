#include "store/sealed_disk.h"

#include <algorithm>
#include <unordered_map>

#include "base/log.h"

namespace skiff::store {
namespace {

RecordPtr withValue(const Record& record, std::string value) {
  return std::make_shared<const Record>(record.key(), SharedBytes(std::move(value)), record.createRevision(), record.modRevision(),
                                        nullptr, record.expiry());
}

Result<RecordPtr> sealed(Transformer& transformer, const RecordPtr& record) {
  std::string_view value = record->value().view();
  if (!transformer.sealOf(value).empty()) return record;
  std::string stored = TRY(transformer.seal(record->key(), value));
  if (transformer.sealOf(stored).empty()) return record;
  return withValue(*record, std::move(stored));
}

Result<RecordPtr> opened(Transformer& transformer, const RecordPtr& record) {
  std::string_view stored = record->value().view();
  if (transformer.sealOf(stored).empty()) return record;
  return withValue(*record, TRY(transformer.open(record->key(), stored)));
}

// The past as if it began after so many of its events.
void forgetFirst(Past& past, size_t count) {
  if (count == 0) return;
  auto end = past.events.begin() + static_cast<ptrdiff_t>(count);
  std::unordered_map<std::string, RecordPtr> last;
  for (auto event = past.events.begin(); event != end; ++event)
    last[(*event)->record->key()] = (*event)->type == Event::Type::Delete ? nullptr : (*event)->record;
  std::erase_if(past.base.records, [&](const RecordPtr& record) { return last.contains(record->key()); });
  for (auto& [key, record] : last)
    if (record) past.base.records.push_back(std::move(record));
  past.base.revision = past.events[count - 1]->revision;
  past.events.erase(past.events.begin(), end);
}

// Of each stored record the plain one; null when it cannot be opened.
using Plain = std::unordered_map<RecordPtr, RecordPtr>;

Plain openAll(Transformer& transformer, const Past& past) {
  Plain plain;
  auto open = [&](const RecordPtr& stored) { plain[stored] = opened(transformer, stored).valueOr(nullptr); };
  std::ranges::for_each(past.base.records, open);
  for (const EventPtr& event : past.events)
    if (event->type == Event::Type::Put) open(event->record);
  return plain;
}

// How many events it takes until none is left that tells of something unreadable.
size_t unreadable(const Past& past, const Plain& plain) {
  auto tells = [&](const EventPtr& event) {
    return !plain.at(event->record) || (event->previous && !plain.at(event->previous));
  };
  auto last = std::find_if(past.events.rbegin(), past.events.rend(), tells);
  return static_cast<size_t>(past.events.rend() - last);
}

}  // namespace

Result<Past> SealedDisk::load() {
  Past past = TRY(inner_->load());
  Plain plain = openAll(*transformer_, past);
  forgetFirst(past, unreadable(past, plain));
  for (RecordPtr& record : past.base.records) {
    notes_.note(record->key(), transformer_->sealOf(record->value().view()));
    if (const RecordPtr& open = plain.at(record)) record = open;
    else log::error("A stored value cannot be decrypted", {{"key", record->key()}});
  }
  for (EventPtr& event : past.events) {
    bool removed = event->type == Event::Type::Delete;
    notes_.note(event->record->key(), removed ? std::string() : transformer_->sealOf(event->record->value().view()));
    auto open = std::make_shared<Event>(*event);
    open->record = plain.at(event->record);
    if (event->previous) open->previous = plain.at(event->previous);
    event = std::move(open);
  }
  return past;
}

Status SealedDisk::append(std::span<const EventPtr> events) {
  std::vector<EventPtr> stored(events.begin(), events.end());
  for (EventPtr& event : stored) {
    if (event->type == Event::Type::Delete) continue;
    auto copy = std::make_shared<Event>(*event);
    copy->record = TRY(sealed(*transformer_, event->record));
    event = std::move(copy);
  }
  TRY(inner_->append(stored));
  for (const EventPtr& event : stored) {
    bool removed = event->type == Event::Type::Delete;
    notes_.note(event->record->key(), removed ? std::string() : transformer_->sealOf(event->record->value().view()));
  }
  return okStatus();
}

}  // namespace skiff::store
