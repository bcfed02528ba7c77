// The newest version of an object that a controller itself has written. Until its informer delivers that version, the
// cached object is older than what the controller has already acted on: deciding by it would act twice. The
// versions of one cluster are comparable as numbers (KEP-5504).
#pragma once
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/strings.h"

namespace skiff::controllers {

class OwnWrites {
 public:
  void wrote(const std::string& key, std::string_view resourceVersion) {
    std::lock_guard lock(mutex_);
    newest_[key] = parseUint(resourceVersion).value_or(0);
  }
  // Does the cache know what we wrote? If not, the event that brings it starts the next round.
  bool seen(const std::string& key, std::string_view cachedVersion) {
    std::lock_guard lock(mutex_);
    auto it = newest_.find(key);
    if (it == newest_.end()) return true;
    if (parseUint(cachedVersion).value_or(0) < it->second) return false;
    newest_.erase(it);
    return true;
  }
  void forget(const std::string& key) {
    std::lock_guard lock(mutex_);
    newest_.erase(key);
  }

 private:
  std::mutex mutex_;  // guards newest_
  std::unordered_map<std::string, uint64_t> newest_;
};

}  // namespace skiff::controllers
