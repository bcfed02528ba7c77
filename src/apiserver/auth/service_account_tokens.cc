#include "apiserver/auth/service_account_tokens.h"

#include <algorithm>

#include "apiserver/auth/rbac.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kLegacyIssuer = "kubernetes/serviceaccount";
// Clocks of a cluster may differ by this much, and a deleted object's tokens live on for as long.
constexpr int64_t kLeewaySeconds = 60;

int64_t secondsOf(WallTime time) {
  return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

Value refValue(const ObjectRef& ref, Arena& arena) {
  Value out = Value::map();
  out.set(arena, "name", Value::string(ref.name));
  out.set(arena, "uid", Value::string(ref.uid));
  return out;
}

std::optional<ObjectRef> refFrom(const Value& value) {
  if (!value.isMap()) return std::nullopt;
  return ObjectRef{value["name"].str(), value["uid"].str()};
}

std::optional<TokenClaims> parseLegacy(const Value& root) {
  constexpr std::string_view kNamespace = "kubernetes.io/serviceaccount/namespace";
  if (!root.has(kNamespace)) return std::nullopt;
  TokenClaims claims;
  claims.legacy = true;
  claims.issuer = root["iss"].str();
  claims.subject = root["sub"].str();
  claims.ns = root[kNamespace].str();
  claims.serviceAccount = {root["kubernetes.io/serviceaccount/service-account.name"].str(),
                           root["kubernetes.io/serviceaccount/service-account.uid"].str()};
  claims.secret = ObjectRef{root["kubernetes.io/serviceaccount/secret.name"].str(), ""};
  return claims;
}

Error invalidToken(std::string why) { return {Reason::Unauthorized, std::move(why)}; }

// Does the object exist with that uid, and is it not gone for longer than the leeway?
Status checkBound(const ClusterReader& cluster, std::string_view resource, std::string_view ns,
                  const ObjectRef& ref, int64_t now) {
  auto object = cluster.get("", resource, ns, ref.name);
  if (object == nullptr) {
    return invalidToken(concat("service account token has been invalidated: ", resource, " ",
                               quoted(ref.name), " not found"));
  }
  const Value& metadata = object->root["metadata"];
  if (!ref.uid.empty() && metadata["uid"].asString() != ref.uid) {
    return invalidToken(concat("service account token has been invalidated: ", resource, " ",
                               quoted(ref.name), " has another uid"));
  }
  auto deleted = parseRfc3339(metadata["deletionTimestamp"].asString());
  if (deleted && secondsOf(*deleted) < now - kLeewaySeconds) {
    return invalidToken("service account token has been invalidated");
  }
  return okStatus();
}

Status checkTime(const TokenClaims& claims, int64_t now) {
  if (claims.expiry != 0 && now > claims.expiry + kLeewaySeconds) {
    return invalidToken("service account token has expired");
  }
  if (claims.notBefore != 0 && now < claims.notBefore - kLeewaySeconds) {
    return invalidToken("service account token is not valid yet");
  }
  return okStatus();
}

Status checkSubject(const TokenClaims& claims, const ClusterReader& cluster, int64_t now) {
  std::string expected =
      concat(rbac::kServiceAccountPrefix, claims.ns, ":", claims.serviceAccount.name);
  if (claims.subject != expected) return invalidToken("token is for another subject");
  TRY(checkBound(cluster, "serviceaccounts", claims.ns, claims.serviceAccount, now));
  if (claims.secret) TRY(checkBound(cluster, "secrets", claims.ns, *claims.secret, now));
  if (claims.pod) {
    TRY(checkBound(cluster, "pods", claims.ns, *claims.pod, now));
  } else if (claims.node) {
    // The node of a pod-bound token is information only.
    TRY(checkBound(cluster, "nodes", "", *claims.node, now));
  }
  return okStatus();
}

UserInfo userOf(const TokenClaims& claims) {
  UserInfo user;
  user.name = claims.subject;
  user.uid = claims.serviceAccount.uid;
  user.groups = {"system:serviceaccounts", concat("system:serviceaccounts:", claims.ns)};
  auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) user.extra[concat("authentication.kubernetes.io/", name)] = {value};
  };
  if (!claims.id.empty()) add("credential-id", "JTI=" + claims.id);
  if (claims.pod) {
    add("pod-name", claims.pod->name);
    add("pod-uid", claims.pod->uid);
  }
  if (claims.node) {
    add("node-name", claims.node->name);
    add("node-uid", claims.node->uid);
  }
  return user;
}

std::string shownList(const std::vector<std::string>& items) {
  std::vector<std::string> texts;
  for (const std::string& item : items) texts.push_back(quoted(item));
  return concat("[", join(texts, " "), "]");
}

}  // namespace

