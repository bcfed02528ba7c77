// The keys that expire, by time. An entry is a hint: the delete that follows expects the revision, so an entry of a
// record that was replaced or deleted meanwhile does nothing. Not synchronised.
#pragma once
#include <queue>
#include <string>
#include <vector>

#include "store/store.h"

namespace skiff::store {

class ExpiryQueue {
 public:
  struct Entry {
    WallTime at;
    std::string key;
    Revision revision;
  };
  // True when the record expires before all others.
  bool add(const Record& record) {
    if (record.expiry() == WallTime{}) return false;
    bool first = queue_.empty() || record.expiry() < queue_.top().at;
    queue_.push({record.expiry(), record.key(), record.modRevision()});
    return first;
  }
  void add(Entry entry) { queue_.push(std::move(entry)); }
  std::vector<Entry> takeDue(WallTime now, size_t limit) {
    std::vector<Entry> due;
    while (!queue_.empty() && queue_.top().at <= now && due.size() < limit) {
      due.push_back(queue_.top());
      queue_.pop();
    }
    return due;
  }
  std::optional<WallTime> next() const { return queue_.empty() ? std::nullopt : std::optional(queue_.top().at); }

 private:
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const { return a.at > b.at; }
  };
  std::priority_queue<Entry, std::vector<Entry>, Later> queue_;
};

}  // namespace skiff::store
