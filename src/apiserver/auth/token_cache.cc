#include "apiserver/auth/token_cache.h"

#include "base/strings.h"
#include "pki/x509.h"

namespace skiff::apiserver {

std::string CachedTokens::keyOf(const std::string& token, const std::vector<std::string>& audiences) {
  return pki::sha256(concat(token, "\n", join(audiences, "\n")));
}

std::optional<TokenAnswer> CachedTokens::find(const std::string& key) const {
  auto found = known_.find(key);
  if (found == known_.end() || clock_.steadyNow() >= found->second.until) return std::nullopt;
  return TokenAnswer(found->second.identity);
}

void CachedTokens::keep(const std::string& key, const TokenAnswer& answer) {
  if (!answer.ok()) return;
  seconds lifetime = answer->has_value() ? lifetimes_.good : lifetimes_.bad;
  if (lifetime <= seconds(0)) return;
  if (known_.size() >= kMaxKnown) known_.clear();
  known_[key] = {answer.value(), clock_.steadyNow() + lifetime};
}

TokenAnswer CachedTokens::authenticate(const std::string& token, const std::vector<std::string>& audiences) {
  std::string key = keyOf(token, audiences);
  {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (auto known = find(key)) return *std::move(known);
      if (asking_.insert(key).second) break;
      answered_.wait(lock);
    }
  }
  TokenAnswer answer = inner_->authenticate(token, audiences);
  std::lock_guard lock(mutex_);
  asking_.erase(key);
  keep(key, answer);
  answered_.notify_all();
  return answer;
}

std::optional<TokenAnswer> CachedTokens::tryAuthenticate(const std::string& token, const std::vector<std::string>& audiences) {
  std::string key = keyOf(token, audiences);
  {
    std::lock_guard lock(mutex_);
    if (auto known = find(key)) return known;
  }
  auto answer = inner_->tryAuthenticate(token, audiences);
  if (!answer) return std::nullopt;
  std::lock_guard lock(mutex_);
  keep(key, *answer);
  return answer;
}

}  // namespace skiff::apiserver
