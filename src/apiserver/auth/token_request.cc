// serviceaccounts/token: a new bound token.
// https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
#include "apiserver/auth/service_account_tokens.h"

#include <algorithm>

#include "apiserver/auth/rbac.h"
#include "base/strings.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

constexpr int64_t kDefaultSeconds = 3600;
constexpr int64_t kMinSeconds = 600;
constexpr int64_t kMaxSeconds = int64_t{1} << 32;
// What the projected volume of the ServiceAccount plug-in asks for: such a token really lives for a year, so that clients
// that never read the file again keep working; its early age is only warned of.
constexpr int64_t kWarnOnlySeconds = 3607;
constexpr int64_t kExtendedSeconds = 365 * 24 * 3600;

Error notFoundError(std::string_view resource, std::string_view name) {
  return {Reason::NotFound, concat(resource, " ", quoted(name), " not found"),
          ErrorDetails{.name = std::string(name), .kind = std::string(resource)}};
}

Status validateExpiration(const Value& request, int64_t asked) {
  FieldErrors errors;
  if (asked < kMinSeconds) {
    errors.invalid("spec.expirationSeconds", std::to_string(asked),
                   "may not specify a duration less than 10 minutes");
  } else if (asked > kMaxSeconds) {
    errors.invalid("spec.expirationSeconds", std::to_string(asked),
                   "may not specify a duration larger than 2^32 seconds");
  }
  if (errors.empty()) return okStatus();
  return errors.error("authentication.k8s.io", "TokenRequest", request["metadata"]["name"].asString());
}

std::optional<ObjectRef> nodeOf(const ClusterReader& cluster, std::string_view name) {
  auto node = name.empty() ? nullptr : cluster.get("", "nodes", "", name);
  if (node == nullptr) return std::nullopt;
  return ObjectRef{std::string(name), node->root["metadata"]["uid"].str()};
}

// The pod, secret or node that the token dies with.
Status bind(TokenClaims& claims, const Value& ref, const ClusterReader& cluster) {
  std::string_view kind = ref["kind"].asString(), name = ref["name"].asString();
  std::string_view resource = kind == "Pod" ? "pods" : kind == "Secret" ? "secrets" : kind == "Node" ? "nodes" : "";
  if (resource.empty() || ref["apiVersion"].asString() != "v1") {
    return badRequest(concat("cannot bind token to object of type ", ref["apiVersion"].asString(),
                             ", Kind=", kind));
  }
  auto object = cluster.get("", resource, kind == "Node" ? "" : claims.ns, name);
  if (object == nullptr) return notFoundError(resource, name);
  const Value& root = object->root;
  ObjectRef bound{std::string(name), root["metadata"]["uid"].str()};
  std::string_view asked = ref["uid"].asString();
  if (!asked.empty() && asked != bound.uid) {
    return Error(Reason::Conflict,
                 concat("Operation cannot be fulfilled on ", kind, " ", quoted(name),
                        ": the UID in the bound object reference (", asked,
                        ") does not match the UID in record. The object might have been deleted and "
                        "then recreated"),
                 ErrorDetails{.name = std::string(name), .kind = std::string(kind)});
  }
  if (kind == "Pod") {
    if (root["spec"]["serviceAccountName"].asString() != claims.serviceAccount.name) {
      return badRequest(concat("cannot bind token for serviceaccount ",
                               quoted(claims.serviceAccount.name),
                               " to pod running with different serviceaccount name."));
    }
    claims.pod = bound;
    claims.node = nodeOf(cluster, root["spec"]["nodeName"].asString());
  } else if (kind == "Secret") {
    claims.secret = bound;
  } else {
    claims.node = bound;
  }
  return okStatus();
}

}  // namespace

Status issueToken(Value& tokenRequest, Arena& arena, const AdmissionRequest& request,
                  const SecurityOptions& options, const ClusterReader& cluster) {
  Value& spec = tokenRequest.child(arena, "spec");
  int64_t asked = spec["expirationSeconds"].asInt(kDefaultSeconds);
  TRY(validateExpiration(tokenRequest, asked));
  auto account = cluster.get("", "serviceaccounts", request.ns, request.name);
  if (account == nullptr) return notFoundError("serviceaccounts", request.name);
  if (options.serviceAccountKeys.empty()) return internalError("there is no service account key");

  TokenClaims claims;
  claims.issuer = options.serviceAccountIssuer;
  claims.ns = std::string(request.ns);
  claims.serviceAccount = {std::string(request.name), account->root["metadata"]["uid"].str()};
  claims.subject = concat(rbac::kServiceAccountPrefix, request.ns, ":", request.name);
  claims.id = newUid();
  for (const Value& audience : spec["audiences"].items()) claims.audiences.push_back(audience.str());
  if (claims.audiences.empty()) claims.audiences = acceptedAudiences(options);
  if (spec["boundObjectRef"].isMap()) TRY(bind(claims, spec["boundObjectRef"], cluster));

  WallTime now = options.clock->now();
  int64_t second = std::chrono::duration_cast<seconds>(now.time_since_epoch()).count();
  if (int64_t most = options.maxTokenExpiration.count(); most > 0) asked = std::min(asked, most);
  int64_t lifetime = asked;
  auto own = acceptedAudiences(options);
  bool forServer = std::ranges::all_of(claims.audiences, [&](const std::string& audience) {
    return std::ranges::find(own, audience) != own.end();
  });
  if (options.extendTokenExpiration && asked == kWarnOnlySeconds && claims.pod && forServer) {
    claims.warnAfter = second + asked;
    lifetime = kExtendedSeconds;
  }
  claims.issuedAt = claims.notBefore = second;
  claims.expiry = second + lifetime;
  std::string token = TRY(pki::signJwt(options.serviceAccountKeys[0], claims.json()));

  Value audiences = Value::list();
  for (const std::string& audience : claims.audiences) audiences.push(arena, Value::text(arena, audience));
  spec.set(arena, "audiences", audiences);
  spec.set(arena, "expirationSeconds", Value::integer(asked));
  Value& metadata = tokenRequest.child(arena, "metadata");
  metadata.set(arena, "name", Value::text(arena, request.name));
  metadata.set(arena, "namespace", Value::text(arena, request.ns));
  metadata.set(arena, "creationTimestamp", Value::text(arena, formatRfc3339(now)));
  Value status = Value::map();
  status.set(arena, "expirationTimestamp", Value::text(arena, formatRfc3339(now + seconds(asked))));
  status.set(arena, "token", Value::text(arena, token));
  tokenRequest.set(arena, "status", status);
  return okStatus();
}

}  // namespace skiff::apiserver
