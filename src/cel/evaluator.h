// Walks a checked tree. One object per evaluation; recursion is bounded by the tree's height.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "cel/ast.h"
#include "cel/library.h"

namespace skiff::cel {

class Evaluator {
 public:
  Evaluator(std::span<const std::optional<Value>> activation, size_t locals, codec::Arena& arena, int64_t& budget)
      : activation_(activation), locals_(locals), context_(arena, budget) {}

  Value evaluate(const Expr& expr);
  bool exhausted() const { return context_.exhausted(); }

 private:
  Value name(const Expr& expr);
  Value select(const Expr& expr);
  Value selectFrom(const Value& operand, const Expr& expr);
  Value index(const Expr& expr);
  Value call(const Expr& expr);
  Value logical(const Expr& expr, bool decisive);
  Value conditional(const Expr& expr);
  Value list(const Expr& expr);
  Value map(const Expr& expr);
  Value message(const Expr& expr);
  bool optionalItem(const Expr& expr, Value& out, bool& present);

  Value macro(const Expr& expr);
  Value quantifier(const Expr& expr, const Value& range, bool decisive);
  Value existsOne(const Expr& expr, const Value& range);
  Value collect(const Expr& expr, const Value& range);
  Value collectMap(const Expr& expr, const Value& range);
  Value sortBy(const Expr& expr, const Value& range);
  Value bindOptional(const Expr& expr, const Value& range);
  void bind(const Expr& expr, const Value& range, size_t at);
  // The filter of a transformation; an error or a bool.
  Value passes(const Expr& expr);

  std::span<const std::optional<Value>> activation_;
  std::vector<Value> locals_;
  Context context_;
};

// container[key], an error when there is nothing; as found() but with the language's message.
Value indexInto(Context& context, const Value& container, const Value& key);

}  // namespace skiff::cel
