#include "apiserver/auth/abac.h"

#include <algorithm>

#include "base/read_file.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

bool matches(const std::string& pattern, std::string_view text) { return pattern == "*" || pattern == text; }

}  // namespace

Result<std::unique_ptr<AbacAuthorizer>> AbacAuthorizer::fromFile(const std::string& path) {
  std::string text = TRY(readFile(path));
  auto made = std::make_unique<AbacAuthorizer>();
  size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    auto document = codec::parseJsonDocument(line);
    if (!document.ok()) return std::move(document).error().wrap(concat("error reading policy file ", path, ", line ", number));
    const codec::Value& root = (*document)->root;
    if (root["kind"].asString() != "Policy" || !root["apiVersion"].asString().starts_with("abac.authorization.kubernetes.io/"))
      return Error(Reason::Invalid, concat("error reading policy file ", path, ", line ", number, ": not a Policy of abac.authorization.kubernetes.io"));
    const codec::Value& spec = root["spec"];
    made->policies_.push_back({.user = spec["user"].str(),
                               .group = spec["group"].str(),
                               .ns = spec["namespace"].str(),
                               .apiGroup = spec["apiGroup"].str(),
                               .resource = spec["resource"].str(),
                               .path = spec["nonResourcePath"].str(),
                               .readonly = spec["readonly"].asBool()});
  }
  return made;
}

bool AbacAuthorizer::Policy::isOf(const UserInfo& who) const {
  if (user.empty() && group.empty()) return false;
  if (!user.empty() && !matches(user, who.name)) return false;
  return group.empty() || group == "*" || std::ranges::find(who.groups, group) != who.groups.end();
}

bool AbacAuthorizer::Policy::covers(const RequestInfo& request) const {
  if (readonly && request.verb != "get" && request.verb != "list" && request.verb != "watch") return false;
  if (request.isResource) return matches(ns, request.ns) && matches(resource, request.resource) && matches(apiGroup, request.group);
  if (path.ends_with('*')) return request.path.starts_with(std::string_view(path).substr(0, path.size() - 1));
  return path == request.path;
}

Verdict AbacAuthorizer::authorize(const UserInfo& user, const RequestInfo& request) {
  for (const Policy& policy : policies_)
    if (policy.isOf(user) && policy.covers(request)) return {Decision::Allow, ""};
  return {Decision::NoOpinion, "No policy matched."};
}

rbac::Rules AbacAuthorizer::rulesFor(const UserInfo& user, std::string_view ns) const {
  rbac::Rules rules;
  for (const Policy& policy : policies_) {
    if (!policy.isOf(user)) continue;
    std::vector<std::string> verbs = policy.readonly ? std::vector<std::string>{"get", "list", "watch"} : std::vector<std::string>{"*"};
    if (!policy.resource.empty() && matches(policy.ns, ns))
      rules.push_back({.verbs = verbs, .apiGroups = {policy.apiGroup}, .resources = {policy.resource}, .resourceNames = {}, .nonResourceUrls = {}});
    if (!policy.path.empty())
      rules.push_back({.verbs = std::move(verbs), .apiGroups = {}, .resources = {}, .resourceNames = {}, .nonResourceUrls = {policy.path}});
  }
  return rules;
}

}  // namespace skiff::apiserver
