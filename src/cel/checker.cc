#include "cel/checker.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

StaticType typeOfLiteral(const Value& value) {
  switch (value.kind()) {
    case Kind::Null: return StaticType::Null;
    case Kind::Bool: return StaticType::Bool;
    case Kind::Int: return StaticType::Int;
    case Kind::Uint: return StaticType::Uint;
    case Kind::Double: return StaticType::Double;
    case Kind::String: return StaticType::String;
    case Kind::Bytes: return StaticType::Bytes;
    default: return StaticType::Dyn;
  }
}

bool isNumber(StaticType type) {
  return type == StaticType::Int || type == StaticType::Uint || type == StaticType::Double;
}
bool isScalar(StaticType type) {
  return isNumber(type) || type == StaticType::Bool || type == StaticType::String || type == StaticType::Bytes;
}

std::string qualifiedName(const Expr& expr) {
  if (expr.node == Node::Name) return std::string(expr.name);
  if (expr.node != Node::Select || expr.optional || expr.testOnly) return {};
  std::string prefix = qualifiedName(*expr.args[0]);
  return prefix.empty() ? prefix : concat(prefix, ".", expr.name);
}

constexpr std::string_view kTypeNames[] = {"bool",      "bytes",  "double", "int",
                                           "list",      "map",    "null_type", "string",
                                           "type",      "uint",   "optional_type", "google.protobuf.Timestamp",
                                           "google.protobuf.Duration", "net.IP", "net.CIDR"};

}  // namespace

std::string_view staticTypeName(StaticType type) {
  switch (type) {
    case StaticType::Dyn: return "dyn";
    case StaticType::Null: return "null";
    case StaticType::Bool: return "bool";
    case StaticType::Int: return "int";
    case StaticType::Uint: return "uint";
    case StaticType::Double: return "double";
    case StaticType::String: return "string";
    case StaticType::Bytes: return "bytes";
    case StaticType::List: return "list(dyn)";
    case StaticType::Map: return "map(dyn, dyn)";
    case StaticType::Timestamp: return "google.protobuf.Timestamp";
    case StaticType::Duration: return "google.protobuf.Duration";
    case StaticType::Type: return "type(dyn)";
    case StaticType::Optional: return "optional_type(dyn)";
  }
  return "dyn";
}

Checker::~Checker() = default;

bool Checker::fail(const Expr& at, std::string message) {
  if (!error_) error_ = SourceError{at.offset, std::move(message)};
  return false;
}

bool Checker::undeclared(const Expr& at, std::string_view name) {
  return fail(at, concat("undeclared reference to '", name, "' (in container '')"));
}

bool Checker::noOverload(const Expr& at, std::string_view function, std::span<Expr* const> args) {
  std::vector<std::string_view> types;
  for (const Expr* arg : args) types.push_back(staticTypeName(arg->type));
  std::string shown = at.receiver && !types.empty()
                          ? concat(types[0], ".(", join(std::span(types).subspan(1), ", "), ")")
                          : concat("(", join(types, ", "), ")");
  return fail(at, concat("found no matching overload for '", function, "' applied to '", shown, "'"));
}

bool Checker::declared(std::string_view name) const {
  return std::ranges::find(environment_.variables, name) != environment_.variables.end() ||
         std::ranges::find(scope_, name, &Local::name) != scope_.end();
}

bool Checker::visitAll(Expr& expr) {
  for (Expr* arg : expr.args)
    if (!visit(*arg)) return false;
  return true;
}

bool Checker::visit(Expr& expr) {
  switch (expr.node) {
    case Node::Literal: expr.type = typeOfLiteral(expr.literal); return true;
    case Node::Name: return name(expr);
    case Node::Select: return select(expr);
    case Node::Index: return visitAll(expr);
    case Node::Call: return call(expr);
    case Node::And:
    case Node::Or: return logical(expr);
    case Node::Conditional: return conditional(expr);
    case Node::List: expr.type = StaticType::List; return visitAll(expr);
    case Node::Map: expr.type = StaticType::Map; return visitAll(expr);
    case Node::Message: return message(expr);
    case Node::Macro: return macro(expr);
  }
  return true;
}

