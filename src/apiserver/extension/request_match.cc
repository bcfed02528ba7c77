#include "apiserver/extension/request_match.h"

#include <algorithm>

#include "apiserver/status.h"
#include "apiserver/version_convert.h"
#include "base/strings.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Value;

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> out;
  for (const Value& item : list.items()) out.push_back(item.str());
  return out;
}

Rule parseRule(const Value& rule) {
  return {.operations = texts(rule["operations"]),
          .groups = texts(rule["apiGroups"]),
          .versions = texts(rule["apiVersions"]),
          .resources = texts(rule["resources"]),
          .names = texts(rule["resourceNames"]),
          .scope = rule["scope"].str()};
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::ranges::any_of(list, [&](const std::string& item) { return item == "*" || item == text; });
}

// "pods", "pods/status", "*/scale", "pods/*", "*/*".
bool matchesResource(std::string_view pattern, std::string_view plural, std::string_view subresource) {
  auto parts = cut(pattern, "/");
  std::string_view resource = parts ? parts->first : pattern, sub = parts ? parts->second : "";
  return (resource == "*" || resource == plural) && (sub == "*" || sub == subresource);
}

bool matchesScope(std::string_view scope, const AdmissionRequest& request) {
  if (scope.empty() || scope == "*") return true;
  bool namespaced = !request.ns.empty() && request.resource->plural != "namespaces";
  return namespaced == (scope == "Namespaced");
}

bool matchesName(const Rule& rule, const AdmissionRequest& request) {
  return rule.names.empty() || std::ranges::find(rule.names, request.name) != rule.names.end();
}

bool matchesRule(const Rule& rule, const AdmissionRequest& request, std::string_view version) {
  return contains(rule.operations, operationName(request.operation)) && contains(rule.groups, request.resource->group) &&
         contains(rule.versions, version) && matchesScope(rule.scope, request) && matchesName(rule, request) &&
         std::ranges::any_of(rule.resources, [&](const std::string& pattern) {
           return matchesResource(pattern, request.resource->plural, request.subresource);
         });
}

bool matchesAny(const std::vector<Rule>& rules, const AdmissionRequest& request, std::string_view version) {
  return std::ranges::any_of(rules, [&](const Rule& rule) { return matchesRule(rule, request, version); });
}

// All versions that serve the request's resource, that of the request first.
std::vector<std::string> versionsOf(const AdmissionRequest& request, const ClusterReader& cluster) {
  const api::ResourceInfo& resource = *request.resource;
  std::vector<std::string> versions{std::string((request.requested ? request.requested : request.resource)->version)};
  auto add = [&](std::string_view version) {
    if (std::ranges::find(versions, version) == versions.end()) versions.emplace_back(version);
  };
  for (const api::GroupVersionInfo& group : api::builtinGroupVersions())
    if (group.group == resource.group && api::findResource(group.group, group.version, resource.plural)) add(group.version);
  if (auto definition = cluster.get("apiextensions.k8s.io", "customresourcedefinitions", "",
                                    concat(resource.plural, ".", resource.group)))
    for (const Value& version : definition->root["spec"]["versions"].items())
      if (version["served"].asBool()) add(version["name"].asString());
  return versions;
}

const Value& labelsOf(const Value* object) {
  static constexpr Value kNone;
  return object ? (*object)["metadata"]["labels"] : kNone;
}

}  // namespace

Result<RequestMatch> RequestMatch::parse(const Value& config) {
  RequestMatch match;
  const Value& rules = config.has("rules") ? config["rules"] : config["resourceRules"];
  for (const Value& rule : rules.items()) match.rules_.push_back(parseRule(rule));
  for (const Value& rule : config["excludeResourceRules"].items()) match.excluded_.push_back(parseRule(rule));
  match.anyRule_ = rules.empty();
  match.equivalent_ = config["matchPolicy"].asString() != "Exact";
  auto selector = [&](std::string_view name) -> Result<api::LabelSelector> {
    if (!config.has(name)) return api::LabelSelector();
    return api::LabelSelector::fromValue(config[name]);
  };
  match.namespaces_ = TRY(selector("namespaceSelector"));
  match.objects_ = TRY(selector("objectSelector"));
  return match;
}

Result<std::optional<MatchedResource>> RequestMatch::match(const AdmissionRequest& request,
                                                           const ClusterReader& cluster) const {
  std::optional<MatchedResource> matched = matchRules(request, cluster);
  if (!matched) return matched;
  bool wanted = TRY(selected(request, cluster));
  return wanted ? matched : std::nullopt;
}

