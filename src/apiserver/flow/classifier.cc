#include "apiserver/flow/classifier.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::apiserver::flow {
namespace {

constexpr std::string_view kServiceAccount = "system:serviceaccount:";

bool hasResource(const NameSet& resources, const RequestInfo& request) {
  if (resources.all) return true;
  if (request.subresource.empty()) return resources.has(request.resource);
  return std::ranges::any_of(resources.names, [&](std::string_view name) {
    return name.size() == request.resource.size() + 1 + request.subresource.size() && name.starts_with(request.resource) &&
           name[request.resource.size()] == '/' && name.ends_with(request.subresource);
  });
}

bool matches(const ResourceRule& rule, const RequestInfo& request) {
  return rule.verbs.has(request.verb) && rule.groups.has(request.group) && hasResource(rule.resources, request) &&
         (request.ns.empty() ? rule.clusterScope : rule.namespaces.has(request.ns));
}

bool matchesUrl(std::string_view pattern, std::string_view path) {
  if (pattern == "*" || pattern == path) return true;
  return pattern.ends_with("/*") && path.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool matches(const NonResourceRule& rule, const RequestInfo& request) {
  return rule.verbs.has(request.verb) &&
         std::ranges::any_of(rule.urls, [&](std::string_view url) { return matchesUrl(url, request.path); });
}

PolicyRule ruleForEverything() {
  NameSet all{{"*"}, true};
  PolicyRule rule;
  rule.resources.push_back({all, all, all, all, true});
  rule.nonResources.push_back({all, {"*"}});
  return rule;
}

size_t hashOf(const UserInfo& user) {
  size_t hash = StringHash{}(user.name);
  for (const std::string& group : user.groups) hash = hash * 0x9e3779b97f4a7c15u + StringHash{}(group);
  return hash;
}

Hand handOf(const FlowSchema& schema, std::string_view distinguisher) {
  if (schema.handSize == 0) return {};
  // The separator cannot be part of a schema's name, so no two flows are the same text.
  return dealHand(fnv64a(concat(schema.config.name, '\0', distinguisher)), schema.queues, schema.handSize);
}

}  // namespace

bool isSubject(const Subject& subject, const UserInfo& user) {
  switch (subject.kind) {
    case Subject::Kind::User: return subject.name == "*" || subject.name == user.name;
    case Subject::Kind::Group:
      return subject.name == "*" || std::ranges::find(user.groups, subject.name) != user.groups.end();
    case Subject::Kind::ServiceAccount: {
      std::string_view name = user.name;
      if (!name.starts_with(kServiceAccount)) return false;
      auto parts = cut(name.substr(kServiceAccount.size()), ":");
      return parts && parts->first == subject.ns && (subject.name == "*" || parts->second == subject.name);
    }
  }
  return false;
}

bool matches(const PolicyRule& rule, const RequestInfo& request) {
  auto one = [&](const auto& part) { return matches(part, request); };
  return request.isResource ? std::ranges::any_of(rule.resources, one) : std::ranges::any_of(rule.nonResources, one);
}

Classifier::Classifier(std::vector<FlowSchemaPtr> schemas) : schemas_(std::move(schemas)), everything_(ruleForEverything()) {}

Classifier::ViewPtr Classifier::makeView(const UserInfo& user) const {
  auto view = std::make_shared<View>();
  view->name = user.name;
  view->groups = user.groups;
  for (const FlowSchemaPtr& schema : schemas_)
    for (const PolicyRule& rule : schema->config.rules) {
      if (std::ranges::none_of(rule.subjects, [&](const Subject& subject) { return isSubject(subject, user); })) continue;
      view->candidates.push_back({&schema, &rule, {}});
    }
  view->candidates.push_back({&schemas_.back(), &everything_, {}});
  for (Candidate& candidate : view->candidates) {
    const FlowSchema& schema = **candidate.schema;
    if (schema.config.distinguisher == Distinguisher::ByNamespace) continue;
    candidate.hand = handOf(schema, schema.config.distinguisher == Distinguisher::ByUser ? user.name : std::string_view());
  }
  return view;
}

Classifier::ViewPtr Classifier::viewOf(const UserInfo& user) const {
  size_t hash = hashOf(user);
  Shard& shard = shards_[hash % kShards];
  {
    std::lock_guard lock(shard.mutex);
    auto found = shard.views.find(hash);
    if (found != shard.views.end() && found->second->name == user.name && found->second->groups == user.groups) return found->second;
  }
  ViewPtr made = makeView(user);
  std::lock_guard lock(shard.mutex);
  if (shard.views.size() >= kMaxViews) shard.views.clear();
  shard.views.insert_or_assign(hash, made);
  return made;
}

void Classifier::classify(const UserInfo& user, const RequestInfo& request, Flow& flow) const {
  ViewPtr view = viewOf(user);
  auto found = std::ranges::find_if(view->candidates, [&](const Candidate& candidate) { return matches(*candidate.rule, request); });
  const Candidate& candidate = *found;  // the last one matches everything
  flow.schema_ = candidate.schema;
  switch ((*candidate.schema)->config.distinguisher) {
    case Distinguisher::None: break;
    case Distinguisher::ByUser: flow.distinguisher_ = user.name; break;
    case Distinguisher::ByNamespace:
      flow.distinguisher_ = request.ns;
      flow.own_ = handOf(**candidate.schema, request.ns);
      return;
  }
  flow.shared_ = &candidate.hand;
  flow.keep_ = std::move(view);
}

}  // namespace skiff::apiserver::flow
