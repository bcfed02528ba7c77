#include "apiserver/auth/jwt_authenticator.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

// Issuers' clocks: a token that is not valid yet may be by this much.
constexpr seconds kNotBeforeLeeway{300};

Error unauthorized(std::string why) { return {Reason::Unauthorized, std::move(why)}; }

std::optional<double> number(const Value& value) {
  if (value.isNumber()) return value.asDouble();
  return std::nullopt;
}

}  // namespace

JwtAuthenticator::JwtAuthenticator(JwtIssuer issuer, std::vector<std::string> own, const Clock& clock)
    : issuer_(std::move(issuer)),
      own_(std::move(own)),
      clock_(clock),
      keys_({.issuerUrl = issuer_.url, .discoveryUrl = issuer_.discoveryUrl, .caPem = issuer_.caPem, .clock = &clock}) {}

std::optional<JwtAuthenticator::Candidate> JwtAuthenticator::ofThisIssuer(const std::string& token) const {
  auto jwt = pki::parseJwt(token);
  if (!jwt.ok()) return std::nullopt;
  auto claims = codec::parseJsonDocument(jwt->claims);
  if (!claims.ok() || (*claims)->root["iss"].asString() != issuer_.url) return std::nullopt;
  return Candidate{*std::move(jwt), *std::move(claims)};
}

TokenAnswer JwtAuthenticator::authenticate(const std::string& token, const std::vector<std::string>& audiences) {
  auto candidate = ofThisIssuer(token);
  if (!candidate) return std::optional<TokenIdentity>();
  return judge(*candidate, keys_.verify(candidate->jwt), audiences);
}

std::optional<TokenAnswer> JwtAuthenticator::tryAuthenticate(const std::string& token, const std::vector<std::string>& audiences) {
  auto candidate = ofThisIssuer(token);
  if (!candidate) return TokenAnswer(std::optional<TokenIdentity>());
  auto signature = keys_.tryVerify(candidate->jwt);
  if (!signature) return std::nullopt;
  return judge(*candidate, *signature, audiences);
}

TokenAnswer JwtAuthenticator::judge(const Candidate& candidate, const Status& signature, const std::vector<std::string>& audiences) const {
  const Value& claims = candidate.claims->root;
  auto refuse = [&](const Error& error) {
    log::debug("A token is refused", {{"issuer", issuer_.url}, {"err", error.message()}});
    return error;
  };
  if (!signature.ok()) return refuse(signature.error());
  if (!issuer_.algorithms.empty() && std::ranges::find(issuer_.algorithms, candidate.jwt.algorithm) == issuer_.algorithms.end())
    return refuse(unauthorized(concat("oidc: id token signed with unsupported algorithm, expected one of ", join(issuer_.algorithms, " "),
                                      " got ", quoted(candidate.jwt.algorithm))));
  if (auto checked = checkClaims(claims); !checked.ok()) return refuse(checked.error());
  auto user = userFromClaims(issuer_.mapping, claims);
  if (!user.ok()) return refuse(user.error());
  TokenIdentity identity{*std::move(user), commonAudiences(audiences, own_)};
  if (identity.audiences.empty()) return std::optional<TokenIdentity>();
  return std::optional(std::move(identity));
}

Status JwtAuthenticator::checkClaims(const Value& claims) const {
  const Value& audience = claims["aud"];
  auto wanted = [&](const Value& one) { return std::ranges::find(issuer_.audiences, one.asString()) != issuer_.audiences.end(); };
  if (!wanted(audience) && !std::ranges::any_of(audience.items(), wanted))
    return unauthorized(concat("oidc: expected audience in ", join(issuer_.audiences, ", "), " got ", codec::toJson(audience)));
  double now = std::chrono::duration<double>(clock_.now().time_since_epoch()).count();
  auto expiry = number(claims["exp"]);
  if (!expiry || now > *expiry) return unauthorized("oidc: token is expired");
  if (auto from = number(claims["nbf"]); from && now + double(kNotBeforeLeeway.count()) < *from)
    return unauthorized("oidc: current time is before the nbf (not before) time");
  return okStatus();
}

}  // namespace skiff::apiserver
