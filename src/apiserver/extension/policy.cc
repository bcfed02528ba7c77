#include "apiserver/extension/policy.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Value;

std::vector<codec::DocumentPtr> listByName(const ClusterReader& cluster, std::string_view resource) {
  auto list = cluster.list("admissionregistration.k8s.io", resource, "");
  std::ranges::sort(list, {}, [](const codec::DocumentPtr& document) { return document->root["metadata"]["name"].asString(); });
  return list;
}

RequestMatch parseMatch(const Value& config, std::string& problem) {
  auto match = RequestMatch::parse(config);
  if (match.ok()) return std::move(match).value();
  problem = match.error().message();
  return {};
}

Binding parseBinding(const codec::DocumentPtr& document) {
  Binding binding;
  binding.name = document->root["metadata"]["name"].str();
  binding.document = document;
  binding.match = parseMatch(binding.spec()["matchResources"], binding.problem);
  return binding;
}

// A variable may read those before it.
std::vector<std::pair<std::string, Expression>> compileVariables(const Value& variables, cel::Environment environment) {
  std::vector<std::pair<std::string, Expression>> out;
  environment.policyVariables.emplace();
  for (const Value& variable : variables.items()) {
    out.emplace_back(variable["name"].str(), compileExpression(variable["expression"].asString(), environment));
    environment.policyVariables->push_back(variable["name"].str());
  }
  return out;
}

Policy parsePolicy(const codec::DocumentPtr& document) {
  Policy policy;
  policy.name = document->root["metadata"]["name"].str();
  policy.document = document;
  const Value& spec = policy.spec();
  policy.match = parseMatch(spec["matchConstraints"], policy.problem);
  policy.failsOpen = spec["failurePolicy"].asString() == "Ignore";
  policy.reinvoked = spec["reinvocationPolicy"].asString() == "IfNeeded";
  cel::Environment environment = policyEnvironment(spec);
  policy.conditions = compileConditions(spec["matchConditions"], environment);
  policy.variables = compileVariables(spec["variables"], environment);
  for (const Value& validation : spec["validations"].items()) {
    Validation compiled{compileExpression(validation["expression"].asString(), environment), std::nullopt,
                        std::string(trim(validation["message"].asString())), validation["reason"].str()};
    if (std::string_view source = validation["messageExpression"].asString(); !source.empty())
      compiled.messageExpression = compileExpression(source, environment);
    policy.validations.push_back(std::move(compiled));
  }
  for (const Value& annotation : spec["auditAnnotations"].items())
    policy.auditAnnotations.push_back({annotation["key"].str(), compileExpression(annotation["valueExpression"].asString(), environment)});
  for (const Value& mutation : spec["mutations"].items()) {
    bool isPatch = mutation["patchType"].asString() == "JSONPatch";
    const Value& body = mutation[isPatch ? "jsonPatch" : "applyConfiguration"];
    policy.mutations.push_back({isPatch, compileExpression(body["expression"].asString(), environment)});
  }
  return policy;
}

struct ParamResource {
  std::string group, plural;
  bool namespaced = false;
};

std::optional<ParamResource> paramResource(const Value& paramKind, const ClusterReader& cluster) {
  std::string_view apiVersion = paramKind["apiVersion"].asString(), kind = paramKind["kind"].asString();
  auto parts = cut(apiVersion, "/").value_or(std::pair(std::string_view(), apiVersion));
  if (const api::ResourceInfo* known = api::findResourceByKind(parts.first, parts.second, kind))
    return ParamResource{std::string(known->group), std::string(known->plural), known->namespaced};
  for (const codec::DocumentPtr& definition : cluster.list("apiextensions.k8s.io", "customresourcedefinitions", "")) {
    const Value& spec = definition->root["spec"];
    if (spec["group"].asString() != parts.first || spec["names"]["kind"].asString() != kind) continue;
    return ParamResource{spec["group"].str(), spec["names"]["plural"].str(), spec["scope"].asString() == "Namespaced"};
  }
  return std::nullopt;
}

}  // namespace

bool Binding::has(std::string_view action) const {
  auto actions = spec()["validationActions"].items();
  return std::ranges::any_of(actions, [&](const Value& item) { return item.asString() == action; });
}

Policies loadPolicies(const ClusterReader& cluster, std::string_view resource, std::string_view bindingResource) {
  std::vector<codec::DocumentPtr> bindings = listByName(cluster, bindingResource);
  Policies policies;
  for (const codec::DocumentPtr& document : listByName(cluster, resource)) {
    std::vector<Binding> own;
    for (const codec::DocumentPtr& binding : bindings)
      if (binding->root["spec"]["policyName"].asString() == document->root["metadata"]["name"].asString())
        own.push_back(parseBinding(binding));
    if (own.empty()) continue;
    policies.push_back(parsePolicy(document));
    policies.back().bindings = std::move(own);
  }
  return policies;
}

Result<std::vector<codec::DocumentPtr>> paramsOf(const Policy& policy, const Binding& binding,
                                                 const AdmissionRequest& request, const ClusterReader& cluster) {
  const Value &kind = policy.spec()["paramKind"], &reference = binding.spec()["paramRef"];
  if (kind.isNull() || reference.isNull()) return std::vector<codec::DocumentPtr>{nullptr};
  auto resource = paramResource(kind, cluster);
  if (!resource)
    return Error(Reason::NotFound, concat("failed to find resource referenced by paramKind: '", kind["apiVersion"].asString(),
                                          ", Kind=", kind["kind"].asString(), "'"));
  std::string ns;
  if (resource->namespaced) {
    ns = reference["namespace"].str();
    if (ns.empty()) ns = request.ns;
    if (ns.empty()) return badRequest("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  } else if (!reference["namespace"].asString().empty()) {
    return badRequest("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  }
  std::vector<codec::DocumentPtr> params;
  if (reference.has("selector")) {
    api::LabelSelector selector = TRY(api::LabelSelector::fromValue(reference["selector"]));
    for (codec::DocumentPtr& item : cluster.list(resource->group, resource->plural, ns))
      if (selector.matches(item->root["metadata"]["labels"])) params.push_back(std::move(item));
  } else if (auto param = cluster.get(resource->group, resource->plural, ns, reference["name"].asString())) {
    params.push_back(std::move(param));
  }
  if (params.empty() && reference["parameterNotFoundAction"].asString() != "Allow")
    return Error(Reason::NotFound, "no params found for policy binding with `Deny` parameterNotFoundAction");
  return params;
}

}  // namespace skiff::apiserver::extension
