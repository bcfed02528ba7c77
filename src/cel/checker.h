// Links a parsed tree: names to slots, calls to functions, constant patterns to compiled ones; and infers types, from the
// text and from what the environment declares. What it cannot know is Dyn and checked by the evaluation.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cel/ast.h"
#include "cel/parser.h"
#include "cel/program.h"

namespace skiff::cel {

class Checker {
 public:
  Checker(const Environment& environment, codec::Arena& arena) : environment_(environment), arena_(arena) {}
  bool check(Expr& root);
  // In the order of the text.
  const std::vector<SourceError>& errors() const { return errors_; }
  size_t locals() const { return maxLocals_; }
  std::vector<std::unique_ptr<re2::RE2>> takePatterns() { return std::move(patterns_); }
  std::vector<std::string> takeUsed() { return std::move(used_); }
  ~Checker();

 private:
  // Each gives the node its type.
  const Type& visit(Expr& expr);
  const Type& typeOfNode(Expr& expr);
  void visitAll(Expr& expr);
  const Type& name(Expr& expr);
  const Type& select(Expr& expr);
  const Type& member(const Expr& expr, const Type& operand);
  const Type& index(Expr& expr);
  const Type& call(Expr& expr);
  const Type& namespacedCall(Expr& expr, bool& handled);
  const Type& link(Expr& expr, const struct FunctionMatch& match);
  const Type& logical(Expr& expr);
  const Type& list(Expr& expr);
  const Type& map(Expr& expr);
  const Type& macro(Expr& expr);
  const Type& macroType(const Expr& expr, const Type& first);
  const Type& message(Expr& expr);
  const Type& overload(const Expr& at, std::string_view function, std::string_view overloads, std::span<const Type* const> args);
  const Type& itemType(Expr& item);
  const Type& commonType(std::span<Expr* const> items, size_t step);
  void constantArguments(Expr& expr);
  bool declared(std::string_view name) const;
  const Type& fail(const Expr& at, std::string message);
  const Type& undeclared(const Expr& at, std::string_view name);
  const Type& noOverload(const Expr& at, std::string_view function, std::span<const Type* const> args);

  struct Local {
    std::string_view name;
    const Type* type;
  };
  const Environment& environment_;
  codec::Arena& arena_;
  std::vector<Local> scope_;
  size_t maxLocals_ = 0;
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
  std::vector<std::string> used_;
  bool mixedAllowed_ = false;  // lists and maps of more than one type
  std::vector<SourceError> errors_;
  std::vector<SourceError> argumentErrors_;  // of constants, told when all types are right
};

}  // namespace skiff::cel
