#include "apiserver/flow/config.h"

#include <algorithm>

namespace skiff::apiserver::flow {
namespace {

using codec::Value;

NameSet namesOf(const Value& list) {
  NameSet out;
  for (const Value& item : list.items()) {
    if (item.asString() == "*") out.all = true;
    out.names.push_back(item.str());
  }
  return out;
}

Subject subjectOf(const Value& value) {
  std::string_view kind = value["kind"].asString();
  if (kind == "Group") return {Subject::Kind::Group, value["group"]["name"].str(), ""};
  if (kind == "ServiceAccount")
    return {Subject::Kind::ServiceAccount, value["serviceAccount"]["name"].str(), value["serviceAccount"]["namespace"].str()};
  return {Subject::Kind::User, value["user"]["name"].str(), ""};
}

PolicyRule ruleOf(const Value& value) {
  PolicyRule rule;
  for (const Value& subject : value["subjects"].items()) rule.subjects.push_back(subjectOf(subject));
  for (const Value& item : value["resourceRules"].items())
    rule.resources.push_back({namesOf(item["verbs"]), namesOf(item["apiGroups"]), namesOf(item["resources"]),
                              namesOf(item["namespaces"]), item["clusterScope"].asBool()});
  for (const Value& item : value["nonResourceRules"].items())
    rule.nonResources.push_back({namesOf(item["verbs"]), namesOf(item["nonResourceURLs"]).names});
  return rule;
}

SchemaConfig schemaOf(const Value& object) {
  const Value& spec = object["spec"];
  SchemaConfig schema;
  schema.name = object["metadata"]["name"].str();
  schema.uid = object["metadata"]["uid"].str();
  schema.level = spec["priorityLevelConfiguration"]["name"].str();
  schema.precedence = spec["matchingPrecedence"].asInt(1000);
  std::string_view method = spec["distinguisherMethod"]["type"].asString();
  if (method == "ByUser") schema.distinguisher = Distinguisher::ByUser;
  if (method == "ByNamespace") schema.distinguisher = Distinguisher::ByNamespace;
  for (const Value& rule : spec["rules"].items()) schema.rules.push_back(ruleOf(rule));
  return schema;
}

LevelConfig levelOf(const Value& object) {
  const Value& spec = object["spec"];
  LevelConfig level;
  level.name = object["metadata"]["name"].str();
  level.uid = object["metadata"]["uid"].str();
  level.exempt = spec["type"].asString() == "Exempt";
  const Value& how = spec[level.exempt ? "exempt" : "limited"];
  level.shares = int(how["nominalConcurrencyShares"].asInt(level.exempt ? 0 : 30));
  level.lendablePercent = int(how["lendablePercent"].asInt(0));
  if (how["borrowingLimitPercent"].isInt()) level.borrowingLimitPercent = int(how["borrowingLimitPercent"].asInt());
  const Value& response = how["limitResponse"];
  if (response["type"].asString() != "Queue") return level;
  level.queues = int(std::clamp<int64_t>(response["queuing"]["queues"].asInt(64), 1, 10'000'000));
  level.handSize = int(std::clamp<int64_t>(response["queuing"]["handSize"].asInt(8), 1, level.queues));
  level.queueLengthLimit = int(std::max<int64_t>(response["queuing"]["queueLengthLimit"].asInt(50), 1));
  return level;
}

PolicyRule everything(std::initializer_list<std::string_view> groups) {
  NameSet all{{"*"}, true};
  PolicyRule rule;
  for (std::string_view group : groups) rule.subjects.push_back({Subject::Kind::Group, std::string(group), ""});
  rule.resources.push_back({all, all, all, all, true});
  rule.nonResources.push_back({all, {"*"}});
  return rule;
}

void addMandatory(FlowConfig& config) {
  auto hasLevel = [&](std::string_view name) { return std::ranges::find(config.levels, name, &LevelConfig::name) != config.levels.end(); };
  auto hasSchema = [&](std::string_view name) {
    return std::ranges::find(config.schemas, name, &SchemaConfig::name) != config.schemas.end();
  };
  if (!hasLevel(kExempt)) config.levels.push_back({.name = std::string(kExempt), .uid = "", .exempt = true});
  if (!hasLevel(kCatchAll)) config.levels.push_back({.name = std::string(kCatchAll), .uid = "", .shares = 5});
  if (!hasSchema(kExempt))
    config.schemas.push_back({std::string(kExempt), "", std::string(kExempt), 1, Distinguisher::None, {everything({"system:masters"})}});
  if (!hasSchema(kCatchAll))
    config.schemas.push_back({std::string(kCatchAll), "", std::string(kCatchAll), 10000, Distinguisher::ByUser,
                              {everything({"system:unauthenticated", "system:authenticated"})}});
}

}  // namespace

bool NameSet::has(std::string_view name) const { return all || std::ranges::find(names, name) != names.end(); }

FlowConfig readConfig(const std::vector<codec::DocumentPtr>& levels, const std::vector<codec::DocumentPtr>& schemas) {
  FlowConfig config;
  for (const auto& level : levels) config.levels.push_back(levelOf(level->root));
  for (const auto& schema : schemas) config.schemas.push_back(schemaOf(schema->root));
  addMandatory(config);
  std::ranges::sort(config.levels, {}, &LevelConfig::name);
  std::ranges::sort(config.schemas, [](const SchemaConfig& a, const SchemaConfig& b) {
    return a.precedence != b.precedence ? a.precedence < b.precedence : a.name < b.name;
  });
  return config;
}

}  // namespace skiff::apiserver::flow
