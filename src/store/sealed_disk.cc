#include "store/sealed_disk.h"

#include <unordered_map>

#include "base/log.h"

namespace skiff::store {
namespace {

RecordPtr withValue(const Record& record, std::string value) {
  return std::make_shared<const Record>(record.key(), SharedBytes(std::move(value)), record.createRevision(), record.modRevision(),
                                        nullptr, record.expiry());
}

}  // namespace

Result<RecordPtr> sealed(Transformer& transformer, const RecordPtr& record) {
  std::string_view value = record->value().view();
  if (!transformer.sealOf(value).empty()) return record;
  std::string stored = TRY(transformer.seal(record->key(), value));
  if (transformer.sealOf(stored).empty()) return record;
  return withValue(*record, std::move(stored));
}

RecordPtr opened(Transformer& transformer, const RecordPtr& record) {
  std::string_view stored = record->value().view();
  if (transformer.sealOf(stored).empty()) return record;
  auto value = transformer.open(record->key(), stored);
  if (value.ok()) return withValue(*record, *std::move(value));
  log::error("A stored value cannot be decrypted", {{"key", record->key()}, {"err", value.error().message()}});
  return record;
}

RecordPtr SealedDisk::noted(const RecordPtr& stored) {
  notes_.note(stored->key(), transformer_->sealOf(stored->value().view()));
  return opened(*transformer_, stored);
}

Result<Past> SealedDisk::load() {
  Past past = TRY(inner_->load());
  std::unordered_map<RecordPtr, RecordPtr> open;  // events share their records
  for (RecordPtr& record : past.base.records) record = open[record] = noted(record);
  for (EventPtr& event : past.events) {
    auto plain = std::make_shared<Event>(*event);
    bool removed = event->type == Event::Type::Delete;
    if (removed) notes_.note(event->record->key(), {});
    else open[event->record] = noted(event->record);
    plain->record = open[event->record];
    if (event->previous) plain->previous = open[event->previous];
    event = std::move(plain);
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
