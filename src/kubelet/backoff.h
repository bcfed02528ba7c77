// Doubling delays by key: 10 s to 300 s, forgotten after a calm of twice the longest (crash loops, image pulls).
#pragma once
#include <algorithm>
#include <map>
#include <string>

#include "base/clock.h"

namespace skiff::kubelet {

class Backoff {
 public:
  explicit Backoff(seconds first = seconds(10), seconds most = seconds(300)) : first_(first), most_(most) {}

  // How long to wait yet, counted from `event` (the end of the last run); zero: go ahead.
  microseconds remaining(const std::string& key, WallTime event, WallTime now) const {
    auto it = entries_.find(key);
    if (it == entries_.end() || event - it->second.updated > 2 * most_) return microseconds(0);
    auto until = event + it->second.delay;
    return until > now ? until - now : microseconds(0);
  }
  // Another try starts: the next one shall wait longer.
  void next(const std::string& key, WallTime now) {
    auto [it, fresh] = entries_.try_emplace(key, Entry{first_, now});
    if (!fresh)
      it->second.delay = now - it->second.updated > 2 * most_ ? first_ : std::min(it->second.delay * 2, most_);
    it->second.updated = now;
  }
  seconds delay(const std::string& key) const {
    auto it = entries_.find(key);
    return it == entries_.end() ? seconds(0) : it->second.delay;
  }
  void forget(const std::string& key) { entries_.erase(key); }

 private:
  struct Entry {
    seconds delay;
    WallTime updated;
  };
  seconds first_, most_;
  std::map<std::string, Entry> entries_;
};

}  // namespace skiff::kubelet
