#include "store/engine.h"

#include <algorithm>

#include "base/log.h"
#include "store/engine_impl.h"
#include "store/logged_disk.h"
#include "store/sealed_disk.h"

namespace skiff::store {
namespace {

constexpr size_t kExpireAtOnce = 1000;        // deletes that share one sync
constexpr milliseconds kExpireRetry{10'000};  // after a disk failure
constexpr int kMarksPerAge = 10;

ExpiryQueue expiriesOf(const Past& past) {
  ExpiryQueue queue;
  for (const RecordPtr& record : past.base.records) queue.add(*record);
  for (const EventPtr& event : past.events)
    if (event->type == Event::Type::Put) queue.add(*event->record);
  return queue;
}

bool asExpected(const Write& write, const RecordPtr& current) {
  if (write.remove && !current) return false;
  if (write.expected == Write::kAnyRevision) return true;
  return write.expected == (current ? current->modRevision() : 0);
}

// Rounded up: waking early would be for nothing.
template <class Duration>
milliseconds timeUntil(Duration left) {
  return std::max(std::chrono::ceil<milliseconds>(left), milliseconds(0));
}

}  // namespace

Result<std::unique_ptr<Store>> openStore(EngineOptions options) {
  DirectoryLock lock;
  std::unique_ptr<Disk> disk;
  if (!options.inMemory) {
    lock = TRY(DirectoryLock::acquire(options.directory));
    disk = TRY(LoggedDisk::open({.directory = options.directory, .sync = options.sync}));
    if (options.transformer) disk = std::make_unique<SealedDisk>(std::move(disk), options.transformer);
  }
  auto engine = TRY(Engine::create(std::move(options), std::move(disk), std::move(lock)));
  return std::unique_ptr<Store>(std::move(engine));
}

Result<std::unique_ptr<Engine>> Engine::create(EngineOptions options, std::unique_ptr<Disk> disk, DirectoryLock lock) {
  Past past;
  if (disk) past = TRY(disk->load());
  return std::unique_ptr<Engine>(new Engine(std::move(options), std::move(disk), std::move(lock), std::move(past)));
}

Engine::Engine(EngineOptions options, std::unique_ptr<Disk> disk, DirectoryLock lock, Past past)
    : options_(std::move(options)), lock_(std::move(lock)), disk_(std::move(disk)), expiries_(expiriesOf(past)),
      lastMarked_(past.base.revision), keys_(std::move(past.base.records), past.base.revision) {
  if (!past.events.empty()) keys_.publish(past.events, past.newest);
  housekeeper_.start();
}

Engine::~Engine() {
  housekeeper_.stop();
  MUST(queue_.empty() && !committing_);
}

Result<WriteResult> Engine::commit(Write write) {
  if (write.key.empty()) return badRequest("store: the key is empty");
  Pending pending(std::move(write));
  Pending* mine[] = {&pending};
  await(mine);
  return std::move(*pending.outcome);
}

void Engine::commitThen(Write write, Done done) {
  if (write.key.empty()) return done(badRequest("store: the key is empty"));
  auto pending = std::make_unique<Pending>(std::move(write));
  pending->done = std::move(done);
  bool first;
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(pending.release());
    first = !std::exchange(committing_, true);
  }
  if (first) lead();
}

// Queues the writes together and returns when all have an outcome.
void Engine::await(std::span<Pending* const> mine) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    queue_.insert(queue_.end(), mine.begin(), mine.end());
    first = !std::exchange(committing_, true);
  }
  if (first) lead();
  for (Pending* pending : mine) {
    while (pending->turn.wait() == Turn::Lead) lead();
  }
}

// Rounds, until nobody is left or somebody else leads.
void Engine::lead() {
  bool mine = true;
  while (mine) {
    leadRound();
    std::lock_guard lock(mutex_);
    mine = !queue_.empty() && !std::exchange(committing_, true);
  }
}

void Engine::leadRound() {
  std::vector<Pending*> batch;
  {
    std::lock_guard lock(mutex_);
    batch.assign(queue_.begin(), queue_.end());
    queue_.clear();
  }
  std::vector<std::unique_ptr<Pending>> called;  // once they are told
  std::vector<Result<WriteResult>> outcomes = runRound(batch);
  for (size_t i = 0; i < batch.size(); ++i) batch[i]->outcome = std::move(outcomes[i]);
  Pending* next = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto waiting = std::ranges::find_if(queue_, [](const Pending* pending) { return !pending->done; });
    if (waiting == queue_.end()) committing_ = false;
    else next = *waiting;
  }
  // The next round starts while the writers of this one wake up, or are called: led by one who waits, else by whoever writes
  // next, else by this thread when it is done here. Nothing is held meanwhile: who is called may write.
  if (next) next->turn.signal(Turn::Lead);
  for (Pending* pending : batch)
    if (!pending->done) pending->turn.signal(Turn::Done);
    else called.emplace_back(pending);
  for (const auto& pending : called) pending->done(std::move(*pending->outcome));
}

std::vector<Result<WriteResult>> Engine::runRound(std::span<Pending* const> batch) {
  Round round{.revision = keys_.revision()};
  for (Pending* pending : batch) round.results.push_back(judge(pending->write, round));

  if (!round.events.empty()) {
    // Even a refusal may have been judged by a write that is now lost, so a failure is everyone's.
    if (Status durable = makeDurable(round); !durable.ok()) return {batch.size(), durable.error()};
    publish(round);
  }
  return {std::make_move_iterator(round.results.begin()), std::make_move_iterator(round.results.end())};
}

