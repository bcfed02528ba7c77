// Tokens to a tree: a Pratt parser that expands the macros as it meets them. Expressions come from users: nesting, size
// and the height of the tree are bounded, so that neither parsing nor evaluation can exhaust a worker's stack.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cel/ast.h"
#include "cel/lexer.h"

namespace skiff::cel {

inline constexpr size_t kMaxSource = 100'000;  // bytes; cel-go's limit of code points
inline constexpr int kMaxNesting = 250;         // as cel-go
inline constexpr int kMaxHeight = 300;          // of the tree: a + b + c ... leans to the left

struct SourceError {
  size_t offset;
  std::string message;
};

class Parser {
 public:
  Parser(std::string_view source, codec::Arena& arena) : source_(source), arena_(arena), lexer_(source, arena) {}
  // Null when the text is no expression: see error().
  Expr* parse();
  const SourceError& error() const { return *error_; }

 private:
  Expr* expression();
  Expr* binary(int minPrecedence);
  Expr* unary();
  Expr* numberLiteral(bool negative);
  Expr* postfix(Expr* operand);
  Expr* member(Expr* operand);
  Expr* index(Expr* operand);
  Expr* primary();
  Expr* listLiteral();
  Expr* mapLiteral();
  Expr* message(Expr* name);
  bool arguments(std::vector<Expr*>& into);
  Expr* call(Expr* receiver, std::string_view name, size_t offset, std::vector<Expr*> args);
  Expr* expandMacro(Expr* receiver, std::string_view name, size_t offset, std::vector<Expr*>& args, bool& isMacro);
  Expr* comprehension(MacroKind kind, size_t offset, Expr* range, std::vector<Expr*>& args, size_t variables);

  Expr* make(Node node, size_t offset);
  Expr* operation(std::string_view name, size_t offset, std::initializer_list<Expr*> args);
  Expr* logical(Node node, size_t offset, Expr* left, Expr* right);
  Expr* finish(Expr* node, std::span<Expr* const> args);
  Expr* fail(size_t offset, std::string message);
  Expr* unexpected();
  bool accept(Token token);
  bool expect(Token token, std::string_view spelling);

  std::string_view source_;
  codec::Arena& arena_;
  Lexer lexer_;
  int nesting_ = 0;
  std::optional<SourceError> error_;
};

// "ERROR: <input>:1:5: message", the line and a caret below it, as cel-go shows it.
std::string describeError(std::string_view source, const SourceError& error);

}  // namespace skiff::cel
