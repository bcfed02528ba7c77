#include "cel/parser.h"

#include <algorithm>
#include <charconv>
#include <new>

#include "base/strings.h"

namespace skiff::cel {
namespace {

struct Operator {
  Token token;
  int precedence;
  std::string_view function;
};
constexpr Operator kOperators[] = {
    {Token::Or, 1, "_||_"},          {Token::And, 2, "_&&_"},
    {Token::Less, 3, "_<_"},         {Token::LessEqual, 3, "_<=_"},
    {Token::Greater, 3, "_>_"},      {Token::GreaterEqual, 3, "_>=_"},
    {Token::Equal, 3, "_==_"},       {Token::NotEqual, 3, "_!=_"},
    {Token::In, 3, "@in"},           {Token::Plus, 4, "_+_"},
    {Token::Minus, 4, "_-_"},        {Token::Star, 5, "_*_"},
    {Token::Slash, 5, "_/_"},        {Token::Percent, 5, "_%_"},
};

const Operator* operatorOf(Token token) {
  for (const Operator& op : kOperators)
    if (op.token == token) return &op;
  return nullptr;
}

// Words that name no variable; as member names they are fine.
bool isReserved(std::string_view word) {
  constexpr std::string_view kReserved[] = {"as",    "break", "const",     "continue", "else",   "for",  "function", "if",
                                            "import", "let",   "loop",      "package",  "namespace", "return", "var", "void",
                                            "while"};
  return std::ranges::find(kReserved, word) != std::end(kReserved);
}

}  // namespace

Expr* Parser::make(Node node, size_t offset) {
  Expr* made = new (arena_.allocate(sizeof(Expr), alignof(Expr))) Expr();
  made->node = node;
  made->offset = uint32_t(offset);
  return made;
}

Expr* Parser::finish(Expr* node, std::span<Expr* const> args) {
  Expr** kept = arena_.array<Expr*>(args.size());
  int height = 0;
  for (size_t i = 0; i < args.size(); ++i) {
    kept[i] = args[i];
    height = std::max(height, int(args[i]->height));
  }
  if (height >= kMaxHeight) return fail(node->offset, "expression is nested too deeply");
  node->args = {kept, args.size()};
  node->height = uint16_t(height + 1);
  return node;
}

Expr* Parser::operation(std::string_view name, size_t offset, std::initializer_list<Expr*> args) {
  Expr* node = make(Node::Call, offset);
  node->name = name;
  return finish(node, {args.begin(), args.size()});
}

// a && b && c becomes one node, so that long conditions stay shallow.
Expr* Parser::logical(Node node, size_t offset, Expr* left, Expr* right) {
  std::vector<Expr*> args;
  if (left->node == node)
    args.assign(left->args.begin(), left->args.end());
  else
    args.push_back(left);
  args.push_back(right);
  return finish(make(node, offset), args);
}

Expr* Parser::fail(size_t offset, std::string message) {
  if (!error_) error_ = SourceError{offset, std::move(message)};
  return nullptr;
}

Expr* Parser::unexpected() {
  if (lexer_.token() == Token::Bad) return fail(lexer_.offset(), "Syntax error: " + lexer_.problem());
  std::string_view found = lexer_.token() == Token::End ? "<EOF>" : lexer_.spelling();
  return fail(lexer_.offset(),
              concat("Syntax error: mismatched input '", found, "' expecting {'[', '{', '(', '.', '-', '!', 'true', ",
                     "'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"));
}

bool Parser::accept(Token token) {
  if (lexer_.token() != token) return false;
  lexer_.next();
  return true;
}

bool Parser::expect(Token token, std::string_view spelling) {
  if (accept(token)) return true;
  if (lexer_.token() == Token::Bad) return unexpected(), false;
  std::string_view found = lexer_.token() == Token::End ? "<EOF>" : lexer_.spelling();
  fail(lexer_.offset(), concat("Syntax error: mismatched input '", found, "' expecting ", spelling));
  return false;
}

Expr* Parser::parse() {
  if (source_.size() > kMaxSource)
    return fail(0, concat("expression code point size exceeds limit: size: ", source_.size(), ", limit ", kMaxSource));
  Expr* root = expression();
  if (!root || !expect(Token::End, "<EOF>")) return nullptr;
  return root;
}

Expr* Parser::expression() {
  if (++nesting_ > kMaxNesting) return fail(lexer_.offset(), concat("expression recursion limit exceeded: ", kMaxNesting));
  Expr* condition = binary(1);
  if (!condition) return nullptr;
  size_t offset = lexer_.offset();
  if (accept(Token::Question)) {
    Expr* yes = binary(1);
    if (!yes || !expect(Token::Colon, "':'")) return nullptr;
    Expr* no = expression();
    if (!no) return nullptr;
    Expr* const args[] = {condition, yes, no};
    condition = finish(make(Node::Conditional, offset), args);
  }
  --nesting_;
  return condition;
}

Expr* Parser::binary(int minPrecedence) {
  Expr* left = unary();
  while (left) {
    const Operator* op = operatorOf(lexer_.token());
    if (!op || op->precedence < minPrecedence) return left;
    size_t offset = lexer_.offset();
    lexer_.next();
    Expr* right = binary(op->precedence + 1);
    if (!right) return nullptr;
    if (op->token == Token::And)
      left = logical(Node::And, offset, left, right);
    else if (op->token == Token::Or)
      left = logical(Node::Or, offset, left, right);
    else
      left = operation(op->function, offset, {left, right});
  }
  return nullptr;
}

Expr* Parser::unary() {
  size_t offset = lexer_.offset();
  if (lexer_.token() != Token::Not && lexer_.token() != Token::Minus) {
    Expr* operand = primary();
    return operand ? postfix(operand) : nullptr;
  }
  if (++nesting_ > kMaxNesting) return fail(offset, concat("expression recursion limit exceeded: ", kMaxNesting));
  bool isNot = accept(Token::Not);
  if (!isNot) lexer_.next();
  Expr* operand;
  if (!isNot && (lexer_.token() == Token::Int || lexer_.token() == Token::Double)) {
    operand = numberLiteral(true);
    if (operand) operand = postfix(operand);
  } else {
    operand = unary();
    if (operand) operand = operation(isNot ? "!_" : "-_", offset, {operand});
  }
  --nesting_;
  return operand;
}

Expr* Parser::numberLiteral(bool negative) {
  Expr* node = make(Node::Literal, lexer_.offset());
  std::string text = (negative ? "-" : "") + std::string(lexer_.text());
  bool hex = lexer_.text().size() > 2 && (lexer_.text()[1] | 0x20) == 'x';
  if (lexer_.token() == Token::Double) {
    auto value = parseDouble(text);
    if (!value) return fail(node->offset, "invalid double literal");
    node->literal = Value::real(*value);
  } else {
    int base = hex ? 16 : 10;
    std::string_view digits = lexer_.text().substr(hex ? 2 : 0);
    uint64_t magnitude = 0;
    auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
    bool bad = problem != std::errc() || end != digits.data() + digits.size();
    if (lexer_.token() == Token::Uint) {
      if (bad) return fail(node->offset, "invalid uint literal");
      node->literal = Value::unsignedInteger(magnitude);
    } else {
      uint64_t most = uint64_t(INT64_MAX) + (negative ? 1 : 0);
      if (bad || magnitude > most) return fail(node->offset, "invalid int literal");
      node->literal = Value::integer(int64_t(negative ? 0 - magnitude : magnitude));
    }
  }
  lexer_.next();
  return node;
}

Expr* Parser::primary() {
  size_t offset = lexer_.offset();
  Expr* node = nullptr;
  switch (lexer_.token()) {
    case Token::Int:
    case Token::Uint:
    case Token::Double: return numberLiteral(false);
    case Token::String:
    case Token::Bytes:
      node = make(Node::Literal, offset);
      node->literal = lexer_.token() == Token::String ? Value::string(lexer_.text()) : Value::bytes(lexer_.text());
      lexer_.next();
      return node;
    case Token::True:
    case Token::False:
      node = make(Node::Literal, offset);
      node->literal = Value::boolean(lexer_.token() == Token::True);
      lexer_.next();
      return node;
    case Token::Null:
      lexer_.next();
      return make(Node::Literal, offset);
    case Token::LeftParen:
      lexer_.next();
      node = expression();
      return node && expect(Token::RightParen, "')'") ? node : nullptr;
    case Token::LeftBracket: return listLiteral();
    case Token::LeftBrace: return mapLiteral();
    case Token::Dot:  // a name from the root
      lexer_.next();
      if (lexer_.token() != Token::Identifier) return unexpected();
      break;
    case Token::Identifier: break;
    default: return unexpected();
  }
  std::string_view name = lexer_.text();
  if (isReserved(name)) return fail(offset, concat("reserved identifier: ", name));
  lexer_.next();
  size_t callOffset = lexer_.offset();
  if (accept(Token::LeftParen)) {
    std::vector<Expr*> args;
    return arguments(args) ? call(nullptr, name, callOffset, std::move(args)) : nullptr;
  }
  node = make(Node::Name, offset);
  node->name = name;
  return node;
}

Expr* Parser::postfix(Expr* operand) {
  while (operand) {
    if (lexer_.token() == Token::Dot)
      operand = member(operand);
    else if (lexer_.token() == Token::LeftBracket)
      operand = index(operand);
    else if (lexer_.token() == Token::LeftBrace && (operand->node == Node::Name || operand->node == Node::Select))
      operand = message(operand);
    else
      return operand;
  }
  return nullptr;
}

Expr* Parser::member(Expr* operand) {
  size_t offset = lexer_.offset();
  lexer_.next();
  bool optional = accept(Token::Question);
  if (lexer_.token() != Token::Identifier && lexer_.token() != Token::QuotedIdentifier && lexer_.token() != Token::In) {
    std::string_view found = lexer_.token() == Token::End ? "<EOF>" : lexer_.spelling();
    return fail(lexer_.offset(), concat("Syntax error: no viable alternative at input '.", found == "<EOF>" ? "" : found, "'"));
  }
  std::string_view name = lexer_.text();
  bool plain = lexer_.token() == Token::Identifier;
  lexer_.next();
  size_t callOffset = lexer_.offset();  // errors of calls point at the parenthesis
  if (plain && !optional && accept(Token::LeftParen)) {
    std::vector<Expr*> args;
    return arguments(args) ? call(operand, name, callOffset, std::move(args)) : nullptr;
  }
  Expr* node = make(Node::Select, offset);
  node->name = name;
  node->optional = optional;
  return finish(node, {&operand, 1});
}

Expr* Parser::index(Expr* operand) {
  Expr* node = make(Node::Index, lexer_.offset());
  lexer_.next();
  node->optional = accept(Token::Question);
  Expr* key = expression();
  if (!key || !expect(Token::RightBracket, "']'")) return nullptr;
  Expr* const args[] = {operand, key};
  return finish(node, args);
}

bool Parser::arguments(std::vector<Expr*>& into) {
  if (accept(Token::RightParen)) return true;
  do {
    Expr* argument = expression();
    if (!argument) return false;
    into.push_back(argument);
  } while (accept(Token::Comma));
  return expect(Token::RightParen, "')'");
}

Expr* Parser::listLiteral() {
  Expr* node = make(Node::List, lexer_.offset());
  lexer_.next();
  std::vector<Expr*> items;
  while (lexer_.token() != Token::RightBracket) {
    bool optional = accept(Token::Question);
    Expr* item = expression();
    if (!item) return nullptr;
    if (optional) {  // marked on a wrapper, as the item itself may be an optional selection
      Expr* wrapper = make(Node::List, item->offset);
      wrapper->optional = true;
      item = finish(wrapper, {&item, 1});
      if (!item) return nullptr;
    }
    items.push_back(item);
    if (!accept(Token::Comma)) break;
  }
  return expect(Token::RightBracket, "']'") ? finish(node, items) : nullptr;
}

Expr* Parser::mapLiteral() {
  Expr* node = make(Node::Map, lexer_.offset());
  lexer_.next();
  std::vector<Expr*> items;
  while (lexer_.token() != Token::RightBrace) {
    bool optional = accept(Token::Question);
    Expr* key = expression();
    if (!key || !expect(Token::Colon, "':'")) return nullptr;
    Expr* value = expression();
    if (!value) return nullptr;
    if (optional) {
      Expr* wrapper = make(Node::List, value->offset);
      wrapper->optional = true;
      value = finish(wrapper, {&value, 1});
      if (!value) return nullptr;
    }
    items.push_back(key);
    items.push_back(value);
    if (!accept(Token::Comma)) break;
  }
  return expect(Token::RightBrace, "'}'") ? finish(node, items) : nullptr;
}

namespace {

// "a.b.c" of a chain of plain selections; "" of anything else.
std::string qualifiedName(const Expr& expr) {
  if (expr.node == Node::Name) return std::string(expr.name);
  if (expr.node != Node::Select || expr.optional || expr.testOnly) return {};
  std::string prefix = qualifiedName(*expr.args[0]);
  return prefix.empty() ? prefix : concat(prefix, ".", expr.name);
}

}  // namespace

Expr* Parser::message(Expr* name) {
  std::string qualified = qualifiedName(*name);
  if (qualified.empty()) return unexpected();
  Expr* node = make(Node::Message, lexer_.offset());
  qualified.push_back('\0');  // values carry the name as a C string
  node->name = arena_.copy(qualified);
  node->name.remove_suffix(1);
  lexer_.next();
  std::vector<Expr*> values;
  std::vector<std::string_view> fields;
  while (lexer_.token() != Token::RightBrace) {
    bool optional = accept(Token::Question);
    if (lexer_.token() != Token::Identifier && lexer_.token() != Token::QuotedIdentifier) return unexpected();
    fields.push_back(lexer_.text());
    lexer_.next();
    if (!expect(Token::Colon, "':'")) return nullptr;
    Expr* value = expression();
    if (!value) return nullptr;
    if (optional) {
      Expr* wrapper = make(Node::List, value->offset);
      wrapper->optional = true;
      value = finish(wrapper, {&value, 1});
      if (!value) return nullptr;
    }
    values.push_back(value);
    if (!accept(Token::Comma)) break;
  }
  if (!expect(Token::RightBrace, "'}'")) return nullptr;
  std::string_view* kept = arena_.array<std::string_view>(fields.size());
  std::ranges::copy(fields, kept);
  node->fields = {kept, fields.size()};
  return finish(node, values);
}

Expr* Parser::call(Expr* receiver, std::string_view name, size_t offset, std::vector<Expr*> args) {
  bool isMacro = false;
  Expr* macro = expandMacro(receiver, name, offset, args, isMacro);
  if (isMacro) return macro;
  Expr* node = make(Node::Call, offset);
  node->name = name;
  node->receiver = receiver != nullptr;
  if (receiver) args.insert(args.begin(), receiver);
  return finish(node, args);
}

Expr* Parser::expandMacro(Expr* receiver, std::string_view name, size_t offset, std::vector<Expr*>& args, bool& isMacro) {
  isMacro = true;
  if (!receiver) {
    if (name != "has" || args.size() != 1) return isMacro = false, nullptr;
    if (args[0]->node != Node::Select) return fail(offset, "invalid argument to has() macro");
    args[0]->testOnly = true;
    args[0]->offset = uint32_t(offset);
    return args[0];
  }
  struct Macro {
    std::string_view name;
    MacroKind kind;
    size_t variables, minBodies, maxBodies;
  };
  constexpr Macro kMacros[] = {
      {"all", MacroKind::All, 1, 1, 1},
      {"all", MacroKind::All, 2, 1, 1},
      {"exists", MacroKind::Exists, 1, 1, 1},
      {"exists", MacroKind::Exists, 2, 1, 1},
      {"exists_one", MacroKind::ExistsOne, 1, 1, 1},
      {"exists_one", MacroKind::ExistsOne, 2, 1, 1},
      {"existsOne", MacroKind::ExistsOne, 1, 1, 1},
      {"existsOne", MacroKind::ExistsOne, 2, 1, 1},
      {"map", MacroKind::Map, 1, 1, 2},
      {"filter", MacroKind::Filter, 1, 1, 1},
      {"transformList", MacroKind::TransformList, 2, 1, 2},
      {"transformMap", MacroKind::TransformMap, 2, 1, 2},
      {"transformMapEntry", MacroKind::TransformMapEntry, 2, 1, 2},
      {"optMap", MacroKind::OptMap, 1, 1, 1},
      {"optFlatMap", MacroKind::OptFlatMap, 1, 1, 1},
      {"sortBy", MacroKind::SortBy, 1, 1, 1},
  };
  for (const Macro& macro : kMacros)
    if (macro.name == name && args.size() >= macro.variables + macro.minBodies &&
        args.size() <= macro.variables + macro.maxBodies)
      return comprehension(macro.kind, offset, receiver, args, macro.variables);
  isMacro = false;
  return nullptr;
}

Expr* Parser::comprehension(MacroKind kind, size_t offset, Expr* range, std::vector<Expr*>& args, size_t variables) {
  for (size_t i = 0; i < variables; ++i)
    if (args[i]->node != Node::Name) return fail(args[i]->offset, "argument must be a simple name");
  Expr* node = make(Node::Macro, offset);
  node->macro = kind;
  node->variable = args[0]->name;
  if (variables == 2) node->variable2 = args[1]->name;
  std::vector<Expr*> parts{range};
  parts.insert(parts.end(), args.begin() + ptrdiff_t(variables), args.end());
  return finish(node, parts);
}

// As cel-go draws it: a tab is one space, and characters beyond ASCII are pointed at with wide dots and carets.
std::string describeError(std::string_view source, const SourceError& error) {
  size_t offset = std::min(error.offset, source.size());
  size_t lineStart = offset == 0 ? 0 : source.rfind('\n', offset - 1) + 1;  // npos + 1 is 0
  size_t lineEnd = std::min(source.find('\n', offset), source.size());
  auto lines = std::count(source.begin(), source.begin() + ptrdiff_t(offset), '\n') + 1;
  size_t column = 1;  // code points, as cel-go counts
  std::string pointer;
  auto isWide = [&](size_t at) { return at < source.size() && static_cast<unsigned char>(source[at]) >= 0x80; };
  for (size_t i = lineStart; i < offset; ++i) {
    if ((static_cast<unsigned char>(source[i]) & 0xc0) == 0x80) continue;
    pointer += isWide(i) ? "\uff0e" : ".";
    ++column;
  }
  pointer += isWide(offset) ? "\uff3e" : "^";
  std::string line(source.substr(lineStart, lineEnd - lineStart));
  std::ranges::replace(line, '\t', ' ');
  return concat("ERROR: <input>:", lines, ":", column, ": ", error.message, "\n | ", line, "\n | ", pointer);
}

}  // namespace skiff::cel
