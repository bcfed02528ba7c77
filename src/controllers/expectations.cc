#include "controllers/expectations.h"

namespace skiff::controllers {

bool Expectations::satisfied(const std::string& owner) const {
  std::lock_guard lock(mutex_);
  auto it = open_.find(owner);
  if (it == open_.end()) return true;
  if (it->second.creations <= 0 && it->second.deletions.empty()) return true;
  return clock_.steadyNow() - it->second.since > kTimeout;
}

void Expectations::expectCreations(const std::string& owner, int count) {
  std::lock_guard lock(mutex_);
  Open& open = open_[owner];
  open.creations = std::max(0, open.creations) + count;
  open.since = clock_.steadyNow();
}

void Expectations::expectDeletions(const std::string& owner, std::set<std::string> uids) {
  std::lock_guard lock(mutex_);
  Open& open = open_[owner];
  open.deletions.insert(uids.begin(), uids.end());
  open.since = clock_.steadyNow();
}

void Expectations::creationObserved(const std::string& owner, int count) {
  std::lock_guard lock(mutex_);
  if (auto it = open_.find(owner); it != open_.end()) it->second.creations -= count;
}

void Expectations::deletionObserved(const std::string& owner, std::string_view uid) {
  std::lock_guard lock(mutex_);
  auto it = open_.find(owner);
  if (it == open_.end()) return;
  if (auto found = it->second.deletions.find(uid); found != it->second.deletions.end())
    it->second.deletions.erase(found);
}

void Expectations::forget(const std::string& owner) {
  std::lock_guard lock(mutex_);
  open_.erase(owner);
}

}  // namespace skiff::controllers
