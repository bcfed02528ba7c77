// What the reviews need of the server's authenticator and authorizer beyond the common interfaces.
#pragma once
#include "apiserver/auth/rbac_rules.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

// Implemented by what makeAuthenticator makes.
class TokenReviewer {
 public:
  virtual ~TokenReviewer() = default;
  struct Reviewed {
    UserInfo user;
    std::vector<std::string> audiences;  // those asked for (the server's own if none) that the token is meant for
  };
  virtual Result<Reviewed> reviewToken(const std::string& token,
                                       const std::vector<std::string>& audiences) = 0;
};

// Implemented by what makeAuthorizer makes: the rules a user has in a namespace; false when there may be more.
class RuleLister {
 public:
  virtual ~RuleLister() = default;
  virtual bool listRules(const UserInfo& user, std::string_view ns, rbac::Rules& rules) = 0;
};

}  // namespace skiff::apiserver
