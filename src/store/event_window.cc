#include "store/event_window.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::store {
namespace {

// So many of the newest events keep what caches made of their old values: prompt watchers share it. A laggard decodes
// again, which costs less than keeping every decoded form as long as its event.
constexpr size_t kWarmEvents = 1024;

// The value that only history still reads.
const RecordPtr& superseded(const Event& event) {
  return event.type == Event::Type::Delete ? event.record : event.previous;
}

// What the event keeps in memory beyond the live state: the value it replaced, or the deleted one.
size_t historyBytes(const Event& event) {
  const RecordPtr& kept = superseded(event);
  return sizeof(Event) + (kept ? sizeof(Record) + kept->key().size() + kept->value().size() : 0);
}

}  // namespace

class EventWindow::PrefixWatcher final : public Watcher {
 public:
  PrefixWatcher(std::shared_ptr<EventWindow> window, Channel& channel, Sequence next, Revision after)
      : window_(std::move(window)), channel_(channel), after_(after), era_(window_->era_),
        next_(next), seen_(after) {}

  ~PrefixWatcher() override {
    std::lock_guard lock(window_->mutex_);
    std::erase(channel_.armed, this);
    if (--channel_.watchers == 0) window_->channels_.erase(window_->channels_.find(channel_.prefix));
  }

  Batch take(size_t limit) override {
    std::lock_guard lock(window_->mutex_);
    Batch batch;
    batch.compacted = over();
    batch.upTo = seen_;
    if (batch.compacted) return batch;

    auto from = std::lower_bound(channel_.events.begin(), channel_.events.end(), next_);
    auto available = static_cast<size_t>(channel_.events.end() - from);
    batch.events.reserve(std::min(limit, available));
    for (; from != channel_.events.end() && batch.events.size() < limit; ++from) {
      const EventPtr& event = window_->event(*from);
      if (event->revision > after_) batch.events.push_back(event);
      next_ = *from + 1;
    }
    batch.more = from != channel_.events.end();
    if (!batch.more) {
      next_ = window_->nextSequence();
      seen_ = std::max(seen_, window_->newest_);
    } else if (!batch.events.empty()) {
      // A transaction's events share a revision: it is complete only when its last one has been taken.
      seen_ = std::max(seen_, std::min(batch.events.back()->revision, window_->event(*from)->revision - 1));
    }
    batch.upTo = seen_;
    return batch;
  }

  void notify(UniqueFunction<void()> wake) override {
    {
      std::lock_guard lock(window_->mutex_);
      bool pending = over() || (!channel_.events.empty() && channel_.events.back() >= next_);
      if (!pending) {
        if (!wake_) channel_.armed.push_back(this);
        wake_ = std::move(wake);
        return;
      }
    }
    wake();
  }

  UniqueFunction<void()> disarm() { return std::exchange(wake_, nullptr); }

 private:
  bool over() const { return era_ != window_->era_ || next_ <= channel_.dropped; }

  std::shared_ptr<EventWindow> window_;
  Channel& channel_;  // alive while this watcher is counted in it
  // A reader may know a revision a moment before the window does: the events up to it are not for him.
  const Revision after_;
  const uint64_t era_;
  Sequence next_;     // the first event not handed out
  Revision seen_;
  UniqueFunction<void()> wake_;  // guarded by the window's mutex, as all of this
};

// Every watched prefix of the key. The greatest prefix at or before a probe is the next candidate; where it is none,
// no other one longer than what it shares with the key can be.
template <class Visit>
void EventWindow::forChannelsOf(std::string_view key, Visit visit) {
  std::string_view probe = key;
  while (true) {
    auto next = channels_.upper_bound(probe);
    if (next == channels_.begin()) return;
    auto& [prefix, channel] = *std::prev(next);
    size_t shared = static_cast<size_t>(
        std::mismatch(prefix.begin(), prefix.end(), probe.begin(), probe.end()).first - prefix.begin());
    if (shared == prefix.size()) {
      visit(channel);
      if (shared == 0) return;
      --shared;
    }
    probe = key.substr(0, shared);
  }
}

