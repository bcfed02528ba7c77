// Expressions over one admission request: the variables they may name, compiled match conditions, and the evaluation of
// both for webhooks and policies.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/extension/request_match.h"
#include "apiserver/request.h"
#include "cel/authorizer.h"
#include "cel/program.h"

namespace skiff::apiserver::extension {

using ProgramPtr = std::shared_ptr<const cel::Program>;

// Compiled, or why not.
struct Expression {
  std::string source;
  ProgramPtr program;
  std::string problem;
};
Expression compileExpression(std::string_view source, const cel::Environment& environment);

// object, oldObject, request, authorizer; policies have params, namespaceObject and variables too.
cel::Environment webhookEnvironment();
cel::Environment policyEnvironment(const codec::Value& policySpec);

// Upstream's budgets for one webhook's or policy's match conditions, and for all of a policy's expressions.
inline constexpr int64_t kMatchConditionBudget = 2'500'000;
inline constexpr int64_t kPolicyBudget = 10'000'000;

struct MatchCondition {
  std::string name;
  Expression expression;
};
std::vector<MatchCondition> compileConditions(const codec::Value& conditions, const cel::Environment& environment);

// The values that expressions see during one request; made once, asked many times. Not thread safe.
class Evaluation final : public cel::AccessOracle, public cel::LazyMap {
 public:
  struct Inputs {
    const AdmissionRequest& request;
    const MatchedResource& matched;
    const codec::Value* object = nullptr;     // in the matched version; null for a deletion
    const codec::Value* oldObject = nullptr;
    const codec::Value* params = nullptr;
    bool policy = false;  // params, namespaceObject and variables are declared
    const std::vector<std::pair<std::string, Expression>>* variables = nullptr;
  };
  Evaluation(const Inputs& inputs, const ClusterReader& cluster, Authorizer& authorizer);

  // The error's text is "expression '...' resulted in error: ...".
  Result<cel::Value> evaluate(const Expression& expression, cel::Budget& budget);
  // False wins over errors.
  Result<bool> matches(const std::vector<MatchCondition>& conditions);
  codec::Arena& arena() { return arena_; }

  cel::AccessDecision check(const cel::AccessQuery& query) override;
  std::optional<cel::Value> find(std::string_view variable) override;

 private:
  Inputs inputs_;
  const ClusterReader& cluster_;
  Authorizer& authorizer_;
  codec::Arena arena_;
  codec::Value request_;
  codec::DocumentPtr namespace_;
  std::vector<std::optional<cel::Value>> activation_;
  std::map<std::string, cel::Value, std::less<>> found_;  // variables that were asked for
  cel::Budget* budget_ = nullptr;                          // of the evaluation that is running
};

}  // namespace skiff::apiserver::extension