// Decides one write on the state that the writes before it in the round leave behind.
WriteResult Engine::judge(Write& write, Round& round) const {
  auto earlier = round.changed.find(write.key);
  RecordPtr current = earlier != round.changed.end() ? earlier->second : keys_.get(write.key);
  if (!asExpected(write, current)) return {.applied = false, .revision = round.revision, .record = current};

  Revision revision = ++round.revision;
  auto event = std::make_shared<Event>();
  event->type = write.remove ? Event::Type::Delete : Event::Type::Put;
  event->revision = revision;
  event->record = write.remove ? current : makeRecord(write, current, revision);
  event->previous = current;
  RecordPtr record = event->record;
  RecordPtr after = write.remove ? nullptr : record;
  if (earlier != round.changed.end()) {
    earlier->second = std::move(after);
  } else {
    round.changed.emplace(record->key(), std::move(after));  // the event keeps the key alive
  }
  round.events.push_back(std::move(event));
  return {.applied = true, .revision = revision, .record = std::move(record)};
}

RecordPtr Engine::makeRecord(Write& write, const RecordPtr& previous, Revision revision) const {
  WallTime expiry{};
  if (write.timeToLive.count() > 0) expiry = options_.clock->now() + write.timeToLive;
  AttachmentPtr attachment = write.attach ? write.attach(revision) : nullptr;
  Revision created = previous ? previous->createRevision() : revision;
  return std::make_shared<const Record>(std::move(write.key), std::move(write.value), created, revision,
                                        std::move(attachment), expiry);
}

Status Engine::makeDurable(const Round& round) {
  if (!disk_) return okStatus();
  TRY(disk_->append(round.events));
  std::lock_guard lock(mutex_);
  ++syncs_;
  return okStatus();
}

void Engine::publish(const Round& round) {
  bool nudge = false;
  {
    std::lock_guard lock(timesMutex_);
    for (const EventPtr& event : round.events) {
      if (event->type == Event::Type::Put) nudge |= expiries_.add(*event->record);
    }
    SteadyTime now = options_.clock->steadyNow();
    if (marks_.empty() || now - marks_.back().at >= options_.historyAge / kMarksPerAge) {
      nudge |= marks_.empty();
      marks_.push_back({now, round.revision});
      lastMarked_ = round.revision;
    }
  }
  keys_.publish(round.events, round.revision);
  {
    std::lock_guard lock(mutex_);
    commits_ += round.events.size();
  }
  EventWindow::Size window = keys_.window().size();
  if (window.events > options_.maxWindowEvents || window.bytes > options_.maxWindowBytes) {
    Revision fits = keys_.window().revisionToFit(options_.maxWindowEvents, options_.maxWindowBytes);
    MUST(compact(fits).ok());
  }
  if (nudge) housekeeper_.nudge();
}

Status Engine::compact(Revision upTo) {
  TRY(keys_.compact(upTo));
  if (disk_) disk_->forget(keys_.compactedRevision());
  return okStatus();
}

std::optional<milliseconds> Engine::keepHouse() {
  std::lock_guard lock(houseMutex_);
  std::optional<milliseconds> expire = expireDue(), compact = compactDue();
  if (expire && compact) return std::min(*expire, *compact);
  return expire ? expire : compact;
}

std::optional<milliseconds> Engine::expireDue() {
  while (true) {
    std::vector<ExpiryQueue::Entry> due;
    {
      WallTime now = options_.clock->now();
      std::lock_guard lock(timesMutex_);
      due = expiries_.takeDue(now, kExpireAtOnce);
      if (due.empty()) {
        std::optional<WallTime> next = expiries_.next();
        return next ? std::optional(timeUntil(*next - now)) : std::nullopt;
      }
    }
    std::deque<Pending> deletes;
    std::vector<Pending*> mine;
    for (const ExpiryQueue::Entry& entry : due) {
      deletes.emplace_back(Write{.key = entry.key, .expected = entry.revision, .remove = true});
      mine.push_back(&deletes.back());
    }
    await(mine);
    if (const auto& outcome = *deletes.front().outcome; !outcome.ok()) {
      log::warn("Could not delete expired records, will retry", {{"err", outcome.error().message()}});
      std::lock_guard lock(timesMutex_);
      for (ExpiryQueue::Entry& entry : due) expiries_.add(std::move(entry));
      return kExpireRetry;
    }
  }
}

std::optional<milliseconds> Engine::compactDue() {
  SteadyTime now = options_.clock->steadyNow();
  Revision newest = keys_.revision(), upTo = 0;
  std::optional<milliseconds> wait;
  {
    std::lock_guard lock(timesMutex_);
    while (!marks_.empty() && marks_.front().at + options_.historyAge <= now) {
      upTo = marks_.front().revision;
      marks_.pop_front();
    }
    // What was written after the last mark gets one too, though no write follows.
    if (newest > lastMarked_ && marks_.empty()) {
      marks_.push_back({now, newest});
      lastMarked_ = newest;
    }
    if (!marks_.empty()) wait = timeUntil(marks_.front().at + options_.historyAge - now);
  }
  if (upTo > 0) MUST(compact(upTo).ok());
  return wait;
}

Store::Stats Engine::stats() const {
  Stats stats{.diskBytes = disk_ ? disk_->bytes() : 0, .keys = keys_.keys(), .windowEvents = keys_.window().size().events};
  std::lock_guard lock(mutex_);
  stats.commits = commits_;
  stats.syncs = syncs_;
  return stats;
}

}  // namespace skiff::store
