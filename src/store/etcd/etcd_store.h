// The store over etcd: reads come from a KeySpace that a Follower keeps, writes are transactions on one key. Private to
// the room and its tests.
//
//   commit -> Txn (compare the key's revision) -> etcd ... watch -> Follower -> KeySpace -> commit returns
//   get, range, watch ------------------------------------------------------> KeySpace
#pragma once
#include <memory>

#include "store/etcd/compactor.h"
#include "store/etcd/etcd.h"
#include "store/etcd/freshness.h"
#include "store/etcd/leases.h"

namespace skiff::store::etcd {

class EtcdStore final : public Store {
 public:
  static Result<std::unique_ptr<EtcdStore>> create(EtcdOptions options, std::unique_ptr<Api> api);
  ~EtcdStore() override;

  Result<WriteResult> commit(Write write) override;
  RecordPtr get(std::string_view key) const override { return keys().get(key); }
  Result<RangeResult> range(const RangeOptions& options) const override { return keys().range(options); }
  size_t count(std::string_view from, std::string_view to) const override { return keys().count(from, to); }
  Revision revision() const override { return keys().revision(); }
  Revision compactedRevision() const override { return keys().compactedRevision(); }
  Status compact(Revision upTo) override;
  Result<std::unique_ptr<Watcher>> watch(std::string_view prefix, Revision after) override {
    return follower_->keys().watch(prefix, after);
  }
  bool shared() const override { return true; }
  void whenFresh(UniqueFunction<void(Status)> ready) override { freshness_->whenFresh(std::move(ready)); }
  void onChanges(Listener listener) override;
  bool isStale(std::string_view key) const override { return api_->isStale(prefix_.toEtcd(key)); }
  Stats stats() const override;

  Status compactRoundForTest() { return compactor_->round(); }

 private:
  EtcdStore(EtcdOptions options, std::unique_ptr<Api> api);
  const KeySpace& keys() const { return follower_->keys(); }
  struct Attempt {
    Revision since;         // what was done for it was done later
    SteadyTime deadline;
    bool repeated = false;  // the transaction may have been done before
  };
  Result<WriteResult> outcomeOf(Write& write, const TxnResponse& answer, const Attempt& attempt);
  Result<WriteResult> applied(Write& write, Revision revision, const Attempt& attempt);
  Result<Revision> findOwn(const Write& write, Revision since, Revision upTo);
  void published(std::span<const EventPtr> events);

  const EtcdOptions options_;
  const KeyPrefix prefix_;
  rt::StopSignal stop_;
  std::mutex listenerMutex_;  // guards listener_
  Listener listener_;
  std::atomic<uint64_t> commits_ = 0;
  std::unique_ptr<Api> api_;
  Leases leases_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<Freshness> freshness_;
  std::unique_ptr<Compactor> compactor_;
};

}  // namespace skiff::store::etcd
