#include "store/sealed_disk.h"

#include "base/log.h"

namespace skiff::store {
namespace {

RecordPtr withValue(const Record& record, std::string value) {
  return std::make_shared<const Record>(record.key(), SharedBytes(std::move(value)), record.createRevision(), record.modRevision(),
                                        nullptr, record.expiry());
}

}  // namespace

Result<DiskState> SealedDisk::load() {
  DiskState state = TRY(inner_->load());
  for (RecordPtr& record : state.records) {
    std::string seal = transformer_->sealOf(record->value().view());
    auto value = transformer_->open(record->key(), record->value().view());
    notes_.note(record->key(), seal);
    if (!value.ok()) {
      log::error("A stored value cannot be decrypted", {{"key", record->key()}, {"err", value.error().message()}});
    } else if (!seal.empty()) {
      record = withValue(*record, *std::move(value));
    }
  }
  return state;
}

Status SealedDisk::apply(std::span<const DiskChange> changes, Revision revision) {
  std::vector<DiskChange> sealed(changes.begin(), changes.end());
  std::vector<std::string> seals(changes.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!changes[i].record) continue;
    std::string_view value = changes[i].record->value().view();
    // What could not be opened goes back as it is.
    if (!transformer_->sealOf(value).empty()) continue;
    std::string stored = TRY(transformer_->seal(changes[i].key, value));
    seals[i] = transformer_->sealOf(stored);
    if (!seals[i].empty()) sealed[i].record = withValue(*changes[i].record, std::move(stored));
  }
  TRY(inner_->apply(sealed, revision));
  for (size_t i = 0; i < changes.size(); ++i) notes_.note(changes[i].key, std::move(seals[i]));
  return okStatus();
}

}  // namespace skiff::store
