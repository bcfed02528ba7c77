#include "apiserver/extension/expression_checks.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "api/names.h"
#include "apiserver/extension/expressions.h"
#include "apiserver/strategy.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;
using extension::compileExpression;
using extension::Expression;

void check(const Value& expression, const std::string& path, const cel::Environment& environment,
           std::initializer_list<cel::StaticType> wanted, std::string_view wrongType, FieldErrors& errors) {
  std::string_view source = trim(expression.asString());
  if (source.empty()) return errors.required(path, "");
  Expression compiled = compileExpression(source, environment);
  if (!compiled.program) return errors.invalid(path, quoted(expression.asString()), compiled.problem);
  bool fits = std::ranges::any_of(wanted, [&](cel::StaticType type) { return compiled.program->mayBe(type); });
  if (!fits) errors.invalid(path, quoted(expression.asString()), std::string(wrongType));
}

void checkConditions(const Value& conditions, const std::string& path, const cel::Environment& environment,
                     FieldErrors& errors) {
  if (conditions.size() > 64) errors.tooMany(path, int64_t(conditions.size()), 64);
  std::vector<std::string_view> names;
  for (size_t i = 0; i < conditions.size(); ++i) {
    const Value& condition = conditions.at(i);
    std::string at = concat(path, "[", i, "]");
    check(condition["expression"], at + ".expression", environment, {cel::StaticType::Bool}, "must evaluate to bool", errors);
    std::string_view name = condition["name"].asString();
    if (name.empty()) {
      errors.required(at + ".name", "");
      continue;
    }
    for (std::string& problem : api::qualifiedNameErrors(name)) errors.invalid(at + ".name", quoted(name), std::move(problem));
    if (std::ranges::find(names, name) != names.end()) errors.duplicate(at + ".name", quoted(name));
    names.push_back(name);
  }
}

// Variables see those before them.
void checkVariables(const Value& variables, cel::Environment environment, FieldErrors& errors) {
  environment.policyVariables.emplace();
  for (size_t i = 0; i < variables.size(); ++i) {
    std::string at = concat("spec.variables[", i, "]");
    Expression compiled = compileExpression(trim(variables.at(i)["expression"].asString()), environment);
    if (variables.at(i)["name"].asString().empty()) errors.required(at + ".name", "name is not specified");
    if (compiled.source.empty()) errors.required(at + ".expression", "expression is not specified");
    else if (!compiled.program) errors.invalid(at + ".expression", quoted(compiled.source), compiled.problem);
    environment.policyVariables->push_back(variables.at(i)["name"].str());
  }
}

}  // namespace

void checkMatchConditions(const Value& conditions, const std::string& path, FieldErrors& errors) {
  checkConditions(conditions, path, extension::webhookEnvironment(), errors);
}

void checkPolicyExpressions(const Value& spec, FieldErrors& errors) {
  using enum cel::StaticType;
  cel::Environment environment = extension::policyEnvironment(spec);
  checkConditions(spec["matchConditions"], "spec.matchConditions", environment, errors);
  checkVariables(spec["variables"], environment, errors);
  const Value& validations = spec["validations"];
  for (size_t i = 0; i < validations.size(); ++i) {
    std::string at = concat("spec.validations[", i, "]");
    check(validations.at(i)["expression"], at + ".expression", environment, {Bool}, "must evaluate to bool", errors);
    if (const Value& message = validations.at(i)["messageExpression"]; !message.asString().empty())
      check(message, at + ".messageExpression", environment, {String}, "must evaluate to string", errors);
  }
  const Value& annotations = spec["auditAnnotations"];
  for (size_t i = 0; i < annotations.size(); ++i)
    check(annotations.at(i)["valueExpression"], concat("spec.auditAnnotations[", i, "].valueExpression"), environment,
          {String, Null}, "must evaluate to one of [string null_type]", errors);
  const Value& mutations = spec["mutations"];
  for (size_t i = 0; i < mutations.size(); ++i) {
    bool isPatch = mutations.at(i)["patchType"].asString() == "JSONPatch";
    std::string member = isPatch ? "jsonPatch" : "applyConfiguration";
    check(mutations.at(i)[member]["expression"], concat("spec.mutations[", i, "].", member, ".expression"), environment,
          {isPatch ? List : Map}, isPatch ? "must evaluate to [JSONPatch]" : "must evaluate to Object", errors);
  }
}

}  // namespace skiff::apiserver
