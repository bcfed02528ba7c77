#include "store/sealed_disk.h"

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

Result<DiskState> SealedDisk::load() {
  DiskState state = TRY(inner_->load());
  for (RecordPtr& record : state.records) {
    notes_.note(record->key(), transformer_->sealOf(record->value().view()));
    record = opened(*transformer_, record);
  }
  return state;
}

Status SealedDisk::apply(std::span<const DiskChange> changes, Revision revision) {
  std::vector<DiskChange> stored(changes.begin(), changes.end());
  for (DiskChange& change : stored)
    if (change.record) change.record = TRY(sealed(*transformer_, change.record));
  TRY(inner_->apply(stored, revision));
  for (const DiskChange& change : stored)
    notes_.note(change.key, change.record ? transformer_->sealOf(change.record->value().view()) : std::string());
  return okStatus();
}

}  // namespace skiff::store
