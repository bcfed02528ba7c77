#include "controllers/policy_type_check.h"

#include <algorithm>
#include <optional>

#include "api/schema.h"
#include "base/strings.h"
#include "cel/policy_types.h"
#include "cel/program.h"
#include "cel/schema_types.h"
#include "cel/table_types.h"

namespace skiff::controllers {
namespace {

using codec::Value;

// Upstream's limit: a rule that names more ends the search.
constexpr int kMaxKinds = 10;

bool isEstablished(const Value& definition) {
  return std::ranges::any_of(definition["status"]["conditions"].items(), [](const Value& condition) {
    return condition["type"].asString() == "Established" && condition["status"].asString() == "True";
  });
}

// The version as it is served, or null.
const Value* servedVersion(const Value& definition, std::string_view version) {
  if (!isEstablished(definition)) return nullptr;
  for (const Value& each : definition["spec"]["versions"].items())
    if (each["name"].asString() == version && each["served"].asBool()) return &each;
  return nullptr;
}

bool isWildcard(std::string_view text) { return text.find('*') != std::string_view::npos; }

// Sorted, so that the limit cuts off the same ones every time.
std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

// The expressions of one policy against one kind.
class KindCheck {
 public:
  KindCheck(const ValidatingAdmissionPolicy& policy, const cel::Type& object, const cel::Type* params, codec::Arena& arena) : arena_(arena) {
    const cel::Type& unknown = cel::simpleType(cel::StaticType::Dyn);
    environment_.variables = {"object", "oldObject", "request", "namespaceObject", "authorizer", "variables"};
    environment_.types = {&object, &object, &cel::admissionRequestType(arena_), &cel::policyNamespaceType(arena_), &unknown, &unknown};
    declareVariables();
    if (params) {
      environment_.variables.emplace_back("params");
      environment_.types.push_back(params);
    }
    for (const auto& variable : policy.spec.variables) {
      variables_.push_back({variable.name, &typeOfVariable(variable.expression)});
      declareVariables();
    }
  }

  // The mistakes, or nothing.
  std::optional<std::string> mistakesOf(const std::string& expression) const {
    auto program = cel::Program::compile(expression, environment_);
    if (program.ok()) return std::nullopt;
    return program.error().message();
  }

 private:
  // Mistakes of variables are not told, as upstream's are not.
  const cel::Type& typeOfVariable(const std::string& expression) {
    auto program = cel::Program::compile(expression, environment_);
    return program.ok() ? cel::variableTypeOf((*program)->resultType(), arena_) : cel::simpleType(cel::StaticType::Dyn);
  }

  void declareVariables() {
    auto at = std::ranges::find(environment_.variables, "variables") - environment_.variables.begin();
    environment_.types[size_t(at)] = &cel::policyVariablesType(variables_, arena_);
  }