std::string TokenClaims::json() const {
  Arena arena;
  Value root = Value::map();
  for (const std::string& audience : audiences) {
    root.child(arena, "aud").push(arena, Value::string(audience));
  }
  root.set(arena, "exp", Value::integer(expiry));
  root.set(arena, "iat", Value::integer(issuedAt));
  root.set(arena, "iss", Value::string(issuer));
  root.set(arena, "jti", Value::string(id));
  Value own = Value::map();
  own.set(arena, "namespace", Value::string(ns));
  if (node) own.set(arena, "node", refValue(*node, arena));
  if (pod) own.set(arena, "pod", refValue(*pod, arena));
  if (secret) own.set(arena, "secret", refValue(*secret, arena));
  own.set(arena, "serviceaccount", refValue(serviceAccount, arena));
  if (warnAfter != 0) own.set(arena, "warnafter", Value::integer(warnAfter));
  root.set(arena, "kubernetes.io", own);
  root.set(arena, "nbf", Value::integer(notBefore));
  root.set(arena, "sub", Value::string(subject));
  return codec::toJson(root);
}

std::optional<TokenClaims> TokenClaims::parse(std::string_view json) {
  auto document = codec::parseJsonDocument(json);
  if (!document.ok()) return std::nullopt;
  const Value& root = document.value()->root;
  const Value& own = root["kubernetes.io"];
  if (!own.isMap()) return parseLegacy(root);
  TokenClaims claims;
  claims.issuer = root["iss"].str();
  claims.subject = root["sub"].str();
  claims.id = root["jti"].str();
  // RFC 7519 allows a single audience as plain text.
  if (root["aud"].isString()) claims.audiences.push_back(root["aud"].str());
  for (const Value& audience : root["aud"].items()) claims.audiences.push_back(audience.str());
  claims.issuedAt = root["iat"].asInt();
  claims.notBefore = root["nbf"].asInt();
  claims.expiry = root["exp"].asInt();
  claims.warnAfter = own["warnafter"].asInt();
  claims.ns = own["namespace"].str();
  claims.serviceAccount = refFrom(own["serviceaccount"]).value_or(ObjectRef{});
  claims.pod = refFrom(own["pod"]);
  claims.secret = refFrom(own["secret"]);
  claims.node = refFrom(own["node"]);
  return claims;
}

std::vector<std::string> acceptedIssuers(const SecurityOptions& options) {
  std::vector<std::string> out{options.serviceAccountIssuer};
  out.insert(out.end(), options.otherServiceAccountIssuers.begin(), options.otherServiceAccountIssuers.end());
  return out;
}

std::vector<std::string> acceptedAudiences(const SecurityOptions& options) {
  return options.apiAudiences.empty() ? acceptedIssuers(options) : options.apiAudiences;
}

ServiceAccountTokens::ServiceAccountTokens(const SecurityOptions& options, const ClusterReader& cluster)
    : clock_(*options.clock), issuers_(acceptedIssuers(options)), audiences_(acceptedAudiences(options)), cluster_(cluster) {
  for (const pki::JwtKey& key : options.serviceAccountKeys)
    if (auto made = pki::JwtPublicKey::fromPem(key.keyId, key.publicPem); made.ok()) keys_.push_back(*std::move(made));
}

Result<ServiceAccountTokens::Claims> ServiceAccountTokens::verified(const std::string& token) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = verified_.find(token); found != verified_.end()) return found->second;
  }
  auto jwt = pki::parseJwt(token);
  auto claims = jwt.ok() ? TokenClaims::parse(jwt->claims) : std::nullopt;
  if (!claims) return Claims();
  bool isOurs = claims->legacy ? claims->issuer == kLegacyIssuer : std::ranges::find(issuers_, claims->issuer) != issuers_.end();
  if (!isOurs) return Claims();
  if (!pki::verifies(keys_, *jwt)) return invalidToken("token signature fits no key");
  if (!claims->legacy && claims->expiry == 0) return invalidToken("token does not expire");
  auto kept = std::make_shared<const TokenClaims>(*std::move(claims));
  std::lock_guard lock(mutex_);
  if (verified_.size() >= kMaxVerified) verified_.clear();
  verified_[token] = kept;
  return kept;
}

TokenAnswer ServiceAccountTokens::authenticate(const std::string& token, const std::vector<std::string>& accepted) {
  Claims claims = TRY(verified(token));
  if (!claims) return std::optional<TokenIdentity>();
  int64_t now = secondsOf(clock_.now());
  TRY(checkTime(*claims, now));
  // Tokens in Secrets were made for the server itself.
  const std::vector<std::string>& meantFor = claims->legacy ? audiences_ : claims->audiences;
  std::vector<std::string> audiences = commonAudiences(accepted, meantFor);
  if (audiences.empty())
    return invalidToken(concat("token audiences ", shownList(meantFor), " is invalid for the target audiences ", shownList(accepted)));
  TRY(checkSubject(*claims, cluster_, now));
  return std::optional(TokenIdentity{userOf(*claims), std::move(audiences)});
}

}  // namespace skiff::apiserver
