// Answers about tokens, kept for a while: who presents a token presents it with every request.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>

#include "apiserver/auth/token_authenticator.h"
#include "base/clock.h"

namespace skiff::apiserver {

class CachedTokens final : public TokenAuthenticator {
 public:
  struct Lifetimes {
    seconds good, bad;  // of identities, and of "not mine"; errors are never kept
  };
  CachedTokens(std::unique_ptr<TokenAuthenticator> inner, Lifetimes lifetimes, const Clock& clock)
      : inner_(std::move(inner)), lifetimes_(lifetimes), clock_(clock) {}

  // Of many that bring the same new token at once, one asks and the others wait for its answer.
  TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) override;
  std::optional<TokenAnswer> tryAuthenticate(const std::string& token, const std::vector<std::string>& audiences) override;

 private:
  static constexpr size_t kMaxKnown = 8192;  // then all are forgotten
  struct Known {
    std::optional<TokenIdentity> identity;
    SteadyTime until;
  };
  static std::string keyOf(const std::string& token, const std::vector<std::string>& audiences);
  std::optional<TokenAnswer> find(const std::string& key) const;  // under the lock
  void keep(const std::string& key, const TokenAnswer& answer);   // under the lock

  const std::unique_ptr<TokenAuthenticator> inner_;
  const Lifetimes lifetimes_;
  const Clock& clock_;
  std::mutex mutex_;  // guards what follows; not held while `inner_` works
  std::condition_variable answered_;
  std::unordered_map<std::string, Known> known_;  // by a hash: the cache holds no tokens
  std::set<std::string> asking_;
};

}  // namespace skiff::apiserver
