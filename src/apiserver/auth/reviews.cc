// The virtual resources that tell who someone is and what they may do.
#include "apiserver/auth/authentication.h"
#include "apiserver/auth/text_list.h"
#include "apiserver/security.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> out;
  for (const Value& item : list.items()) out.push_back(item.str());
  return out;
}

Value userValue(const UserInfo& user, Arena& arena) {
  Value out = Value::map();
  if (!user.extra.empty()) {
    Value extra = Value::map();
    for (const auto& [key, values] : user.extra) extra.set(arena, key, textList(values, arena));
    out.set(arena, "extra", extra);
  }
  if (!user.groups.empty()) out.set(arena, "groups", textList(user.groups, arena));
  if (!user.uid.empty()) out.set(arena, "uid", Value::text(arena, user.uid));
  if (!user.name.empty()) out.set(arena, "username", Value::text(arena, user.name));
  return out;
}

// Of a SubjectAccessReview; a self review asks for the caller.
UserInfo subjectOf(const Value& spec, const AdmissionRequest& request) {
  if (request.resource->kind == "SelfSubjectAccessReview") return *request.user;
  UserInfo user;
  user.name = spec["user"].str();
  user.uid = spec["uid"].str();
  user.groups = texts(spec["groups"]);
  for (const codec::Member& member : spec["extra"].members()) {
    user.extra[toLower(member.key)] = texts(member.value);
  }
  return user;
}

// A selector of an access review: as text, or as requirements, of which one that is not understood is left out: that asks for more.
std::string selectorText(const Value& selector) {
  if (std::string raw = selector["rawSelector"].str(); !raw.empty()) return raw;
  std::vector<std::string> parts;
  for (const Value& requirement : selector["requirements"].items()) {
    std::string key = requirement["key"].str();
    std::string_view op = requirement["operator"].asString();
    std::vector<std::string> values = texts(requirement["values"]);
    bool isIn = op == "In", isNotIn = op == "NotIn";
    if (op == "Exists") parts.push_back(key);
    if (op == "DoesNotExist") parts.push_back("!" + key);
    if ((isIn || isNotIn) && values.size() == 1) parts.push_back(concat(key, isIn ? "=" : "!=", values[0]));
    if ((isIn || isNotIn) && values.size() > 1) parts.push_back(concat(key, isIn ? " in (" : " notin (", join(values, ","), ")"));
  }
  return join(parts, ",");
}

RequestInfo attributesOf(const Value& spec) {
  RequestInfo info;
  if (const Value& paths = spec["nonResourceAttributes"]; paths.isMap()) {
    info.path = paths["path"].str();
    info.verb = paths["verb"].str();
    return info;
  }
  const Value& attributes = spec["resourceAttributes"];
  info.isResource = true;
  info.verb = attributes["verb"].str();
  info.group = attributes["group"].str();
  info.version = attributes["version"].str();
  info.resource = attributes["resource"].str();
  info.subresource = attributes["subresource"].str();
  info.ns = attributes["namespace"].str();
  info.name = attributes["name"].str();
  info.fieldSelector = selectorText(attributes["fieldSelector"]);
  info.labelSelector = selectorText(attributes["labelSelector"]);
  return info;
}

Status validateAccessSpec(const Value& spec, std::string_view kind, std::string_view name) {
  FieldErrors errors;
  const Value& resource = spec["resourceAttributes"];
  const Value& paths = spec["nonResourceAttributes"];
  if (resource.isMap() && paths.isMap()) {
    errors.invalid("spec.nonResourceAttributes", codec::toJson(paths),
                   "cannot be specified in combination with resourceAttributes");
  } else if (!resource.isMap() && !paths.isMap()) {
    errors.invalid("spec.resourceAttributes", "null",
                   "exactly one of nonResourceAttributes or resourceAttributes must be specified");
  }
  if (kind != "SelfSubjectAccessReview" && spec["user"].asString().empty() && spec["groups"].empty()) {
    errors.invalid("spec.user", "\"\"", "at least one of user or group must be specified");
  }
  if (errors.empty()) return okStatus();
  return errors.error("authorization.k8s.io", kind, name);
}

