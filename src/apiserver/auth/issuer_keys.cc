#include "apiserver/auth/issuer_keys.h"

#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"
#include "net/body.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr std::string_view kDiscoveryPath = "/.well-known/openid-configuration";
constexpr size_t kMaxKeys = 200;  // far above what issuers publish while they rotate

Error unauthorized(std::string why) { return {Reason::Unauthorized, std::move(why)}; }

Result<pki::JwtPublicKey> parseKey(const Value& jwk) {
  auto number = [&](std::string_view name) { return base64UrlDecode(jwk[name].asString()).value_or(""); };
  std::string id = jwk["kid"].str();
  if (jwk["kty"].asString() == "RSA") return pki::JwtPublicKey::rsa(std::move(id), number("n"), number("e"));
  return pki::JwtPublicKey::ec(std::move(id), jwk["crv"].asString(), number("x"), number("y"));
}

}  // namespace

IssuerKeys::State IssuerKeys::state() {
  std::lock_guard lock(mutex_);
  return state_;
}

bool IssuerKeys::mayAsk(const State& state) const {
  return !state.asked || options_.clock->steadyNow() - *state.asked >= kBetweenFetches;
}

std::optional<Status> IssuerKeys::tryVerify(const pki::Jwt& token) {
  State now = state();
  if (now.keys && pki::verifies(*now.keys, token)) return okStatus();
  if (mayAsk(now)) return std::nullopt;
  if (!now.keys)
    return Status(unauthorized(concat("oidc: authenticator for issuer ", quoted(options_.issuerUrl), " is not initialized: ",
                                      now.problem ? now.problem->message() : "")));
  return Status(unauthorized("failed to verify signature: failed to verify id token signature"));
}

Status IssuerKeys::verify(const pki::Jwt& token) {
  for (;;) {
    State seen = state();
    if (auto known = tryVerify(token)) return *std::move(known);
    fetch(seen.keys);
  }
}

// Unless another thread has fetched since the keys were `seen`.
void IssuerKeys::fetch(const std::shared_ptr<const Keys>& seen) {
  std::lock_guard one(fetching_);
  State now = state();
  if (now.keys != seen || !mayAsk(now)) return;
  auto keys = fetchKeys();
  if (!keys.ok()) log::warn("Cannot fetch the keys of an issuer", {{"issuer", options_.issuerUrl}, {"err", keys.error().message()}});
  std::lock_guard lock(mutex_);
  state_.asked = options_.clock->steadyNow();
  state_.problem.reset();
  if (keys.ok()) state_.keys = std::make_shared<const Keys>(*std::move(keys));
  else state_.problem = keys.error();
}

Result<IssuerKeys::Keys> IssuerKeys::fetchKeys() {
  std::string url = options_.discoveryUrl;
  if (url.empty()) {
    url = options_.issuerUrl;
    while (url.ends_with('/')) url.pop_back();
    url += kDiscoveryPath;
  }
  std::string text = TRY(get(url));
  auto discovery = TRY(codec::parseJsonDocument(text));
  std::string issuer = discovery->root["issuer"].str();
  if (issuer != options_.issuerUrl)
    return Error(Reason::Invalid, concat("oidc: issuer did not match the issuer returned by provider, expected ",
                                         quoted(options_.issuerUrl), " got ", quoted(issuer)));
  text = TRY(get(discovery->root["jwks_uri"].str()));
  auto set = TRY(codec::parseJsonDocument(text));
  Keys keys;
  for (const Value& jwk : set->root["keys"].items()) {
    if (keys.size() >= kMaxKeys) break;
    if (std::string_view use = jwk["use"].asString(); !use.empty() && use != "sig") continue;
    // Issuers may publish keys of kinds that we do not know beside those that we do.
    if (auto key = parseKey(jwk); key.ok()) keys.push_back(*std::move(key));
  }
  return keys;
}

Result<std::string> IssuerKeys::get(const std::string& url) {
  HttpClients::Target target;
  std::string path;
  target.endpoint = TRY(net::parseUrl(url, &target.isTls, &path));
  if (!target.isTls) return Error(Reason::Invalid, concat(quoted(url), " must use https"));
  target.caPem = options_.caPem;
  auto client = TRY(clients_.clientFor(target));
  net::Request request;
  request.method = "GET";
  if (auto parts = cut(path, "?")) {
    request.path = std::string(parts->first);
    request.query = std::string(parts->second);
  } else {
    request.path = path.empty() ? "/" : path;
  }
  request.headers.set("host", concat(target.endpoint.host, ":", target.endpoint.port));
  request.headers.set("accept", "application/json");
  request.headers.set("user-agent", "kube-apiserver");
  auto answer = TRY(client->call(std::move(request), kTimeout));
  if (answer.status != 200) return Error(Reason::ServiceUnavailable, concat("Get ", quoted(url), ": status ", answer.status));
  return net::bodyText(answer);
}

}  // namespace skiff::apiserver
