// One kind of bearer token.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "apiserver/request.h"

namespace skiff::apiserver {

struct TokenIdentity {
  UserInfo user;
  std::vector<std::string> audiences;  // those asked for that the token is meant for
};
// nullopt: no token of this kind. An Error: one, but not a good one.
using TokenAnswer = Result<std::optional<TokenIdentity>>;

class TokenAuthenticator {
 public:
  virtual ~TokenAuthenticator() = default;
  // `audiences`: who asks; at least one of them must be meant. May block.
  virtual TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) = 0;
  // The same if it is known without asking anybody else; nullopt: authenticate() has to wait.
  virtual std::optional<TokenAnswer> tryAuthenticate(const std::string& token, const std::vector<std::string>& audiences) {
    return authenticate(token, audiences);
  }
};

// Those of `asked` that are among `meant`, in the order asked.
std::vector<std::string> commonAudiences(const std::vector<std::string>& asked, const std::vector<std::string>& meant);

}  // namespace skiff::apiserver
