#include "store/etcd/etcd_store.h"

#include "base/log.h"
#include "base/strings.h"
#include "net/tls.h"
#include "store/etcd/grpc_api.h"
#include "store/etcd/sealed_api.h"

namespace skiff::store::etcd {
namespace {

constexpr milliseconds kAttempt{8000};          // etcd itself gives up on a proposal after 7 s
constexpr milliseconds kCommitTimeout{20'000};  // all attempts, and the wait for the watch
constexpr milliseconds kRetryPause{100};
constexpr milliseconds kCompactTimeout{10'000};

TxnRequest requestOf(const Write& write, std::string key) {
  TxnRequest request{.key = std::move(key), .remove = write.remove};
  if (write.expected != Write::kAnyRevision) {
    request.expect = TxnRequest::Expect::ModRevision;
    request.expected = write.expected;
  }
  if (!write.remove) request.value = write.value.view();
  return request;
}

Error unknownOutcome(std::string_view why) {
  return {Reason::Timeout, concat("etcd: the outcome of the write is not known: ", why)};
}

}  // namespace

EtcdStore::EtcdStore(EtcdOptions options, std::unique_ptr<Api> api)
    : options_(std::move(options)), prefix_(options_.prefix), api_(std::move(api)), leases_(*api_, *options_.clock) {}

Result<std::unique_ptr<EtcdStore>> EtcdStore::create(EtcdOptions options, std::unique_ptr<Api> api) {
  std::unique_ptr<EtcdStore> store(new EtcdStore(std::move(options), std::move(api)));
  EtcdStore* self = store.get();
  store->follower_ = TRY(Follower::start(
      {store->api_.get(), &store->prefix_,
       [self](std::span<const EventPtr> events, Revision) { self->published(events); },
       store->options_.startAbandoned},
      store->options_.startTimeout));
  store->freshness_ = std::make_unique<Freshness>(*store->api_, *store->follower_, store->prefix_);
  store->compactor_ = std::make_unique<Compactor>(*store->api_, store->options_.compactionInterval, [self](int64_t revision) {
    // Our own history may end earlier, but not reach further than everybody's.
    if (revision <= self->revision()) MUST(self->follower_->keys().compact(revision).ok());
  });
  return store;
}

EtcdStore::~EtcdStore() {
  stop_.raise();
  if (compactor_) compactor_->stop();
  if (follower_) follower_->stop();
  if (freshness_) freshness_->stop();
}

void EtcdStore::onChanges(Listener listener) {
  std::lock_guard lock(listenerMutex_);
  listener_ = std::move(listener);
}

// On the follower's thread.
void EtcdStore::published(std::span<const EventPtr> events) {
  if (events.empty()) return;
  {
    std::lock_guard lock(listenerMutex_);
    if (listener_) listener_(events);
  }
  KeySpace& keys = follower_->keys();
  EventWindow::Size window = keys.window().size();
  if (window.events > options_.maxWindowEvents || window.bytes > options_.maxWindowBytes)
    MUST(keys.compact(keys.window().revisionToFit(options_.maxWindowEvents, options_.maxWindowBytes)).ok());
}

// A transaction whose outcome is not known is made again: it compares, so that it can be done only once. Where it was
// the first one that was done, the second fails, and our own write is among the events since then.
Result<WriteResult> EtcdStore::commit(Write write) {
  if (!write.key.starts_with(KeyPrefix::kOwn)) return badRequest("store: the key has no place in etcd");
  Attempt attempt{.since = revision(), .deadline = Clock::real().steadyNow() + kCommitTimeout};
  TxnRequest request = requestOf(write, prefix_.toEtcd(write.key));
  while (true) {
    if (write.timeToLive.count() > 0 && !write.remove) request.lease = TRY(leases_.leaseFor(write.timeToLive));
    Effect effect;
    auto answer = api_->txn(request, kAttempt, effect);
    if (answer.ok()) return outcomeOf(write, *answer, attempt);
    if (effect == Effect::None && !attempt.repeated) {
      if (!answer.failedWith(Reason::NotFound) || request.lease == 0) return std::move(answer).error();
      leases_.forget(request.lease);  // revoked by somebody, or etcd was restored from a backup
    }
    attempt.repeated = true;
    if (Clock::real().steadyNow() + kAttempt >= attempt.deadline || stop_.waitFor(kRetryPause))
      return unknownOutcome(answer.error().message());
  }
}

Result<WriteResult> EtcdStore::outcomeOf(Write& write, const TxnResponse& answer, const Attempt& attempt) {
  if (answer.succeeded && write.remove && !answer.removed) return WriteResult{.revision = answer.revision};
  if (answer.succeeded) return applied(write, answer.revision, attempt);
  // What we are told must be readable before the caller acts on it: else it would try again with the same old state.
  bool caughtUp = follower_->await(answer.revision, attempt.deadline);
  if (attempt.repeated) {
    if (!caughtUp) return unknownOutcome("the watch of etcd is lost");
    auto own = findOwn(write, attempt.since, answer.revision);
    if (!own.ok()) return unknownOutcome(own.error().message());
    if (*own != 0) return applied(write, *own, attempt);
  }
  return WriteResult{.applied = false, .revision = answer.revision, .record = keys().get(write.key)};
}

Result<WriteResult> EtcdStore::applied(Write& write, Revision revision, const Attempt& attempt) {
  ++commits_;
  AttachmentPtr attachment = write.attach && !write.remove ? write.attach(revision) : nullptr;
  RecordPtr record;
  if (follower_->awaitEvent(revision, attempt.deadline)) {
    // By now there may be a newer one.
    Revision at = write.remove ? revision - 1 : revision;
    auto found = keys().range({.from = write.key, .to = write.key + '\0', .at = at});
    if (found.ok() && !found->records.empty()) record = found->records.front();
  }
  // Compacted already, or the watch is away: it is done all the same.
  if (!record) record = std::make_shared<const Record>(write.key, write.value, revision, revision, nullptr);
  if (attachment) record->attach(std::move(attachment));
  return WriteResult{.applied = true, .revision = revision, .record = std::move(record)};
}

// The revision of our own write among the events of its key; 0: it was not done.
Result<Revision> EtcdStore::findOwn(const Write& write, Revision since, Revision upTo) {
  auto watcher = TRY(follower_->keys().watch(write.key, since));
  constexpr size_t kBatch = 1000;
  while (true) {
    Watcher::Batch batch = watcher->take(kBatch);
    if (batch.compacted) return Error(Reason::Expired, "the history since then is gone");
    for (const EventPtr& event : batch.events) {
      if (event->record->key() != write.key || event->revision > upTo) continue;
      bool removed = event->type == Event::Type::Delete;
      // Whoever removed it, it is removed; a value carries its writer's marks.
      if (write.remove ? removed : !removed && event->record->value().view() == write.value.view()) return event->revision;
    }
    if (!batch.more) return Revision(0);
  }
}

Status EtcdStore::compact(Revision upTo) {
  TRY(api_->compact(upTo, kCompactTimeout));
  return follower_->keys().compact(upTo);
}

Store::Stats EtcdStore::stats() const {
  return {.commits = commits_, .keys = keys().keys(), .windowEvents = keys().window().size().events};
}

}  // namespace skiff::store::etcd

namespace skiff::store {

Result<std::unique_ptr<Store>> openEtcdStore(EtcdOptions options) {
  if (options.servers.empty()) return badRequest("etcd: no servers");
  std::vector<net::Endpoint> members;
  std::shared_ptr<net::TlsContext> context;
  for (const std::string& server : options.servers) {
    bool isTls = false;
    std::string path;
    net::Endpoint member = TRY(net::parseUrl(server, &isTls, &path));
    if (isTls && !context)
      context = TRY(net::TlsContext::client({.caPem = options.caPem, .keyPair = {options.certPem, options.keyPem}}));
    if (isTls) member.tls = context;
    members.push_back(std::move(member));
  }
  auto api = etcd::makeGrpcApi(std::move(members));
  if (options.transformer) api = std::make_unique<etcd::SealedApi>(std::move(api), options.transformer);
  auto store = TRY(etcd::EtcdStore::create(std::move(options), std::move(api)));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace skiff::store