bool Checker::name(Expr& expr) {
  for (size_t i = scope_.size(); i-- > 0;)
    if (scope_[i].name == expr.name) {
      expr.local = true;
      expr.slot = uint32_t(i);
      return true;
    }
  auto found = std::ranges::find(environment_.variables, expr.name);
  if (found != environment_.variables.end()) {
    expr.slot = uint32_t(found - environment_.variables.begin());
    if (std::ranges::find(used_, expr.name) == used_.end()) used_.emplace_back(expr.name);
    return true;
  }
  if (std::ranges::find(kTypeNames, expr.name) == std::end(kTypeNames)) return undeclared(expr, expr.name);
  expr.node = Node::Literal;
  expr.literal = Value::type(expr.name);
  expr.type = StaticType::Type;
  return true;
}

bool Checker::select(Expr& expr) {
  const Expr& operand = *expr.args[0];
  if (std::string qualified = qualifiedName(expr); !qualified.empty() && !declared(cut(qualified, ".")->first)) {
    auto type = std::ranges::find(kTypeNames, qualified);
    if (type == std::end(kTypeNames)) return visit(*expr.args[0]);
    expr.node = Node::Literal;
    expr.literal = Value::type(*type);
    expr.type = StaticType::Type;
    return true;
  }
  if (!visit(*expr.args[0])) return false;
  if (expr.testOnly) expr.type = StaticType::Bool;
  if (expr.optional) expr.type = StaticType::Optional;
  if (isScalar(operand.type))
    return fail(expr, concat("type '", staticTypeName(operand.type), "' does not support field selection"));
  if (operand.node != Node::Name || operand.local) return true;
  bool ofSelf = operand.name == "self" || operand.name == "oldSelf";
  const auto& fields = operand.name == "variables" ? environment_.policyVariables : environment_.selfFields;
  if ((ofSelf || operand.name == "variables") && fields && std::ranges::find(*fields, expr.name) == fields->end())
    return fail(expr, concat("undefined field '", expr.name, "'"));
  return true;
}

// optional.of(x), sets.contains(a, b): a name before the dot that is no variable belongs to the function's name.
bool Checker::namespacedCall(Expr& expr, bool& handled) {
  if (!expr.receiver || expr.args[0]->node != Node::Name || declared(expr.args[0]->name)) return true;
  std::string qualified = concat(expr.args[0]->name, ".", expr.name);
  FunctionMatch match = findFunction(qualified, Style::Global, expr.args.size() - 1);
  if (!match.nameKnown) return true;
  handled = true;
  expr.receiver = false;
  expr.name = arena_.copy(qualified);
  expr.args = expr.args.subspan(1);
  if (!visitAll(expr)) return false;
  if (!match.function) return noOverload(expr, expr.name, expr.args);
  expr.function = match.function;
  expr.type = match.function->result;
  return true;
}

bool Checker::call(Expr& expr) {
  bool handled = false;
  if (!namespacedCall(expr, handled)) return false;
  if (handled) return true;
  FunctionMatch match = findFunction(expr.name, expr.receiver ? Style::Member : Style::Global, expr.args.size());
  if (!match.nameKnown) return undeclared(expr, expr.name);
  if (!visitAll(expr)) return false;
  if (!match.function) return noOverload(expr, expr.name, expr.args);
  expr.function = match.function;
  expr.type = match.function->result;
  return overload(expr) && constantPattern(expr);
}

// Operators on operands whose types are plain: 1 + 'a' is refused before it is ever evaluated.
bool Checker::overload(const Expr& expr) {
  std::string_view f = expr.name;
  if (expr.args.size() == 1) {
    StaticType type = expr.args[0]->type;
    bool bad = (f == "!_" && type != StaticType::Dyn && type != StaticType::Bool) ||
               (f == "-_" && (type == StaticType::Bool || type == StaticType::String || type == StaticType::List));
    return !bad || noOverload(expr, f, expr.args);
  }
  if (expr.args.size() != 2 || expr.receiver) return true;
  StaticType a = expr.args[0]->type, b = expr.args[1]->type;
  bool arithmetic = f == "_+_" || f == "_-_" || f == "_*_" || f == "_/_" || f == "_%_";
  bool ordering = f == "_<_" || f == "_<=_" || f == "_>_" || f == "_>=_";
  bool equality = f == "_==_" || f == "_!=_";
  if (arithmetic && isScalar(a) && isScalar(b)) {
    bool fits = a == b && a != StaticType::Bool && (isNumber(a) || f == "_+_") && (f != "_%_" || a != StaticType::Double);
    if (!fits) return noOverload(expr, f, expr.args);
    const_cast<Expr&>(expr).type = a;
  }
  if (ordering && isScalar(a) && isScalar(b) && a != b && !(isNumber(a) && isNumber(b)))
    return noOverload(expr, f, expr.args);
  if (equality && isScalar(a) && isScalar(b) && a != b) return noOverload(expr, f, expr.args);
  if (f == "@in" && isScalar(b)) return noOverload(expr, f, expr.args);
  return true;
}

