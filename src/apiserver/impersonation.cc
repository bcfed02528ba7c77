#include "apiserver/impersonation.h"

#include <algorithm>

#include "api/names.h"
#include "apiserver/filters.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using Refusal = std::optional<Error>;  // nullopt: permitted
constexpr std::string_view kGroup = "authentication.k8s.io";
constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:", kNodePrefix = "system:node:";

// Whom the headers name.
UserInfo wantedUser(const net::Headers& headers) {
  UserInfo user;
  user.name = std::string(headers.get("impersonate-user"));
  user.uid = std::string(headers.get("impersonate-uid"));
  for (std::string_view group : headers.all("impersonate-group")) user.groups.emplace_back(group);
  constexpr std::string_view kExtra = "impersonate-extra-";
  for (const auto& [name, value] : headers.items()) {
    std::string lower = toLower(name);
    if (!lower.starts_with(kExtra)) continue;
    std::string key = lower.substr(kExtra.size());
    user.extra[toLower(percentDecode(key).value_or(key))].push_back(value);
  }
  return user;
}

std::string goTexts(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(quoted(text));
  return concat("[]string{", join(out, ", "), "}");
}

// `&user.DefaultInfo{...}` as upstream prints it.
std::string goUser(const UserInfo& user) {
  std::string extra = "map[string][]string(nil)";
  if (!user.extra.empty()) {
    std::vector<std::string> entries;
    for (const auto& [key, values] : user.extra) entries.push_back(concat(quoted(key), ":", goTexts(values)));
    extra = concat("map[string][]string{", join(entries, ", "), "}");
  }
  return concat("&user.DefaultInfo{Name:", quoted(user.name), ", UID:", quoted(user.uid), ", Groups:",
                user.groups.empty() ? "[]string(nil)" : goTexts(user.groups), ", Extra:", extra, "}");
}

struct NamespacedName {
  std::string_view ns, name;
};
std::optional<NamespacedName> serviceAccountOf(std::string_view user) {
  if (!user.starts_with(kServiceAccountPrefix)) return std::nullopt;
  auto parts = cut(user.substr(kServiceAccountPrefix.size()), ":");
  if (!parts || parts->first.empty() || parts->second.empty() || parts->second.find(':') != std::string_view::npos) return std::nullopt;
  return NamespacedName{parts->first, parts->second};
}

std::string_view nodeOf(std::string_view user) {
  if (!user.starts_with(kNodePrefix)) return {};
  std::string_view name = user.substr(kNodePrefix.size());
  return api::dns1123SubdomainErrors(name).empty() ? name : std::string_view();
}

RequestInfo permission(std::string_view verb, std::string_view group, std::string_view resource, std::string_view name,
                       std::string_view ns = {}, std::string_view subresource = {}) {
  RequestInfo info;
  info.isResource = true;
  info.verb = std::string(verb);
  info.group = std::string(group);
  info.version = "v1";
  info.resource = std::string(resource);
  info.subresource = std::string(subresource);
  info.ns = std::string(ns);
  info.name = std::string(name);
  return info;
}

void addGroup(UserInfo& user, std::string group) {
  if (std::ranges::find(user.groups, group) == user.groups.end()) user.groups.push_back(std::move(group));
}

// What everybody of that kind is a member of.
UserInfo withImplicitGroups(UserInfo user) {
  if (auto account = serviceAccountOf(user.name); account && user.groups.empty()) {
    addGroup(user, "system:serviceaccounts");
    addGroup(user, concat("system:serviceaccounts:", account->ns));
  }
  auto has = [&](std::string_view group) { return std::ranges::find(user.groups, group) != user.groups.end(); };
  if (has("system:authenticated") || has("system:unauthenticated")) return user;
  addGroup(user, user.name == "system:anonymous" ? "system:unauthenticated" : "system:authenticated");
  return user;
}

// One attempt after the other: each names the permissions that it takes; the first attempt's refusal is what is told.
class Impersonation {
 public:
  Impersonation(const UserInfo& user, const UserInfo& wanted, const RequestInfo& request, const AskAuthorizer& ask)
      : user_(user), wanted_(wanted), request_(request), ask_(ask) {}

  std::optional<Result<UserInfo>> run() {
    bool isPlain = wanted_.groups.empty() && wanted_.uid.empty() && wanted_.extra.empty();
    auto account = serviceAccountOf(wanted_.name);
    std::string_view node = nodeOf(wanted_.name);
    if (!node.empty() && isPlain) {
      if (isOnNode(node) && may("associated-node", {permission("impersonate:associated-node", kGroup, "nodes", "*")})) return asNode();
      if (may("arbitrary-node", {permission("impersonate:arbitrary-node", kGroup, "nodes", node)})) return asNode();
    } else if (account && isPlain) {
      if (may("serviceaccount", {permission("impersonate:serviceaccount", kGroup, "serviceaccounts", account->name, account->ns)}))
        return withImplicitGroups(wanted_);
    } else if (!account && node.empty()) {
      if (mayBeAnyone()) return withImplicitGroups(wanted_);
    }
    if (mayAsEver()) return withImplicitGroups(wanted_);
    if (waits_) return std::nullopt;
    return Result<UserInfo>(*std::move(refusal_));
  }

