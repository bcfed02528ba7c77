#include "apiserver/extension/expressions.h"

#include "apiserver/extension/review.h"
#include "base/strings.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Value;

cel::Value valueOf(const Value* tree) { return tree ? cel::Value::of(*tree) : cel::Value::null(); }

UserInfo serviceAccountUser(std::string_view ns, std::string_view name) {
  return {.name = concat("system:serviceaccount:", ns, ":", name),
          .uid = "",
          .groups = {"system:serviceaccounts", concat("system:serviceaccounts:", ns), "system:authenticated"},
          .extra = {}};
}

}  // namespace

Expression compileExpression(std::string_view source, const cel::Environment& environment) {
  Expression expression{std::string(source), nullptr, ""};
  auto program = cel::Program::compile(source, environment);
  if (program.ok())
    expression.program = std::move(program).value();
  else
    expression.problem = concat("compilation failed: ", program.error().message());
  return expression;
}

cel::Environment webhookEnvironment() {
  return {.variables = {"object", "oldObject", "request", "authorizer"}, .policyVariables = std::nullopt};
}

cel::Environment policyEnvironment(const Value& spec) {
  cel::Environment environment = webhookEnvironment();
  environment.variables.insert(environment.variables.end(), {"params", "namespaceObject", "variables"});
  environment.policyVariables.emplace();
  for (const Value& variable : spec["variables"].items()) environment.policyVariables->push_back(variable["name"].str());
  environment.objectConstruction = spec.has("mutations");
  return environment;
}

std::vector<MatchCondition> compileConditions(const Value& conditions, const cel::Environment& environment) {
  std::vector<MatchCondition> out;
  for (const Value& condition : conditions.items())
    out.push_back({condition["name"].str(), compileExpression(condition["expression"].asString(), environment)});
  return out;
}

Evaluation::Evaluation(const Inputs& inputs, const ClusterReader& cluster, Authorizer& authorizer)
    : inputs_(inputs), cluster_(cluster), authorizer_(authorizer) {
  const AdmissionRequest& request = inputs.request;
  request_ = requestAttributes(request, inputs.matched, arena_);
  cel::AccessQuery query;
  query.isResource = true;
  query.group = request.resource->group;
  query.resource = request.resource->plural;
  query.subresource = request.subresource;
  query.ns = request.ns;
  query.name = request.name;
  activation_ = {valueOf(inputs.object), valueOf(inputs.oldObject), cel::Value::of(request_),
                 cel::authorizerValue(*this, query, arena_)};
  if (!inputs.policy) return;
  if (!request.ns.empty()) namespace_ = cluster_.get("", "namespaces", "", request.ns);
  activation_.push_back(valueOf(inputs.params));
  activation_.push_back(valueOf(namespace_ ? &namespace_->root : nullptr));
  activation_.push_back(cel::Value::lazy(*this));
}

Result<cel::Value> Evaluation::evaluate(const Expression& expression, cel::Budget& budget) {
  if (!expression.program) return Error(Reason::Invalid, expression.problem);
  budget_ = &budget;
  auto value = expression.program->evaluate(activation_, arena_, budget);
  if (value.ok()) return value;
  return Error(Reason::Invalid, concat("expression '", expression.source, "' resulted in error: ", value.error().message()));
}

Result<bool> Evaluation::matches(const std::vector<MatchCondition>& conditions) {
  cel::Budget budget{kMatchConditionBudget};
  std::optional<Error> problem;
  for (const MatchCondition& condition : conditions) {
    auto value = evaluate(condition.expression, budget);
    if (value.ok() && value->isFalse()) return false;
    if (problem || (value.ok() && value->isTrue())) continue;
    problem = value.ok() ? Error(Reason::Invalid, concat("expression '", condition.expression.source, "' must evaluate to bool"))
                         : value.error();
  }
  if (problem) return *std::move(problem);
  return true;
}

cel::AccessDecision Evaluation::check(const cel::AccessQuery& query) {
  RequestInfo info;
  info.isResource = query.isResource;
  info.path = std::string(query.path);
  info.verb = std::string(query.verb);
  info.group = std::string(query.group);
  info.version = "*";
  info.resource = std::string(query.resource);
  info.subresource = std::string(query.subresource);
  info.ns = std::string(query.ns);
  info.name = std::string(query.name);
  info.fieldSelector = std::string(query.fieldSelector);
  info.labelSelector = std::string(query.labelSelector);
  UserInfo other;
  bool asOther = !query.serviceAccountName.empty();
  if (asOther) other = serviceAccountUser(query.serviceAccountNamespace, query.serviceAccountName);
  Verdict verdict = authorizer_.authorize(asOther ? other : *inputs_.request.user, info);
  return {verdict.decision == Decision::Allow, verdict.reason, ""};
}

// A variable is evaluated when it is first read, and pays from the budget of who reads it. Variables may read earlier ones;
// a cycle is impossible, as each compiles against the names before it.
std::optional<cel::Value> Evaluation::find(std::string_view name) {
  if (auto known = found_.find(name); known != found_.end()) return known->second;
  if (!inputs_.variables) return std::nullopt;
  for (const auto& [variable, expression] : *inputs_.variables) {
    if (variable != name) continue;
    cel::Value value;
    if (!expression.program) {
      value = cel::Value::error(arena_.copy(expression.problem));
    } else {
      auto result = expression.program->evaluate(activation_, arena_, *budget_);
      value = result.ok() ? *result : cel::Value::error(arena_.copy(concat("composited variable ", quoted(name), " fails to evaluate: ", result.error().message())));
    }
    return found_.emplace(name, value).first->second;
  }
  return std::nullopt;
}

}  // namespace skiff::apiserver::extension
