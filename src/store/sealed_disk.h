// A Disk whose values are sealed by a Transformer: between the engine, where they are plain, and the medium.
//
// What cannot be opened, since its key is gone, is kept sealed: it is not lost, only unreadable, and the log says so. Of
// history it is forgotten: whoever seals everything anew and drops the old key shall find nothing that needs it.
#pragma once
#include "store/disk.h"
#include "store/transformer.h"

namespace skiff::store {

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
  const std::unique_ptr<Disk> inner_;
  const std::shared_ptr<Transformer> transformer_;
  SealNotes notes_;
};

}  // namespace skiff::store
