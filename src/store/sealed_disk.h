// A Disk whose values are sealed by a Transformer: between the engine, where they are plain, and the medium.
#pragma once
#include "store/disk.h"
#include "store/transformer.h"

namespace skiff::store {

// The record with its value as it is written. What could not be opened goes back as it is.
Result<RecordPtr> sealed(Transformer& transformer, const RecordPtr& record);
// The record with its plain value. What cannot be opened (its key is gone) keeps its sealed value: it is not lost, only
// unreadable, and the log says so.
RecordPtr opened(Transformer& transformer, const RecordPtr& record);

class SealedDisk final : public Disk {
 public:
  SealedDisk(std::unique_ptr<Disk> inner, std::shared_ptr<Transformer> transformer)
      : inner_(std::move(inner)), transformer_(std::move(transformer)) {}

  Result<Past> load() override;
  Status append(std::span<const EventPtr> events) override;
  void forget(Revision upTo) override { inner_->forget(upTo); }
  uint64_t bytes() const override { return inner_->bytes(); }
  bool isStale(std::string_view key) const override { return transformer_->isStale(key, notes_.find(key)); }

 private:
  RecordPtr noted(const RecordPtr& stored);

  const std::unique_ptr<Disk> inner_;
  const std::shared_ptr<Transformer> transformer_;
  SealNotes notes_;
};

}  // namespace skiff::store
