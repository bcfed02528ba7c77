// An Api whose values are sealed by a Transformer: between the store, where they are plain, and etcd.
#pragma once
#include <memory>

#include "store/etcd/api.h"
#include "store/transformer.h"

namespace skiff::store::etcd {

class SealedApi final : public Api {
 public:
  SealedApi(std::unique_ptr<Api> inner, std::shared_ptr<Transformer> transformer)
      : inner_(std::move(inner)), values_(std::make_shared<Values>(std::move(transformer))) {}

  Result<RangeResponse> range(const RangeRequest& request, milliseconds timeout) override;
  Result<TxnResponse> txn(const TxnRequest& request, milliseconds timeout, Effect& effect) override;
  Result<int64_t> grantLease(seconds timeToLive, milliseconds timeout) override { return inner_->grantLease(timeToLive, timeout); }
  Status compact(int64_t revision, milliseconds timeout) override { return inner_->compact(revision, timeout); }
  Result<std::unique_ptr<WatchStream>> watch(const WatchRequest& request) override;
  bool isStale(std::string_view key) const override { return values_->isStale(key); }

  // Shared with the streams, which may outlive a call.
  class Values {
   public:
    explicit Values(std::shared_ptr<Transformer> transformer) : transformer_(std::move(transformer)) {}
    // What cannot be opened (its key is not ours) stays sealed, and the log says so.
    void open(KeyValue& kv);
    Result<std::string> seal(std::string_view key, std::string_view value) { return transformer_->seal(key, value); }
    void written(std::string_view key, std::string_view stored) { notes_.note(key, transformer_->sealOf(stored)); }
    void removed(std::string_view key) { notes_.note(key, ""); }
    bool isStale(std::string_view key) const { return transformer_->isStale(key, notes_.find(key)); }

   private:
    const std::shared_ptr<Transformer> transformer_;
    SealNotes notes_;
  };

 private:
  const std::unique_ptr<Api> inner_;
  const std::shared_ptr<Values> values_;
};

}  // namespace skiff::store::etcd
