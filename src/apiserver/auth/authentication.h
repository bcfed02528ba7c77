// What the reviews need of the server's authenticator and authorizer beyond the common interfaces.
#pragma once
#include "apiserver/auth/rbac_rules.h"
#include "apiserver/auth/token_authenticator.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

// Implemented by what makeAuthenticator makes.
class TokenReviewer {
 public:
  virtual ~TokenReviewer() = default;
  // `audiences`: for whom it may be meant; none: this server. May block.
  virtual Result<TokenIdentity> reviewToken(const std::string& token, const std::vector<std::string>& audiences) = 0;
};

// The rules that a user has in a namespace, as far as they can be listed.
struct KnownRules {
  rbac::Rules rules;
  std::string problem;  // why there may be more; empty: these are all
};
// Implemented by what makeAuthorizer makes.
class RuleLister {
 public:
  virtual ~RuleLister() = default;
  virtual KnownRules listRules(const UserInfo& user, std::string_view ns) = 0;
};

}  // namespace skiff::apiserver
