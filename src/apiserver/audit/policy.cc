#include "apiserver/audit/policy.h"

#include <algorithm>

#include "base/strings.h"
#include "codec/yaml.h"

namespace skiff::apiserver::audit {
namespace {

using codec::Value;

constexpr std::string_view kLevels[] = {"None", "Metadata", "Request", "RequestResponse"};
constexpr std::string_view kStages[] = {"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"};

std::vector<std::string> stringsOf(const Value& list) {
  std::vector<std::string> out;
  for (const Value& item : list.items()) out.push_back(item.str());
  return out;
}

bool has(const std::vector<std::string>& list, std::string_view text) { return std::ranges::find(list, text) != list.end(); }

Error wrong(std::string_view path, std::string_view why) { return badRequest(concat("invalid audit policy: ", path, ": ", why)); }

bool matchesUrl(std::string_view pattern, std::string_view path) {
  if (pattern == "*" || pattern == path) return true;
  return pattern.ends_with('*') && path.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool matchesName(std::string_view pattern, const RequestInfo& request) {
  if (pattern == "*") return true;
  auto parts = cut(pattern, "/");
  if (!parts) return pattern == request.resource && request.subresource.empty();
  if (request.subresource.empty()) return false;
  return (parts->first == "*" || parts->first == request.resource) && (parts->second == "*" || parts->second == request.subresource);
}

}  // namespace

std::string_view levelName(Level level) { return kLevels[size_t(level)]; }
std::string_view stageName(Stage stage) { return kStages[size_t(stage)]; }

Result<unsigned> Policy::stagesOf(const Value& list, const std::string& path) {
  unsigned bits = 0;
  for (const Value& item : list.items()) {
    auto found = std::ranges::find(kStages, item.asString());
    if (found == std::end(kStages)) return wrong(path, concat("unknown stage ", quoted(item.asString())));
    bits |= 1u << unsigned(found - std::begin(kStages));
  }
  return bits;
}

Result<Policy::Rule> Policy::ruleOf(const Value& value, const std::string& path) {
  Rule rule;
  auto level = std::ranges::find(kLevels, value["level"].asString());
  if (level == std::end(kLevels)) return wrong(path + ".level", concat("unknown level ", quoted(value["level"].asString())));
  rule.level = Level(level - std::begin(kLevels));
  rule.users = stringsOf(value["users"]);
  rule.groups = stringsOf(value["userGroups"]);
  rule.verbs = stringsOf(value["verbs"]);
  rule.namespaces = stringsOf(value["namespaces"]);
  rule.urls = stringsOf(value["nonResourceURLs"]);
  for (const Value& item : value["resources"].items()) {
    rule.resources.push_back({item["group"].str(), stringsOf(item["resources"]), stringsOf(item["resourceNames"])});
    if (rule.resources.back().resources.empty() && !rule.resources.back().names.empty())
      return wrong(path + ".resources", "using resourceNames requires at least one resource");
  }
  if (!rule.urls.empty() && (!rule.resources.empty() || !rule.namespaces.empty()))
    return wrong(path + ".nonResourceURLs", "rules cannot apply to both regular resources and non-resource URLs");
  rule.omitted = TRY(stagesOf(value["omitStages"], path + ".omitStages"));
  if (value["omitManagedFields"].isBool()) rule.omitManagedFields = value["omitManagedFields"].asBool();
  return rule;
}

Result<Policy> Policy::parse(std::string_view yaml) {
  codec::Arena arena;
  Value root = TRY(codec::parseYaml(yaml, arena));
  if (root["kind"].asString() != "Policy" || root["apiVersion"].asString() != "audit.k8s.io/v1")
    return wrong("apiVersion", "it must be a Policy of audit.k8s.io/v1");
  Policy policy;
  policy.omitted_ = TRY(stagesOf(root["omitStages"], "omitStages"));
  policy.omitManagedFields_ = root["omitManagedFields"].asBool();
  size_t index = 0;
  for (const Value& value : root["rules"].items()) policy.rules_.push_back(TRY(ruleOf(value, concat("rules[", index++, "]"))));
  if (policy.rules_.empty()) return wrong("rules", "there are none");
  return policy;
}

bool Policy::matchesResource(const Rule& rule, const RequestInfo& request) {
  if (!request.isResource) return false;
  if (!rule.namespaces.empty() && !has(rule.namespaces, request.ns)) return false;
  if (rule.resources.empty()) return true;
  return std::ranges::any_of(rule.resources, [&](const GroupResources& resources) {
    if (resources.group != request.group) return false;
    if (resources.resources.empty()) return true;
    if (!resources.names.empty() && !has(resources.names, request.name)) return false;
    return std::ranges::any_of(resources.resources, [&](const std::string& name) { return matchesName(name, request); });
  });
}

bool Policy::matches(const Rule& rule, const UserInfo& user, const RequestInfo& request) {
  if (!rule.users.empty() && !has(rule.users, user.name)) return false;
  if (!rule.groups.empty() && std::ranges::none_of(user.groups, [&](const std::string& group) { return has(rule.groups, group); }))
    return false;
  if (!rule.verbs.empty() && !has(rule.verbs, request.verb)) return false;
  if (!rule.namespaces.empty() || !rule.resources.empty()) return matchesResource(rule, request);
  if (rule.urls.empty()) return true;
  return !request.isResource && std::ranges::any_of(rule.urls, [&](const std::string& url) { return matchesUrl(url, request.path); });
}

Decision Policy::decide(const UserInfo& user, const RequestInfo& request) const {
  for (const Rule& rule : rules_)
    if (matches(rule, user, request))
      return {rule.level, rule.omitted | omitted_, rule.omitManagedFields.value_or(omitManagedFields_)};
  return {Level::None, omitted_, omitManagedFields_};
}

}  // namespace skiff::apiserver::audit
