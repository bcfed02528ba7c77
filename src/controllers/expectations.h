// What a controller has just created or deleted and not yet seen come back through its informer. Until it has, its
// cache is stale: acting on it would create or delete twice.
#pragma once
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace skiff::controllers {

class Expectations {
 public:
  explicit Expectations(const Clock& clock) : clock_(clock) {}

  // All as expected, or nothing expected, or waited for too long (5 minutes: an event was missed).
  bool satisfied(const std::string& owner) const;
  void expectCreations(const std::string& owner, int count);
  void expectDeletions(const std::string& owner, std::set<std::string> uids);
  void creationObserved(const std::string& owner, int count = 1);  // also: a creation that failed
  void deletionObserved(const std::string& owner, std::string_view uid);
  void forget(const std::string& owner);

 private:
  static constexpr std::chrono::minutes kTimeout{5};
  struct Open {
    int creations = 0;
    std::set<std::string, std::less<>> deletions;
    SteadyTime since;
  };
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards open_
  std::unordered_map<std::string, Open> open_;
};

}  // namespace skiff::controllers