std::optional<MatchedResource> RequestMatch::matchRules(const AdmissionRequest& request,
                                                        const ClusterReader& cluster) const {
  const api::ResourceInfo& resource = *request.resource;
  std::string_view asked = (request.requested ? request.requested : request.resource)->version;
  auto found = [&](std::string_view version) {
    return MatchedResource{std::string(resource.group), std::string(version), std::string(resource.kind),
                           std::string(resource.plural)};
  };
  if (matchesAny(excluded_, request, asked)) return std::nullopt;
  if (anyRule_ || matchesAny(rules_, request, asked)) return found(asked);
  if (!equivalent_) return std::nullopt;
  // Is there a rule for another version at all? Most are not, and the list of versions is not free.
  bool candidate = std::ranges::any_of(rules_, [&](const Rule& rule) {
    return !rule.versions.empty() && matchesRule(rule, request, rule.versions.front());
  });
  candidate |= std::ranges::any_of(rules_, [](const Rule& rule) { return rule.versions.size() > 1; });
  if (!candidate) return std::nullopt;
  for (const std::string& version : versionsOf(request, cluster)) {
    if (matchesAny(excluded_, request, version)) continue;
    if (matchesAny(rules_, request, version)) return found(version);
  }
  return std::nullopt;
}

Result<bool> RequestMatch::selected(const AdmissionRequest& request, const ClusterReader& cluster) const {
  if (!objects_.empty() && !objects_.matches(labelsOf(request.object)) &&
      !(request.oldObject && objects_.matches(labelsOf(request.oldObject))))
    return false;
  if (namespaces_.empty()) return true;
  bool isNamespace = request.resource->plural == "namespaces" && request.resource->group.empty();
  if (isNamespace && request.subresource.empty() && request.operation == Operation::Create)
    return namespaces_.matches(labelsOf(request.object));
  std::string_view name = isNamespace ? request.name : request.ns;
  if (name.empty()) return true;  // cluster scoped: no namespace to select by
  codec::DocumentPtr ns = cluster.get("", "namespaces", "", name);
  if (!ns) return notFound("", "namespaces", name);
  return namespaces_.matches(ns->root["metadata"]["labels"]);
}

bool isExempt(const AdmissionRequest& request) {
  constexpr std::string_view kExempt[] = {
      "validatingwebhookconfigurations",  "mutatingwebhookconfigurations", "validatingadmissionpolicies",
      "validatingadmissionpolicybindings", "mutatingadmissionpolicies",     "mutatingadmissionpolicybindings"};
  return request.resource->group == "admissionregistration.k8s.io" &&
         std::ranges::find(kExempt, request.resource->plural) != std::end(kExempt);
}

namespace {

// Tables of built-ins; custom resources are told by their missing tables.
api::ResourceInfo infoOf(const MatchedResource& matched) {
  if (const api::ResourceInfo* known = api::findResource(matched.group, matched.version, matched.plural)) return *known;
  api::ResourceInfo info;
  info.group = matched.group;
  info.version = matched.version;
  info.kind = matched.kind;
  info.plural = matched.plural;
  return info;
}

bool needsConversion(const Value& object, const AdmissionRequest& request, const MatchedResource& wanted) {
  // Bindings, evictions and the like are kinds of their own, in one version.
  return wanted.version != request.resource->version && object["kind"].asString() == request.resource->kind;
}

}  // namespace

Result<const Value*> inVersion(const Value* object, const AdmissionRequest& request, const MatchedResource& wanted,
                               codec::Arena& arena) {
  if (!object || !needsConversion(*object, request, wanted)) return object;
  Value* converted = arena.array<Value>(1);
  *converted = object->clone(arena);
  api::ResourceInfo to = infoOf(wanted);
  TRY(convertObject(*converted, *request.resource, to, request.custom, arena));
  converted->set(arena, "apiVersion", Value::text(arena, api::apiVersionOf(wanted.group, wanted.version)));
  return static_cast<const Value*>(converted);
}

Status toStoredVersion(Value& object, const AdmissionRequest& request, const MatchedResource& from, codec::Arena& arena) {
  if (!needsConversion(object, request, from)) return okStatus();
  const api::ResourceInfo& stored = *request.resource;
  api::ResourceInfo info = infoOf(from);
  TRY(convertObject(object, info, stored, request.custom, arena));
  object.set(arena, "apiVersion", Value::text(arena, api::apiVersionOf(stored.group, stored.version)));
  return okStatus();
}

}  // namespace skiff::apiserver::extension
