// Upstream's answers for a short while: bounded in number, oldest use goes first. Thread safe.
#pragma once
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/strings.h"
#include "dns/message.h"

namespace skiff::dns {

class AnswerCache {
 public:
  // At most 30 seconds, as cluster DNS does: names outside move too.
  struct Limits {
    size_t entries = 4096;
    seconds longest{30};
  };
  explicit AnswerCache(const Clock& clock) : AnswerCache(clock, Limits{}) {}
  AnswerCache(const Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}

  // With the time to live that is left.
  std::optional<Message> get(const std::string& key);
  // Keeps positive and negative answers; others, such as SERVFAIL, are not worth keeping.
  void put(const std::string& key, const Message& answer);
  static std::string keyOf(const Message& query);  // has one question

 private:
  struct Entry {
    std::string key;
    Message answer;
    SteadyTime stored, until;
  };
  const Clock& clock_;
  const Limits limits_;
  std::mutex mutex_;  // guards the two below
  std::list<Entry> entries_;  // last used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> byKey_;
};

}  // namespace skiff::dns