Status reviewSubjectAccess(Value& review, Arena& arena, const AdmissionRequest& request,
                           Authorizer& authorizer) {
  const Value& spec = review["spec"];
  TRY(validateAccessSpec(spec, request.resource->kind, review["metadata"]["name"].asString()));
  if (request.resource->kind == "LocalSubjectAccessReview" &&
      spec["resourceAttributes"]["namespace"].asString() != request.ns) {
    return badRequest(concat("spec.resourceAttributes.namespace must match namespace: ", request.ns));
  }
  Verdict verdict = authorizer.authorize(subjectOf(spec, request), attributesOf(spec));
  Value status = Value::map();
  status.set(arena, "allowed", Value::boolean(verdict.decision == Decision::Allow));
  if (verdict.decision == Decision::Deny) status.set(arena, "denied", Value::boolean(true));
  if (!verdict.error.empty()) status.set(arena, "evaluationError", Value::text(arena, verdict.error));
  if (!verdict.reason.empty()) status.set(arena, "reason", Value::text(arena, verdict.reason));
  review.set(arena, "status", status);
  return okStatus();
}

Status reviewRules(Value& review, Arena& arena, const AdmissionRequest& request,
                   Authorizer& authorizer) {
  std::string_view ns = review["spec"]["namespace"].asString();
  if (ns.empty()) return badRequest("no namespace on request");
  KnownRules known;
  if (auto* lister = dynamic_cast<RuleLister*>(&authorizer)) known = lister->listRules(*request.user, ns);
  Value resources = Value::list(), paths = Value::list();
  for (const rbac::Rule& rule : known.rules) {
    (rule.nonResourceUrls.empty() ? resources : paths).push(arena, rbac::ruleValue(rule, arena));
  }
  Value status = Value::map();
  if (!known.problem.empty()) status.set(arena, "evaluationError", Value::text(arena, known.problem));
  status.set(arena, "incomplete", Value::boolean(!known.problem.empty()));
  status.set(arena, "nonResourceRules", paths);
  status.set(arena, "resourceRules", resources);
  review.set(arena, "spec", Value::map());  // upstream does not send it back
  review.set(arena, "status", status);
  return okStatus();
}

}  // namespace

Status reviewToken(Value& review, Arena& arena, Authenticator& authenticator) {
  std::string token = review["spec"]["token"].str();
  if (token.empty()) return badRequest("token is required for TokenReview in authentication");
  auto* reviewer = dynamic_cast<TokenReviewer*>(&authenticator);
  if (reviewer == nullptr) return internalError("the authenticator cannot review tokens");
  Value status = Value::map();
  auto reviewed = reviewer->reviewToken(token, texts(review["spec"]["audiences"]));
  if (reviewed.ok()) {
    status.set(arena, "audiences", textList(reviewed->audiences, arena));
    status.set(arena, "authenticated", Value::boolean(true));
    status.set(arena, "user", userValue(reviewed->user, arena));
  } else {
    status.set(arena, "error", Value::text(arena, reviewed.error().message()));
    status.set(arena, "user", Value::map());
  }
  review.set(arena, "status", status);
  return okStatus();
}

Status reviewAccess(Value& review, Arena& arena, const AdmissionRequest& request,
                    Authorizer& authorizer) {
  std::string_view kind = request.resource->kind;
  if (kind == "SelfSubjectReview") {
    Value status = Value::map();
    status.set(arena, "userInfo", userValue(*request.user, arena));
    review.set(arena, "status", status);
    return okStatus();
  }
  if (kind == "SelfSubjectRulesReview") return reviewRules(review, arena, request, authorizer);
  return reviewSubjectAccess(review, arena, request, authorizer);
}

}  // namespace skiff::apiserver