void EventWindow::append(std::span<const EventPtr> events, Revision revision) {
  std::vector<UniqueFunction<void()>> wakes;
  std::vector<EventPtr> cooled;
  {
    std::lock_guard lock(mutex_);
    for (const EventPtr& event : events) {
      Sequence sequence = nextSequence();
      events_.push_back(event);
      bytes_ += historyBytes(*event);
      forChannelsOf(event->record->key(), [&](Channel& channel) {
        channel.events.push_back(sequence);
        for (PrefixWatcher* watcher : channel.armed) wakes.push_back(watcher->disarm());
        channel.armed.clear();
      });
    }
    newest_ = revision;
    firstWarm_ = std::max(firstWarm_, firstSequence_);
    for (; firstWarm_ + kWarmEvents < nextSequence(); ++firstWarm_) cooled.push_back(event(firstWarm_));
  }
  for (auto& wake : wakes) wake();
  for (const EventPtr& event : cooled)
    if (const RecordPtr& record = superseded(*event)) record->detach();
}

void EventWindow::interrupt(Revision revision) {
  std::vector<UniqueFunction<void()>> wakes;
  {
    std::lock_guard lock(mutex_);
    ++era_;
    start_ = std::max(start_, revision);
    newest_ = std::max(newest_, revision);
    for (auto& [prefix, channel] : channels_) {
      for (PrefixWatcher* watcher : channel.armed) wakes.push_back(watcher->disarm());
      channel.armed.clear();
    }
  }
  for (auto& wake : wakes) wake();
}

std::vector<EventPtr> EventWindow::drop(Revision upTo, size_t limit) {
  std::vector<EventPtr> dropped;
  std::lock_guard lock(mutex_);
  while (!events_.empty() && events_.front()->revision <= upTo && dropped.size() < limit) {
    bytes_ -= historyBytes(*events_.front());
    start_ = std::max(start_, events_.front()->revision);
    forChannelsOf(events_.front()->record->key(), [&](Channel& channel) { forget(channel, firstSequence_); });
    dropped.push_back(std::move(events_.front()));
    events_.pop_front();
    ++firstSequence_;
  }
  if (dropped.size() < limit) start_ = std::max(start_, std::min(upTo, newest_));
  return dropped;
}

void EventWindow::forget(Channel& channel, Sequence sequence) {
  if (sequence < channel.since) return;
  channel.dropped = sequence;
  ++channel.stale;
  if (channel.stale * 2 < channel.events.size()) return;
  channel.events.erase(channel.events.begin(), channel.events.begin() + static_cast<ptrdiff_t>(channel.stale));
  channel.stale = 0;
}

EventWindow::Sequence EventWindow::firstAfter(Revision revision) const {
  auto first = std::partition_point(events_.begin(), events_.end(),
                                    [&](const EventPtr& event) { return event->revision <= revision; });
  return firstSequence_ + static_cast<Sequence>(first - events_.begin());
}

// Extends the channel's index back to `since`.
void EventWindow::indexSince(Channel& channel, Sequence since) {
  if (since >= channel.since) return;
  std::vector<Sequence> older;
  for (Sequence s = std::max(since, firstSequence_); s < std::min(channel.since, nextSequence()); ++s) {
    if (event(s)->record->key().starts_with(channel.prefix)) older.push_back(s);
  }
  channel.events.insert(channel.events.begin(), older.begin(), older.end());
  channel.since = since;
}

Result<std::unique_ptr<Watcher>> EventWindow::watch(std::string_view prefix, Revision after) {
  std::lock_guard lock(mutex_);
  if (after == 0) after = newest_;
  if (after < start_) {
    return Error(Reason::Expired, concat("too old resource version: ", after, " (", start_, ")"));
  }
  auto found = channels_.find(prefix);
  if (found == channels_.end()) {
    found = channels_.emplace(std::string(prefix), Channel{.since = nextSequence()}).first;
    found->second.prefix = found->first;
  }
  Channel& channel = found->second;
  Sequence next = firstAfter(after);
  indexSince(channel, next);
  ++channel.watchers;
  return std::unique_ptr<Watcher>(std::make_unique<PrefixWatcher>(shared_from_this(), channel, next, after));
}

EventWindow::Size EventWindow::size() const {
  std::lock_guard lock(mutex_);
  return {events_.size(), bytes_, events_.empty() ? 0 : events_.front()->revision};
}

Revision EventWindow::revisionToFit(size_t maxEvents, size_t maxBytes) const {
  std::lock_guard lock(mutex_);
  Revision fits = start_;
  size_t count = events_.size(), bytes = bytes_;
  for (const EventPtr& event : events_) {
    if (count <= maxEvents && bytes <= maxBytes) break;
    --count;
    bytes -= historyBytes(*event);
    fits = event->revision;
  }
  return fits;
}

}  // namespace skiff::store
