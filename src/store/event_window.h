// The recent past as one sequence of events, and the watchers that follow it. An event is stored once; each watched
// prefix has an index of the events under it, so that a watcher's take() touches only its own events, and a commit
// wakes only the watchers of the prefixes that it touches.
//
// Thread safe. Wake-ups run on the thread that appends, outside the lock. An idle watcher costs about 200 bytes.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace skiff::store {

class EventWindow : public std::enable_shared_from_this<EventWindow> {
 public:
  // Nothing is known of the events up to `start`.
  explicit EventWindow(Revision start) : start_(start), newest_(start) {}

  // Events in order, after which the state is at `revision`.
  void append(std::span<const EventPtr> events, Revision revision);
  // The sequence has a gap that ends at the revision: every watch is over, and none can begin before it.
  void interrupt(Revision revision);
  // Drops at most `limit` of the events up to the revision and returns them, oldest first.
  std::vector<EventPtr> drop(Revision upTo, size_t limit);

  Result<std::unique_ptr<Watcher>> watch(std::string_view prefix, Revision after);

  struct Size {
    size_t events = 0;
    size_t bytes = 0;      // of the records that nothing but history may hold
    Revision oldest = 0;   // of the oldest event; 0: none
  };
  Size size() const;
  // The revision that a drop must reach to leave at most so many events and bytes.
  Revision revisionToFit(size_t maxEvents, size_t maxBytes) const;

 private:
  class PrefixWatcher;
  using Sequence = uint64_t;  // the number of an event; the first one ever is 1

  struct Channel {
    std::string_view prefix;       // the map's key
    std::vector<Sequence> events;  // of this prefix, all those from `since` on
    Sequence since = 0;
    size_t stale = 0;              // so many of `events`, at the front, have been dropped
    Sequence dropped = 0;          // the newest dropped one
    size_t watchers = 0;
    std::vector<PrefixWatcher*> armed;
  };
  using Channels = std::map<std::string, Channel, std::less<>>;

  Sequence nextSequence() const { return firstSequence_ + events_.size(); }
  const EventPtr& event(Sequence sequence) const { return events_[sequence - firstSequence_]; }
  Sequence firstAfter(Revision revision) const;
  void indexSince(Channel& channel, Sequence since);
  static void forget(Channel& channel, Sequence sequence);
  template <class Visit>
  void forChannelsOf(std::string_view key, Visit visit);

  mutable std::mutex mutex_;  // guards everything below; no other lock is taken under it
  std::deque<EventPtr> events_;
  Sequence firstSequence_ = 1;
  Sequence firstWarm_ = 1;  // older events have lost the attachments of their superseded records
  size_t bytes_ = 0;
  uint64_t era_ = 0;  // one more with each gap: watchers belong to one
  Revision start_;    // all events after it are here
  Revision newest_;   // all events up to it have been appended
  Channels channels_;
};

}  // namespace skiff::store
