#include "store/logged_disk.h"

#include <map>
#include <unordered_map>

#include "base/log.h"
#include "base/strings.h"

namespace skiff::store {
namespace {

constexpr std::chrono::seconds kRetry{10};  // after a disk failure

}  // namespace

Result<std::unique_ptr<Disk>> LoggedDisk::open(WriteLog::Options options) {
  auto state = TRY(LmdbState::open({.file = options.directory + "/" + kDataFile, .sync = options.sync}));
  return std::unique_ptr<Disk>(new LoggedDisk(std::move(options), std::move(state)));
}

Result<Past> LoggedDisk::load() {
  Past past{.base = TRY(state_->load()), .events = {}, .newest = 0};
  folded_ = past.base.revision;
  std::vector<LogChange> changes = TRY(log_.load(folded_));
  past.events = TRY(eventsOf(past.base, changes));
  past.newest = past.events.empty() ? folded_ : past.events.back()->revision;
  return past;
}

Status LoggedDisk::append(std::span<const EventPtr> events) {
  TRY(log_.append(events));
  // Whoever has filled a segment will fill another one.
  if (size_t segments = log_.segments(); segments != std::exchange(segments_, segments) && segments > 1) wakeKeeper();
  return okStatus();
}

void LoggedDisk::forget(Revision upTo) {
  forgotten_ = upTo;
  if (log_.oldest(upTo)) wakeKeeper();
}

void LoggedDisk::wakeKeeper() {
  std::call_once(keeperStarted_, [this] { keeper_.start(); });
  keeper_.nudge();
}

std::optional<std::chrono::milliseconds> LoggedDisk::tidy() {
  Status done = okStatus();
  while (auto segment = done.ok() ? log_.oldest(forgotten_) : std::nullopt) {
    if (segment->end > folded_) done = fold(*segment);
    if (done.ok()) log_.drop(*segment);
  }
  if (done.ok()) done = log_.prepareSpare();
  if (done.ok()) return std::nullopt;
  log::warn("The state on disk does not follow the log, which grows: will retry", {{"err", done.error().message()}});
  return kRetry;
}

Status LoggedDisk::fold(const WriteLog::Segment& segment) {
  std::vector<LogChange> changes = TRY(WriteLog::read(segment));
  TRY(state_->apply(lastOfEach(changes), segment.end));
  folded_ = segment.end;
  return okStatus();
}

std::vector<KeyState> lastOfEach(std::span<const LogChange> changes) {
  std::map<std::string_view, const RecordPtr*> last;
  for (const LogChange& change : changes) last[change.key] = &change.record;
  std::vector<KeyState> states;
  states.reserve(last.size());
  for (const auto& [key, record] : last) states.push_back({key, *record});
  return states;
}

Result<std::vector<EventPtr>> eventsOf(const DiskState& base, std::span<const LogChange> changes) {
  std::unordered_map<std::string_view, RecordPtr> live;  // the keys that change
  for (const LogChange& change : changes) live.emplace(change.key, nullptr);
  for (const RecordPtr& record : base.records)
    if (auto found = live.find(record->key()); found != live.end()) found->second = record;

  std::vector<EventPtr> events;
  events.reserve(changes.size());
  for (const LogChange& change : changes) {
    RecordPtr& now = live[change.key];
    bool removed = !change.record;
    Revision created = now ? now->createRevision() : change.revision;
    if (removed ? !now : change.record->createRevision() != created) {
      return internalError(concat("store: the log does not go on from the state: ", skiff::quoted(change.key), " at revision ", change.revision));
    }
    auto event = std::make_shared<Event>();
    event->type = removed ? Event::Type::Delete : Event::Type::Put;
    event->revision = change.revision;
    event->record = removed ? now : change.record;
    event->previous = std::exchange(now, change.record);
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace skiff::store
