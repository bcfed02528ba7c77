// Tokens of service accounts: what is written in them, and whether what they are bound to still exists.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "apiserver/auth/token_authenticator.h"
#include "apiserver/security.h"

namespace skiff::apiserver {

struct ObjectRef {
  std::string name, uid;
};

struct TokenClaims {
  std::string issuer, subject, id;
  std::vector<std::string> audiences;
  int64_t issuedAt = 0, notBefore = 0, expiry = 0;  // seconds since the epoch; 0: not stated
  int64_t warnAfter = 0;
  std::string ns;
  ObjectRef serviceAccount;
  std::optional<ObjectRef> pod, secret, node;
  bool legacy = false;  // of a token in a Secret: never expires, no audience

  std::string json() const;
  static std::optional<TokenClaims> parse(std::string_view json);
};

class ServiceAccountTokens final : public TokenAuthenticator {
 public:
  ServiceAccountTokens(const SecurityOptions& options, const ClusterReader& cluster);
  // Verifies signature, issuer, audience and time, then the account and the bound objects, which may be gone at any moment.
  TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) override;

 private:
  using Claims = std::shared_ptr<const TokenClaims>;
  Result<Claims> verified(const std::string& token);  // null: not one of our issuers'

  static constexpr size_t kMaxVerified = 4096;  // tokens of 1 KiB; then all are forgotten
  const Clock& clock_;
  const std::vector<std::string> issuers_, audiences_;
  const ClusterReader& cluster_;
  std::vector<pki::JwtPublicKey> keys_;
  std::mutex mutex_;  // guards verified_
  // What a good signature was once seen over: it stays good, as the keys do not change.
  std::unordered_map<std::string, Claims> verified_;
};

// Issuers whose tokens are taken; the first one's name is written in new tokens.
std::vector<std::string> acceptedIssuers(const SecurityOptions& options);
std::vector<std::string> acceptedAudiences(const SecurityOptions& options);

}  // namespace skiff::apiserver