 private:
  // The node that the caller, a service account, runs on.
  bool isOnNode(std::string_view node) const {
    auto extra = user_.extra.find("authentication.kubernetes.io/node-name");
    return serviceAccountOf(user_.name) && extra != user_.extra.end() && extra->second.size() == 1 && extra->second[0] == node;
  }

  Result<UserInfo> asNode() const {
    UserInfo node = wanted_;
    node.groups = {"system:nodes"};
    return withImplicitGroups(std::move(node));
  }

  bool allowed(const RequestInfo& permission) {
    if (waits_) return false;
    auto verdict = ask_(user_, permission);
    waits_ = !verdict;
    if (!verdict || verdict->decision == Decision::Allow) return bool(verdict);
    refuse(permission, verdict->reason);
    return false;
  }
  void refuse(const RequestInfo& permission, std::string_view why) {
    if (!refusal_) refusal_ = forbiddenRequest(user_, permission, why);
  }

  // Constrained: to do this request in the other's name, and to use that name.
  bool may(std::string_view mode, const std::vector<RequestInfo>& permissions) {
    RequestInfo on = request_;
    on.verb = concat("impersonate-on:", mode, ":", request_.verb);
    return allowed(on) && std::ranges::all_of(permissions, [&](const RequestInfo& one) { return allowed(one); });
  }

  bool mayBeAnyone() {
    constexpr std::string_view kVerb = "impersonate:user-info";
    std::vector<RequestInfo> permissions{permission(kVerb, kGroup, "users", wanted_.name)};
    if (!wanted_.uid.empty()) permissions.push_back(permission(kVerb, kGroup, "uids", wanted_.uid));
    if (!may("user-info", permissions)) return false;
    for (const std::string& group : wanted_.groups) {
      RequestInfo one = permission(kVerb, kGroup, "groups", group);
      if (group == "system:masters") return refuse(one, "impersonating the system:masters group is not allowed"), false;
      if (!allowed(one)) return false;
    }
    for (const auto& [key, values] : wanted_.extra) {
      auto parts = cut(key, "/");
      if (!parts || parts->first.empty() || parts->second.empty()) {
        refuse(permission(kVerb, kGroup, "userextras", ""),
               concat("impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ", quoted(key),
                      ": must be a domain-prefixed path (such as \"acme.io/foo\")"));
        return false;
      }
      for (const std::string& value : values)
        if (!allowed(permission(kVerb, kGroup, "userextras", value, "", key))) return false;
    }
    return true;
  }

  // The verb there was before: for any request.
  bool mayAsEver() {
    constexpr std::string_view kVerb = "impersonate";
    auto account = serviceAccountOf(wanted_.name);
    if (!allowed(account ? permission(kVerb, "", "serviceaccounts", account->name, account->ns)
                         : permission(kVerb, "", "users", wanted_.name)))
      return false;
    if (!wanted_.uid.empty() && !allowed(permission(kVerb, kGroup, "uids", wanted_.uid))) return false;
    for (const std::string& group : wanted_.groups)
      if (!allowed(permission(kVerb, "", "groups", group))) return false;
    for (const auto& [key, values] : wanted_.extra)
      for (const std::string& value : values)
        if (!allowed(permission(kVerb, kGroup, "userextras", value, "", key))) return false;
    return true;
  }

  const UserInfo& user_;
  const UserInfo& wanted_;
  const RequestInfo& request_;
  const AskAuthorizer& ask_;
  Refusal refusal_;
  bool waits_ = false;
};

}  // namespace

bool asksToImpersonate(const net::Headers& headers) {
  return std::ranges::any_of(headers.items(), [](const auto& item) {
    return item.first.size() > 12 && equalsIgnoreCase(std::string_view(item.first).substr(0, 12), "impersonate-");
  });
}

std::optional<Result<UserInfo>> impersonate(const UserInfo& user, const net::Headers& headers, const RequestInfo& request,
                                            const AskAuthorizer& ask) {
  UserInfo wanted = wantedUser(headers);
  if (wanted.name.empty())
    return Result<UserInfo>(badRequest(concat("requested ", goUser(wanted), " without impersonating a user name")));
  return Impersonation(user, wanted, request, ask).run();
}

}  // namespace skiff::apiserver
