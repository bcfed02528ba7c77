// AuthenticationConfiguration (--authentication-config): issuers of tokens, and who may stay anonymous; and the older flags that say
// the same of one issuer.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/auth/jwt_authenticator.h"
#include "apiserver/auth/options.h"

namespace skiff::apiserver {

struct AnonymousRule {
  bool enabled = false;
  std::vector<std::string> paths;  // empty: all
  bool allows(std::string_view path) const;
};

struct AuthenticationConfiguration {
  std::vector<JwtIssuer> issuers;
  std::optional<AnonymousRule> anonymous;
};

// `ownIssuers`: of service-account tokens, which no other may claim to be.
Result<AuthenticationConfiguration> parseAuthenticationConfiguration(std::string_view text, const std::vector<std::string>& ownIssuers);
// nullopt: there are no such flags.
Result<std::optional<JwtIssuer>> issuerOfFlags(const OidcFlags& flags);

}  // namespace skiff::apiserver
