// A compiled expression: made once, immutable, evaluated by any number of threads at the same time.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cel/ast.h"
#include "cel/cost_estimate.h"
#include "cel/value.h"

namespace skiff::cel {

// What an expression may name.
struct Environment {
  std::vector<std::string> variables;
  std::vector<const Type*> types = {};  // of the first of them, as far as known; lent while an expression is compiled
  // Members of `variables`, when they are known: others are compile errors.
  std::optional<std::vector<std::string>> policyVariables;
  bool objectConstruction = false;  // Object{...}, Object.spec{...}, JSONPatch{...}
};

// Cost units that may still be spent; several evaluations can share one.
struct Budget {
  int64_t remaining = 1'000'000;  // upstream's limit for a single expression
};
inline constexpr std::string_view kCostExceeded = "operation cancelled: actual cost limit exceeded";

class Program {
 public:
  // The error's text is cel-go's: "ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x\n | ^", one for
  // every mistake of names and types.
  static Result<std::shared_ptr<const Program>> compile(std::string_view source, const Environment& environment);
  ~Program();

  // `activation` holds the values of Environment::variables in their order; nullopt is one that is not there now. What they
  // point to must outlive the result, which lives in `arena`.
  Result<Value> evaluate(std::span<const std::optional<Value>> activation, codec::Arena& arena, Budget& budget) const;

  const std::string& source() const { return source_; }
  StaticType type() const { return type_; }
  const Type& resultType() const { return *root_->type; }  // only while the types that the environment lent are there
  // True if the result can be of that type as far as is known before evaluation.
  bool mayBe(StaticType type) const { return type_ == StaticType::Dyn || type_ == type; }
  // See cost_estimate.h; only while the types that the environment lent are there.
  uint64_t estimateCost(const SizeHints& hints) const;
  // Whether the expression reads this variable.
  bool uses(std::string_view variable) const;

 private:
  Program() = default;
  std::string source_;
  codec::Arena arena_;
  const Expr* root_ = nullptr;
  StaticType type_ = StaticType::Dyn;
  size_t locals_ = 0;
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
  std::vector<std::string> used_;
};

}  // namespace skiff::cel
