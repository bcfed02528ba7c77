// --token-auth-file: lines of `token,user,uid,"group1,group2"`, read once.
#pragma once
#include <unordered_map>

#include "apiserver/auth/token_authenticator.h"
#include "base/strings.h"

namespace skiff::apiserver {

class TokenFile final : public TokenAuthenticator {
 public:
  // `own`: static tokens are meant for this server and nobody else.
  TokenFile(const std::string& path, std::vector<std::string> own);
  TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) override;

 private:
  const std::vector<std::string> own_;
  std::unordered_map<std::string, UserInfo, StringHash, std::equal_to<>> users_;
};

}  // namespace skiff::apiserver
