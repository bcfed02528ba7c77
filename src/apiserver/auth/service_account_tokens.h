// Tokens of service accounts: what is written in them, and whether what they are bound to still exists.
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

struct ServiceAccountIdentity {
  UserInfo user;
  std::vector<std::string> audiences;  // those of `accepted` that the token is meant for
};
// Verifies signature, issuer, audience and time, then the account and the bound objects. nullopt: not a token of ours.
Result<std::optional<ServiceAccountIdentity>> authenticateServiceAccount(
    std::string_view token, const std::vector<std::string>& accepted, const SecurityOptions& options,
    const ClusterReader& cluster);

std::vector<std::string> acceptedAudiences(const SecurityOptions& options);

}  // namespace skiff::apiserver
