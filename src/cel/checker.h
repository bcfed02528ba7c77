// Links a parsed tree: names to slots, calls to functions, constant patterns to compiled ones; and infers the types that
// are plain from the text. What it cannot know (members of objects) is Dyn and checked by the evaluation.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cel/ast.h"
#include "cel/parser.h"
#include "cel/program.h"

namespace skiff::cel {

class Checker {
 public:
  Checker(const Environment& environment, codec::Arena& arena) : environment_(environment), arena_(arena) {}
  bool check(Expr& root) { return visit(root); }
  const SourceError& error() const { return *error_; }
  size_t locals() const { return maxLocals_; }
  std::vector<std::unique_ptr<re2::RE2>> takePatterns() { return std::move(patterns_); }
  std::vector<std::string> takeUsed() { return std::move(used_); }
  ~Checker();

 private:
  bool visit(Expr& expr);
  bool visitAll(Expr& expr);
  bool name(Expr& expr);
  bool select(Expr& expr);
  bool call(Expr& expr);
  bool namespacedCall(Expr& expr, bool& handled);
  bool logical(Expr& expr);
  bool conditional(Expr& expr);
  bool macro(Expr& expr);
  bool message(Expr& expr);
  bool overload(const Expr& expr);
  bool constantPattern(Expr& expr);
  bool declared(std::string_view name) const;
  bool fail(const Expr& at, std::string message);
  bool undeclared(const Expr& at, std::string_view name);
  bool noOverload(const Expr& at, std::string_view function, std::span<Expr* const> args);

  struct Local {
    std::string_view name;
  };
  const Environment& environment_;
  codec::Arena& arena_;
  std::vector<Local> scope_;
  size_t maxLocals_ = 0;
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
  std::vector<std::string> used_;
  std::optional<SourceError> error_;
};

}  // namespace skiff::cel
