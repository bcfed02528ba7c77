#include "store/etcd/follower.h"

#include <algorithm>
#include <unordered_map>

#include "base/log.h"

namespace skiff::store::etcd {
namespace {

constexpr milliseconds kRangeTimeout{10'000};
constexpr int64_t kPageKeys = 1000;              // so that a page of large objects stays within a message's limit
constexpr milliseconds kFirstBackoff{50}, kMaxBackoff{2000};
constexpr milliseconds kIdleTurn{60'000};        // the watch is waited for in turns of this
constexpr milliseconds kEventGrace{2};           // the event that brings the revision is mostly under way already
constexpr milliseconds kProgressEvery{100};      // a watch that lags behind its member does not answer: ask again
constexpr milliseconds kTouchEvery{100};        // where such a request proves nothing
constexpr std::string_view kTouchKey = "skiff.io/touch";
constexpr milliseconds kSilence{3000};           // no answer for so long: another member

WallTime neverExpires() { return {}; }  // etcd removes what expires by itself, and the watch tells

}  // namespace

Result<std::unique_ptr<Follower>> Follower::start(Parts parts, milliseconds timeout) {
  std::unique_ptr<Follower> follower(new Follower(std::move(parts)));
  State state = TRY(follower->load(Clock::real().steadyNow() + timeout));
  Revision revision = state.revision;
  follower->keys_ = std::make_unique<KeySpace>(std::move(state.records), revision);
  follower->gate_.advance(revision);
  follower->thread_ = rt::Thread("etcd-watch", [self = follower.get()] { self->run(); });
  return follower;
}

void Follower::stop() {
  if (stopping_.exchange(true)) return;
  stop_.raise();
  gate_.close();
  abandon();
  thread_.join();
}

RecordPtr Follower::recordOf(const KeyValue& kv) const {
  // Unchanged records keep what caches have made of them.
  std::string key = parts_.prefix->fromEtcd(kv.key);
  if (keys_)
    if (RecordPtr known = keys_->get(key); known && known->modRevision() == kv.modRevision) return known;
  return std::make_shared<const Record>(std::move(key), SharedBytes(kv.value), kv.createRevision, kv.modRevision,
                                        nullptr, neverExpires());
}

// All keys at one revision: the one that the first page was read at.
Result<Follower::State> Follower::load(SteadyTime deadline) {
  State state;
  milliseconds backoff = kFirstBackoff;
  RangeRequest request{.key = parts_.prefix->outside(), .end = prefixEnd(parts_.prefix->outside()), .limit = kPageKeys};
  while (true) {
    auto page = parts_.api->range(request, kRangeTimeout);
    if (!page.ok()) {
      if (page.failedWith(Reason::TooManyRequests) && request.limit > 1) {  // larger than a message may be
        request.limit /= 2;
        continue;
      }
      bool abandoned = !keys_ && parts_.startAbandoned && parts_.startAbandoned();
      if (stopping_ || abandoned || Clock::real().steadyNow() >= deadline) return std::move(page).error();
      if (page.failedWith(Reason::Expired)) {  // compacted while we were reading
        request.key = parts_.prefix->outside();
        request.revision = 0;
        state = {};
        continue;
      }
      log::warn("Cannot read etcd, will retry", {{"err", page.error().message()}});
      stop_.waitFor(backoff);
      backoff = std::min(backoff * 2, kMaxBackoff);
      continue;
    }
    if (request.revision == 0) state.revision = request.revision = page->revision;
    for (const KeyValue& kv : page->kvs) state.records.push_back(recordOf(kv));
    if (!page->more || page->kvs.empty()) return state;
    request.key = page->kvs.back().key + '\0';
  }
}

void Follower::run() {
  milliseconds backoff = kFirstBackoff;
  while (!stopping_) {
    Revision before = keys_->revision();
    Status lost = resyncNeeded_ ? resync() : follow();
    if (stopping_) return;
    if (lost.ok()) continue;
    if (keys_->revision() > before) backoff = kFirstBackoff;
    log::warn("The watch of etcd is lost", {{"revision", keys_->revision()}, {"err", lost.error().message()}});
    stop_.waitFor(backoff);
    backoff = std::min(backoff * 2, kMaxBackoff);
  }
}

Status Follower::follow() {
  WatchRequest request{.key = parts_.prefix->outside(),
                       .end = prefixEnd(parts_.prefix->outside()),
                       .startRevision = keys_->revision() + 1};
  fragments_.clear();
  std::shared_ptr<WatchStream> stream = TRY(parts_.api->watch(request));
  {
    std::lock_guard lock(streamMutex_);
    stream_ = stream;
    provesProgress_ = stream->provesProgress();
  }
  while (!stopping_ && !resyncNeeded_) {
    auto response = stream->next(kIdleTurn);
    if (response.failedWith(Reason::Timeout)) continue;
    if (!response.ok()) return std::move(response).error();
    if (response->isProgress() && !stream->provesProgress()) continue;
    TRY(take(std::move(response).value()));
  }
  return okStatus();
}

Status Follower::take(WatchResponse response) {
  if (response.canceled) {
    // Without a revision the member has refused for another reason; the next one may not.
    resyncNeeded_ = response.compactRevision > 0;
    if (resyncNeeded_) return okStatus();
    return Error(Reason::ServiceUnavailable, concat("canceled: ", response.cancelReason));
  }
  std::ranges::move(response.events, std::back_inserter(fragments_));
  if (response.fragment) return okStatus();
  if (!fragments_.empty()) return apply(std::exchange(fragments_, {}));
  if (response.isProgress() && response.revision > keys_->revision()) publish({}, response.revision);
  return okStatus();
}

// Events of whole revisions. What is known already is passed over.
Status Follower::apply(std::vector<WatchEvent> events) {
  const Revision known = keys_->revision();
  std::vector<EventPtr> made;
  std::unordered_map<std::string_view, RecordPtr> changed;  // by the records' keys: what the events so far leave behind
  Revision newest = known;
  for (const WatchEvent& event : events) {
    std::string key = parts_.prefix->fromEtcd(event.kv.key);
    auto earlier = changed.find(key);
    RecordPtr current = earlier != changed.end() ? earlier->second : keys_->get(key);
    if (event.kv.modRevision <= known) {
      bool seen = event.removed ? !current || current->modRevision() > event.kv.modRevision
                                : current && current->modRevision() >= event.kv.modRevision;
      if (seen) continue;
      log::warn("etcd sent an event after it had told of its revision", {{"key", key}, {"revision", event.kv.modRevision}});
      resyncNeeded_ = true;
      return okStatus();
    }
    newest = std::max(newest, event.kv.modRevision);
    if (event.removed && !current) continue;  // created and deleted in one transaction
    auto out = std::make_shared<Event>();
    out->type = event.removed ? Event::Type::Delete : Event::Type::Put;
    out->revision = event.kv.modRevision;
    out->record = event.removed ? current : recordOf(event.kv);
    out->previous = std::move(current);
    changed.insert_or_assign(std::string_view(out->record->key()), event.removed ? nullptr : out->record);
    made.push_back(std::move(out));
  }
  if (newest > known) publish(made, newest);
  return okStatus();
}

// The history in between is gone. Watchers end, the listener gets the differences.
Status Follower::resync() {
  State state = TRY(load(Clock::real().steadyNow() + kRangeTimeout));
  const Revision known = keys_->revision();
  state.revision = std::max(state.revision, known);
  std::vector<EventPtr> events;
  auto tell = [&](Event::Type type, Revision revision, RecordPtr record, RecordPtr previous) {
    events.push_back(std::make_shared<const Event>(Event{type, revision, std::move(record), std::move(previous)}));
  };
  std::vector<RecordPtr> before = keys_->all();
  auto old = before.begin();
  for (RecordPtr& record : state.records) {
    for (; old != before.end() && (*old)->key() < record->key(); ++old) tell(Event::Type::Delete, state.revision, *old, *old);
    bool had = old != before.end() && (*old)->key() == record->key();
    if (!had || (*old)->modRevision() != record->modRevision())
      tell(Event::Type::Put, std::max(record->modRevision(), known + 1), record, had ? *old : nullptr);
    if (had) ++old;
  }
  for (; old != before.end(); ++old) tell(Event::Type::Delete, state.revision, *old, *old);
  std::ranges::stable_sort(events, {}, [](const EventPtr& event) { return event->revision; });
  log::warn("The history of etcd has a gap: watches end", {{"from", known}, {"to", state.revision}, {"changes", events.size()}});
  resyncNeeded_ = false;
  keys_->publishOverGap(events, state.revision);
  parts_.published(events, state.revision);
  gate_.advance(state.revision);
  return okStatus();
}

void Follower::publish(std::span<const EventPtr> events, Revision revision) {
  keys_->publish(events, revision);
  parts_.published(events, revision);
  gate_.advance(revision);
}

bool Follower::await(Revision revision, SteadyTime deadline) {
  SteadyTime now = Clock::real().steadyNow(), silentSince = now;
  if (gate_.wait(revision, std::min(deadline, now + kEventGrace))) return true;
  while (!stopping_) {
    askForProof();
    if (gate_.wait(revision, std::min(deadline, now + kProgressEvery))) return true;
    now = Clock::real().steadyNow();
    if (now >= deadline) return false;
    if (now - silentSince >= kSilence) {
      abandon();
      silentSince = now;
    }
  }
  return false;
}

void Follower::askForProof() {
  std::shared_ptr<WatchStream> stream;
  {
    std::lock_guard lock(streamMutex_);
    stream = provesProgress_ ? stream_ : nullptr;
    SteadyTime now = Clock::real().steadyNow();
    if (!provesProgress_ && now - touched_ < kTouchEvery) return;
    if (!provesProgress_) touched_ = now;
  }
  if (stream) stream->requestProgress();
  else touch();
}

// Its event comes after all events before it.
void Follower::touch() {
  TxnRequest request{.key = concat(parts_.prefix->outside(), kTouchKey)};
  Effect effect;
  auto touched = parts_.api->txn(request, kProgressEvery * 10, effect);
  if (!touched.ok()) log::debug("Cannot ask etcd for an event", {{"err", touched.error().message()}});
}

void Follower::abandon() {
  std::shared_ptr<WatchStream> stream;
  {
    std::lock_guard lock(streamMutex_);
    stream = stream_;
  }
  if (stream) stream->cancel();
}

}  // namespace skiff::store::etcd
