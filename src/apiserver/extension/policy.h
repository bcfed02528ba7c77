// What validating and mutating admission policies share: matching, bindings, parameters, variables.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apiserver/extension/expressions.h"
#include "apiserver/extension/request_match.h"
#include "apiserver/request.h"

namespace skiff::apiserver::extension {

struct Binding {
  std::string name;
  RequestMatch match;
  codec::DocumentPtr document;
  std::string problem;
  const codec::Value& spec() const { return document->root["spec"]; }
  bool has(std::string_view action) const;  // of validationActions
};

struct Validation {
  Expression expression;
  std::optional<Expression> messageExpression;
  std::string message;
  std::string reason;
};

struct AuditAnnotation {
  std::string key;
  Expression expression;
};

struct Mutation {
  bool isPatch = false;  // JSONPatch, else ApplyConfiguration
  Expression expression;
};

struct Policy {
  std::string name;
  RequestMatch match;
  std::vector<MatchCondition> conditions;
  std::vector<std::pair<std::string, Expression>> variables;
  std::vector<Validation> validations;
  std::vector<AuditAnnotation> auditAnnotations;
  std::vector<Mutation> mutations;
  std::vector<Binding> bindings;
  bool failsOpen = false, reinvoked = false;
  codec::DocumentPtr document;
  std::string problem;
  const codec::Value& spec() const { return document->root["spec"]; }
};
using Policies = std::vector<Policy>;

// Policies by name, each with its bindings; policies without one are left out, as they do nothing.
Policies loadPolicies(const ClusterReader& cluster, std::string_view resource, std::string_view bindingResource);

// The objects to evaluate the policy with, one after the other: {null} without parameters. Empty: the binding has none and
// says that this is fine.
Result<std::vector<codec::DocumentPtr>> paramsOf(const Policy& policy, const Binding& binding,
                                                 const AdmissionRequest& request, const ClusterReader& cluster);

}  // namespace skiff::apiserver::extension
