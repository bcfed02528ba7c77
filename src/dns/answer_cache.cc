#include "dns/answer_cache.h"

#include <algorithm>

namespace skiff::dns {
namespace {

// RFC 2308: a negative answer lives as long as its SOA and the SOA's minimum say.
std::optional<uint32_t> lifetimeOf(const Message& answer) {
  if (answer.rcode != kNoError && answer.rcode != kNxDomain) return std::nullopt;
  std::optional<uint32_t> lifetime;
  auto atMost = [&](uint32_t ttl) { lifetime = std::min(lifetime.value_or(ttl), ttl); };
  for (const Record& record : answer.answers) atMost(record.ttl);
  bool negative = answer.rcode == kNxDomain || answer.answers.empty();
  bool hasSoa = false;
  for (const Record& record : answer.authority) {
    atMost(record.ttl);
    if (auto minimum = soaMinimum(record)) {
      hasSoa = true;
      if (negative) atMost(*minimum);
    }
  }
  return negative && !hasSoa ? std::nullopt : lifetime;
}

void age(std::vector<Record>& records, uint32_t bySeconds) {
  for (Record& record : records) record.ttl -= std::min(record.ttl, bySeconds);
}

}  // namespace

std::string AnswerCache::keyOf(const Message& query) {
  const Question& question = query.questions.front();
  bool dnssecOk = query.edns && query.edns->dnssecOk;
  return concat(question.name.lower().wire(), '\0', question.type, ' ', question.cls, dnssecOk ? "d" : "",
                query.checkingDisabled ? "c" : "");
}

std::optional<Message> AnswerCache::get(const std::string& key) {
  SteadyTime now = clock_.steadyNow();
  std::lock_guard lock(mutex_);
  auto found = byKey_.find(key);
  if (found == byKey_.end()) return std::nullopt;
  auto entry = found->second;
  if (entry->until <= now) {
    byKey_.erase(found);
    entries_.erase(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  Message answer = entry->answer;
  auto passed = static_cast<uint32_t>(std::chrono::duration_cast<seconds>(now - entry->stored).count());
  age(answer.answers, passed);
  age(answer.authority, passed);
  age(answer.additional, passed);
  return answer;
}

void AnswerCache::put(const std::string& key, const Message& answer) {
  std::optional<uint32_t> lifetime = lifetimeOf(answer);
  if (!lifetime || *lifetime == 0 || answer.truncated) return;
  SteadyTime now = clock_.steadyNow();
  std::lock_guard lock(mutex_);
  if (auto old = byKey_.find(key); old != byKey_.end()) {
    auto entry = old->second;
    byKey_.erase(old);
    entries_.erase(entry);
  }
  entries_.push_front({key, answer, now, now + std::min(seconds(*lifetime), limits_.longest)});
  byKey_.emplace(entries_.front().key, entries_.begin());
  if (entries_.size() > limits_.entries) {
    byKey_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace skiff::dns