bool Checker::constantPattern(Expr& expr) {
  bool takesPattern = expr.name == "matches" || expr.name == "find" || expr.name == "findAll";
  if (!takesPattern || expr.args.size() < 2 || !expr.args[1]->literal.is(Kind::String)) return true;
  if (expr.args[1]->node != Node::Literal) return true;
  RE2::Options options;
  options.set_log_errors(false);
  auto pattern = std::make_unique<RE2>(std::string(expr.args[1]->literal.asText()), options);
  if (!pattern->ok())
    return fail(expr, concat("invalid ", expr.name, " argument: error parsing regexp: ", pattern->error()));
  expr.regex = pattern.get();
  patterns_.push_back(std::move(pattern));
  return true;
}

bool Checker::logical(Expr& expr) {
  if (!visitAll(expr)) return false;
  expr.type = StaticType::Bool;
  for (const Expr* arg : expr.args)
    if (arg->type != StaticType::Dyn && arg->type != StaticType::Bool)
      return noOverload(expr, expr.node == Node::And ? "_&&_" : "_||_", expr.args);
  return true;
}

bool Checker::conditional(Expr& expr) {
  if (!visitAll(expr)) return false;
  StaticType condition = expr.args[0]->type, yes = expr.args[1]->type, no = expr.args[2]->type;
  if (condition != StaticType::Dyn && condition != StaticType::Bool) return noOverload(expr, "_?_:_", expr.args);
  if (isScalar(yes) && isScalar(no) && yes != no) return noOverload(expr, "_?_:_", expr.args);
  expr.type = yes == no ? yes : StaticType::Dyn;
  return true;
}

bool Checker::message(Expr& expr) {
  bool known = expr.name == "Object" || expr.name.starts_with("Object.") || expr.name == "JSONPatch";
  if (!environment_.objectConstruction || !known) return undeclared(expr, expr.name);
  expr.type = StaticType::Map;
  if (expr.name == "JSONPatch")
    for (std::string_view field : expr.fields)
      if (field != "op" && field != "path" && field != "from" && field != "value")
        return fail(expr, concat("undefined field '", field, "'"));
  return visitAll(expr);
}

bool Checker::macro(Expr& expr) {
  if (!visit(*expr.args[0])) return false;
  if (isScalar(expr.args[0]->type) && expr.macro != MacroKind::Bind)
    return fail(*expr.args[0], concat("expression of type '", staticTypeName(expr.args[0]->type),
                                      "' cannot be range of a comprehension (must be list, map, or dynamic)"));
  size_t before = scope_.size();
  expr.slot = uint32_t(scope_.size());
  scope_.push_back({expr.variable});
  if (!expr.variable2.empty()) {
    expr.slot2 = uint32_t(scope_.size());
    scope_.push_back({expr.variable2});
  }
  maxLocals_ = std::max(maxLocals_, scope_.size());
  for (Expr* body : expr.args.subspan(1))
    if (!visit(*body)) return false;
  scope_.resize(before);
  const Expr& last = *expr.args.back();
  bool predicate = expr.macro == MacroKind::All || expr.macro == MacroKind::Exists || expr.macro == MacroKind::ExistsOne;
  if ((predicate || expr.macro == MacroKind::Filter) && last.type != StaticType::Dyn && last.type != StaticType::Bool)
    return fail(last, concat("expected type 'bool' but found '", staticTypeName(last.type), "'"));
  switch (expr.macro) {
    case MacroKind::All:
    case MacroKind::Exists:
    case MacroKind::ExistsOne: expr.type = StaticType::Bool; break;
    case MacroKind::Map:
    case MacroKind::Filter:
    case MacroKind::TransformList:
    case MacroKind::SortBy: expr.type = StaticType::List; break;
    case MacroKind::TransformMap:
    case MacroKind::TransformMapEntry: expr.type = StaticType::Map; break;
    case MacroKind::Bind: expr.type = last.type; break;
    case MacroKind::OptMap:
    case MacroKind::OptFlatMap: expr.type = StaticType::Optional; break;
  }
  return true;
}

}  // namespace skiff::cel
