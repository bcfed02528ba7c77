#include "store/etcd/sealed_api.h"

#include "base/log.h"

namespace skiff::store::etcd {
namespace {

class SealedStream final : public WatchStream {
 public:
  SealedStream(std::unique_ptr<WatchStream> inner, std::shared_ptr<SealedApi::Values> values)
      : inner_(std::move(inner)), values_(std::move(values)) {}

  Result<WatchResponse> next(milliseconds timeout) override {
    WatchResponse response = TRY(inner_->next(timeout));
    for (WatchEvent& event : response.events) event.removed ? values_->removed(event.kv.key) : values_->open(event.kv);
    return response;
  }
  bool provesProgress() const override { return inner_->provesProgress(); }
  void requestProgress() override { inner_->requestProgress(); }
  void cancel() override { inner_->cancel(); }

 private:
  const std::unique_ptr<WatchStream> inner_;
  const std::shared_ptr<SealedApi::Values> values_;
};

}  // namespace

void SealedApi::Values::open(KeyValue& kv) {
  written(kv.key, kv.value);
  auto value = transformer_->open(kv.key, kv.value);
  if (value.ok()) kv.value = *std::move(value);
  else log::error("A stored value cannot be decrypted", {{"key", kv.key}, {"err", value.error().message()}});
}

Result<RangeResponse> SealedApi::range(const RangeRequest& request, milliseconds timeout) {
  RangeResponse response = TRY(inner_->range(request, timeout));
  for (KeyValue& kv : response.kvs) values_->open(kv);
  return response;
}

Result<TxnResponse> SealedApi::txn(const TxnRequest& request, milliseconds timeout, Effect& effect) {
  effect = Effect::None;
  std::string stored;
  TxnRequest sealed = request;
  if (!request.remove) {
    stored = TRY(values_->seal(request.key, request.value));
    sealed.value = stored;
  }
  TxnResponse response = TRY(inner_->txn(sealed, timeout, effect));
  for (KeyValue& kv : response.current) values_->open(kv);
  if (response.succeeded && !request.remove) values_->written(request.key, stored);
  return response;
}

Result<std::unique_ptr<WatchStream>> SealedApi::watch(const WatchRequest& request) {
  auto stream = TRY(inner_->watch(request));
  return std::unique_ptr<WatchStream>(std::make_unique<SealedStream>(std::move(stream), values_));
}

}  // namespace skiff::store::etcd