  codec::Arena& arena_;
  cel::Environment environment_;
  std::vector<cel::PolicyVariableType> variables_;
};

struct Checked {
  std::string fieldRef;
  const std::string& expression;
  std::vector<std::string> paragraphs = {};
};

std::vector<Checked> expressionsOf(const ValidatingAdmissionPolicy& policy) {
  std::vector<Checked> out;
  for (size_t i = 0; i < policy.spec.validations.size(); ++i) {
    const auto& validation = policy.spec.validations[i];
    std::string at = concat("spec.validations[", i, "]");
    out.push_back({at + ".expression", validation.expression});
    if (!validation.messageExpression.empty()) out.push_back({at + ".messageExpression", validation.messageExpression});
  }
  return out;
}

// Null without a paramKind; of a kind that nobody knows anything goes.
const cel::Type* paramsType(const ValidatingAdmissionPolicy& policy, const KindCatalog& catalog, uint64_t typeNumber, codec::Arena& arena) {
  if (!policy.spec.paramKind) return nullptr;
  const auto& [apiVersion, kind] = *policy.spec.paramKind;
  auto parts = cut(apiVersion, "/").value_or(std::pair(std::string_view(), std::string_view(apiVersion)));
  const cel::Type* known = catalog.typeOf({std::string(parts.first), std::string(parts.second), kind}, concat(kind, typeNumber), arena);
  return known ? known : &cel::simpleType(cel::StaticType::Dyn);
}

}  // namespace

std::vector<GroupVersionKind> KindCatalog::kindsOf(std::string_view group, std::string_view version, std::string_view resource) const {
  std::vector<GroupVersionKind> out;
  auto takes = [&](std::string_view itsGroup) { return group.empty() || group == itsGroup; };
  for (const api::GroupVersionInfo& served : api::builtinGroupVersions()) {
    if (served.version != version || !takes(served.group)) continue;
    for (const api::ResourceInfo& info : served.resources)
      if (info.onByDefault && (info.plural == resource || info.singular == resource))
        out.push_back({std::string(served.group), std::string(version), std::string(info.kind)});
  }
  for (const api::ObjectPtr& definition : definitions_) {
    const Value &spec = definition->root()["spec"], &names = spec["names"];
    bool isNamed = names["plural"].asString() == resource || names["singular"].asString() == resource;
    if (isNamed && takes(spec["group"].asString()) && servedVersion(definition->root(), version))
      out.push_back({spec["group"].str(), std::string(version), names["kind"].str()});
  }
  return out;
}

const cel::Type* KindCatalog::typeOf(const GroupVersionKind& kind, std::string_view typeName, codec::Arena& arena) const {
  if (const api::TypeInfo* builtin = api::findKind(kind.group, kind.version, kind.kind))
    return &cel::typeOfTable(*builtin, typeName, arena);
  for (const api::ObjectPtr& definition : definitions_) {
    const Value& spec = definition->root()["spec"];
    if (spec["group"].asString() != kind.group || spec["names"]["kind"].asString() != kind.kind) continue;
    if (const Value* version = servedVersion(definition->root(), kind.version))
      return cel::typeOfSchema((*version)["schema"]["openAPIV3Schema"], typeName,
                               {.isRoot = true, .metadata = api::findType("meta/v1", "ObjectMeta")}, arena);
  }
  return nullptr;
}

std::set<GroupVersionKind> kindsToCheck(const ValidatingAdmissionPolicy& policy, const KindCatalog& catalog) {
  std::set<GroupVersionKind> kinds;
  if (!policy.spec.matchConstraints) return kinds;
  for (const auto& rule : policy.spec.matchConstraints->resourceRules) {
    if (std::ranges::any_of(rule.apiGroups, isWildcard) || std::ranges::any_of(rule.apiVersions, isWildcard)) continue;
    int found = 0;
    for (const std::string& group : sorted(rule.apiGroups))
      for (const std::string& version : sorted(rule.apiVersions))
        for (const std::string& resource : sorted(rule.resources)) {
          if (isWildcard(resource) || resource.find('/') != std::string::npos) continue;
          for (GroupVersionKind& kind : catalog.kindsOf(group, version, toLower(resource))) {
            kinds.insert(std::move(kind));
            if (++found == kMaxKinds) return kinds;
          }
        }
  }
  return kinds;
}

std::vector<ExpressionWarning> checkPolicyTypes(const ValidatingAdmissionPolicy& policy, const KindCatalog& catalog, uint64_t typeNumber) {
  codec::Arena paramsArena;
  const cel::Type* params = paramsType(policy, catalog, typeNumber, paramsArena);
  std::vector<Checked> expressions = expressionsOf(policy);
  for (const GroupVersionKind& kind : kindsToCheck(policy, catalog)) {
    codec::Arena arena;  // of this kind's types: some have thousands
    const cel::Type* object = catalog.typeOf(kind, concat(kind.kind, ++typeNumber), arena);
    if (!object) continue;
    KindCheck check(policy, *object, params, arena);
    for (Checked& each : expressions)
      if (auto mistakes = check.mistakesOf(each.expression))
        each.paragraphs.push_back(concat(kind.group, "/", kind.version, ", Kind=", kind.kind, ": ", *mistakes, "\n"));
  }
  std::vector<ExpressionWarning> warnings;
  for (const Checked& each : expressions)
    if (!each.paragraphs.empty()) warnings.push_back({.fieldRef = each.fieldRef, .warning = join(each.paragraphs, "\n")});
  return warnings;
}

}  // namespace skiff::controllers
