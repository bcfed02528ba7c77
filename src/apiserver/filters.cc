#include "apiserver/filters.h"

#include "apiserver/health.h"
#include "apiserver/status.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

Error unauthorized() { return {Reason::Unauthorized, "Unauthorized"}; }

// What a user claims to be instead, from Impersonate-* headers.
UserInfo impersonated(const net::Headers& headers) {
  UserInfo user;
  user.name = std::string(headers.get("impersonate-user"));
  user.uid = std::string(headers.get("impersonate-uid"));
  for (std::string_view group : headers.all("impersonate-group")) user.groups.emplace_back(group);
  constexpr std::string_view kExtra = "impersonate-extra-";
  for (const auto& [name, value] : headers.items()) {
    std::string lower = toLower(name);
    if (!lower.starts_with(kExtra)) continue;
    std::string key = lower.substr(kExtra.size());
    user.extra[percentDecode(key).value_or(key)].push_back(value);
  }
  return user;
}

std::string goGroups(const UserInfo& user) {
  if (user.groups.empty()) return "[]string(nil)";
  std::vector<std::string> quotedGroups;
  for (const std::string& group : user.groups) quotedGroups.push_back(quoted(group));
  return concat("[]string{", join(quotedGroups, ", "), "}");
}

RequestInfo permissionInfo(std::string_view group, std::string_view resource, std::string_view ns, std::string_view name,
                           std::string_view subresource = {}) {
  RequestInfo info;
  info.isResource = true;
  info.verb = "impersonate";
  info.group = std::string(group);
  info.version = "v1";
  info.resource = std::string(resource);
  info.subresource = std::string(subresource);
  info.ns = std::string(ns);
  info.name = std::string(name);
  return info;
}

// "system:serviceaccount:ns:name" is a permission on that service account.
RequestInfo userPermission(std::string_view name) {
  auto parts = split(name, ':');
  if (parts.size() == 4 && parts[0] == "system" && parts[1] == "serviceaccount")
    return permissionInfo("", "serviceaccounts", parts[2], parts[3]);
  return permissionInfo("", "users", "", name);
}

void addImplicitGroups(UserInfo& user) {
  auto add = [&](std::string group) {
    if (std::ranges::find(user.groups, group) == user.groups.end()) user.groups.push_back(std::move(group));
  };
  auto parts = split(user.name, ':');
  if (parts.size() == 4 && parts[0] == "system" && parts[1] == "serviceaccount" && user.groups.empty()) {
    add("system:serviceaccounts");
    add(concat("system:serviceaccounts:", parts[2]));
  }
  add(user.name == "system:anonymous" ? "system:unauthenticated" : "system:authenticated");
}

}  // namespace

Error forbiddenRequest(const UserInfo& user, const RequestInfo& info, std::string_view reason) {
  std::string why;
  if (!info.isResource) {
    why = concat("User ", quoted(user.name), " cannot ", info.verb, " path ", quoted(info.path));
    if (!reason.empty()) why += concat(": ", reason);
    return {Reason::Forbidden, concat("forbidden: ", why), ErrorDetails{}};
  }
  std::string resource = info.subresource.empty() ? info.resource : concat(info.resource, '/', info.subresource);
  why = concat("User ", quoted(user.name), " cannot ", info.verb, " resource ", quoted(resource), " in API group ",
               quoted(info.group), info.ns.empty() ? std::string(" at the cluster scope")
                                                   : concat(" in the namespace ", quoted(info.ns)));
  if (!reason.empty()) why += concat(": ", reason);
  return forbidden(info.group, info.resource, info.name, why);
}

Status Filters::authenticate(Exchange& exchange) const {
  if (exchange.inProcess()) {
    exchange.user = exchange.caller()->user;
    return okStatus();
  }
  auto user = authenticator_.authenticate(exchange.request());
  if (!user.ok()) return unauthorized();
  if (!*user) return unauthorized();
  exchange.user = **std::move(user);
  return okStatus();
}

Status Filters::impersonate(Exchange& exchange) const {
  const net::Headers& headers = exchange.request().headers;
  bool asked = std::ranges::any_of(headers.items(), [](const auto& item) {
    return item.first.size() > 12 && equalsIgnoreCase(std::string_view(item.first).substr(0, 12), "impersonate-");
  });
  if (!asked) return okStatus();
  UserInfo wanted = impersonated(headers);
  if (wanted.name.empty())
    return badRequest(concat("requested &user.DefaultInfo{Name:\"\", UID:", quoted(wanted.uid), ", Groups:", goGroups(wanted),
                             ", Extra:map[string][]string(nil)} without impersonating a user name"));
  std::vector<RequestInfo> needed{userPermission(wanted.name)};
  for (const std::string& group : wanted.groups) needed.push_back(permissionInfo("", "groups", "", group));
  if (!wanted.uid.empty()) needed.push_back(permissionInfo("authentication.k8s.io", "uids", "", wanted.uid));
  for (const auto& [key, values] : wanted.extra)
    for (const std::string& value : values)
      needed.push_back(permissionInfo("authentication.k8s.io", "userextras", "", value, key));
  for (const RequestInfo& permission : needed) {
    Verdict verdict = authorizer_.authorize(exchange.user, permission);
    if (verdict.decision == Decision::Allow) continue;
    // Upstream's last try is the permission to do just this request in the other's name; its refusal is what is told.
    RequestInfo refused = exchange.info;
    refused.verb = concat("impersonate-on:user-info:", exchange.info.verb);
    return forbiddenRequest(exchange.user, refused, verdict.reason);
  }
  addImplicitGroups(wanted);
  exchange.user = std::move(wanted);
  return okStatus();
}

Status Filters::authorize(const Exchange& exchange) const {
  bool health = anonymousHealth_ && isHealthPath(exchange.request().path);
  if (health) return okStatus();
  Verdict verdict = authorizer_.authorize(exchange.user, exchange.info);
  if (verdict.decision == Decision::Allow) return okStatus();
  return forbiddenRequest(exchange.user, exchange.info, verdict.reason);
}

}  // namespace skiff::apiserver
