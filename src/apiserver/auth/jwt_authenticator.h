// Tokens of one OpenID issuer (or any issuer of JSON Web Tokens with a discovery document).
#pragma once
#include "apiserver/auth/claims.h"
#include "apiserver/auth/issuer_keys.h"
#include "apiserver/auth/token_authenticator.h"

namespace skiff::apiserver {

struct JwtIssuer {
  std::string url, discoveryUrl, caPem;
  std::vector<std::string> audiences;  // one of them must be the token's
  std::vector<std::string> algorithms;  // empty: all that are known
  ClaimMapping mapping;
};

class JwtAuthenticator final : public TokenAuthenticator {
 public:
  // `own`: the audiences of this server, which such tokens are meant for.
  JwtAuthenticator(JwtIssuer issuer, std::vector<std::string> own, const Clock& clock);
  TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) override;
  std::optional<TokenAnswer> tryAuthenticate(const std::string& token, const std::vector<std::string>& audiences) override;

 private:
  struct Candidate {
    pki::Jwt jwt;
    std::shared_ptr<codec::Document> claims;
  };
  // nullopt: a token of another issuer, or none at all.
  std::optional<Candidate> ofThisIssuer(const std::string& token) const;
  TokenAnswer judge(const Candidate& candidate, const Status& signature, const std::vector<std::string>& audiences) const;
  Status checkClaims(const codec::Value& claims) const;

  const JwtIssuer issuer_;
  const std::vector<std::string> own_;
  const Clock& clock_;
  IssuerKeys keys_;
};

}  // namespace skiff::apiserver
