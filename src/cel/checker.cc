#include "cel/checker.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

// As cel-go: what follows a hundred mistakes helps nobody.
constexpr size_t kMaxErrors = 100;

const Type& typeOfLiteral(const Value& value) {
  switch (value.kind()) {
    case Kind::Null: return simpleType(StaticType::Null);
    case Kind::Bool: return simpleType(StaticType::Bool);
    case Kind::Int: return simpleType(StaticType::Int);
    case Kind::Uint: return simpleType(StaticType::Uint);
    case Kind::Double: return simpleType(StaticType::Double);
    case Kind::String: return simpleType(StaticType::String);
    case Kind::Bytes: return simpleType(StaticType::Bytes);
    default: return simpleType(StaticType::Dyn);
  }
}

bool isUnknown(const Type& type) { return type.kind == StaticType::Dyn || type.kind == StaticType::Error; }

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

Checker::~Checker() = default;

bool Checker::check(Expr& root) {
  visit(root);
  if (errors_.empty()) errors_ = std::move(argumentErrors_);
  std::ranges::stable_sort(errors_, {}, &SourceError::offset);
  if (errors_.size() > kMaxErrors) errors_.resize(kMaxErrors);
  return errors_.empty();
}

const Type& Checker::fail(const Expr& at, std::string message) {
  if (errors_.size() <= kMaxErrors) errors_.push_back({at.offset, std::move(message)});
  return simpleType(StaticType::Error);
}

const Type& Checker::undeclared(const Expr& at, std::string_view name) {
  return fail(at, concat("undeclared reference to '", name, "' (in container '')"));
}

const Type& Checker::noOverload(const Expr& at, std::string_view function, std::span<const Type* const> args) {
  std::vector<std::string> types;
  for (const Type* arg : args) types.push_back(typeText(*arg));
  std::string shown = at.receiver && !types.empty()
                          ? concat(types[0], ".(", join(std::span(types).subspan(1), ", "), ")")
                          : concat("(", join(types, ", "), ")");
  return fail(at, concat("found no matching overload for '", function, "' applied to '", shown, "'"));
}

const Type& Checker::overload(const Expr& at, std::string_view function, std::string_view overloads,
                              std::span<const Type* const> args) {
  const Type* result = resultOf(overloads, args, arena_);
  return result ? *result : noOverload(at, function, args);
}

bool Checker::declared(std::string_view name) const {
  return std::ranges::find(environment_.variables, name) != environment_.variables.end() ||
         std::ranges::find(scope_, name, &Local::name) != scope_.end();
}

const Type& Checker::visit(Expr& expr) {
  expr.type = &typeOfNode(expr);
  return *expr.type;
}

void Checker::visitAll(Expr& expr) {
  for (Expr* arg : expr.args) visit(*arg);
}

const Type& Checker::typeOfNode(Expr& expr) {
  switch (expr.node) {
    case Node::Literal: return typeOfLiteral(expr.literal);
    case Node::Name: return name(expr);
    case Node::Select: return select(expr);
    case Node::Index: return index(expr);
    case Node::Call: return call(expr);
    case Node::And:
    case Node::Or: return logical(expr);
    case Node::Conditional: {
      visitAll(expr);
      const Type* types[] = {expr.args[0]->type, expr.args[1]->type, expr.args[2]->type};
      return overload(expr, "_?_:_", "bool A A -> A", types);
    }
    case Node::List: return list(expr);
    case Node::Map: return map(expr);
    case Node::Message: return message(expr);
    case Node::Macro: return macro(expr);
  }
  return simpleType(StaticType::Dyn);
}

const Type& Checker::name(Expr& expr) {
  for (size_t i = scope_.size(); i-- > 0;)
    if (scope_[i].name == expr.name) {
      expr.local = true;
      expr.slot = uint32_t(i);
      return *scope_[i].type;
    }
  auto found = std::ranges::find(environment_.variables, expr.name);
  if (found != environment_.variables.end()) {
    expr.slot = uint32_t(found - environment_.variables.begin());
    if (std::ranges::find(used_, expr.name) == used_.end()) used_.emplace_back(expr.name);
    return expr.slot < environment_.types.size() ? *environment_.types[expr.slot] : simpleType(StaticType::Dyn);
  }
  if (std::ranges::find(kTypeNames, expr.name) == std::end(kTypeNames)) return undeclared(expr, expr.name);
  expr.node = Node::Literal;
  expr.literal = Value::type(expr.name);
  return simpleType(StaticType::Type);
}

const Type& Checker::select(Expr& expr) {
  if (std::string qualified = qualifiedName(expr); !qualified.empty() && !declared(cut(qualified, ".")->first)) {
    auto type = std::ranges::find(kTypeNames, qualified);
    if (type == std::end(kTypeNames)) return visit(*expr.args[0]);
    expr.node = Node::Literal;
    expr.literal = Value::type(*type);
    return simpleType(StaticType::Type);
  }
  const Type& operand = visit(*expr.args[0]);
  bool throughOptional = operand.kind == StaticType::Optional;
  const Type& found = member(expr, throughOptional ? *operand.params[0] : operand);
  if (expr.testOnly) return simpleType(StaticType::Bool);
  return (throughOptional || expr.optional) && found.kind != StaticType::Error ? optionalType(found, arena_) : found;
}

const Type& Checker::member(const Expr& expr, const Type& operand) {
  auto undefined = [&]() -> const Type& { return fail(expr, concat("undefined field '", expr.name, "'")); };
  if (operand.kind == StaticType::Map) return *operand.params[1];
  if (operand.kind == StaticType::Object) {
    auto found = std::ranges::find(operand.members, expr.name, &TypeMember::name);
    return found == operand.members.end() ? undefined() : *found->type;
  }
  if (!isUnknown(operand)) return fail(expr, concat("type '", typeText(operand), "' does not support field selection"));
  const Expr& base = *expr.args[0];
  bool ofPolicy = base.node == Node::Name && !base.local && base.name == "variables" && environment_.policyVariables;
  if (ofPolicy && std::ranges::find(*environment_.policyVariables, expr.name) == environment_.policyVariables->end()) return undefined();
  return operand;
}

const Type& Checker::index(Expr& expr) {
  visitAll(expr);
  const Type* types[] = {expr.args[0]->type, expr.args[1]->type};
  const Type& found = overload(expr, expr.optional ? "_[?_]" : "_[_]",
                               "list<A> int -> A | map<A, B> A -> B | optional_type<list<A>> int -> optional_type<A> | "
                               "optional_type<map<A, B>> A -> optional_type<B>",
                               types);
  bool wrapped = isUnknown(found) || found.kind == StaticType::Optional;
  return expr.optional && !wrapped ? optionalType(found, arena_) : found;
}

// optional.of(x), sets.contains(a, b): a name before the dot that is no variable belongs to the function's name.
const Type& Checker::namespacedCall(Expr& expr, bool& handled) {
  const Type& unknown = simpleType(StaticType::Dyn);
  if (!expr.receiver || expr.args[0]->node != Node::Name || declared(expr.args[0]->name)) return unknown;
  std::string qualified = concat(expr.args[0]->name, ".", expr.name);
  FunctionMatch match = findFunction(qualified, Style::Global, expr.args.size() - 1);
  if (!match.nameKnown) return unknown;
  handled = true;
  expr.receiver = false;
  expr.name = arena_.copy(qualified);
  expr.args = expr.args.subspan(1);
  visitAll(expr);
  return link(expr, match);
}

const Type& Checker::call(Expr& expr) {
  bool handled = false;
  const Type& result = namespacedCall(expr, handled);
  if (handled) return result;
  FunctionMatch match = findFunction(expr.name, expr.receiver ? Style::Member : Style::Global, expr.args.size());
  bool mixedAllowed = std::exchange(mixedAllowed_, mixedAllowed_ || expr.name == "format");
  visitAll(expr);
  mixedAllowed_ = mixedAllowed;
  if (!match.nameKnown) return undeclared(expr, expr.name);
  return link(expr, match);
}

const Type& Checker::link(Expr& expr, const FunctionMatch& match) {
  std::vector<const Type*> types;
  for (const Expr* arg : expr.args) types.push_back(arg->type);
  if (!match.function) return noOverload(expr, expr.name, types);
  expr.function = match.function;
  constantArguments(expr);
  return overload(expr, expr.name, match.function->overloads, types);
}

// Patterns, durations and times that are written out are read now, for all evaluations.
void Checker::constantArguments(Expr& expr) {
  bool takesPattern = expr.name == "matches" || expr.name == "find" || expr.name == "findAll";
  bool takesTime = expr.name == "duration" || expr.name == "timestamp";
  size_t at = takesPattern ? 1 : 0;
  if ((!takesPattern && !takesTime) || expr.args.size() <= at) return;
  const Expr& argument = *expr.args[at];
  if (argument.node != Node::Literal || !argument.literal.is(Kind::String)) return;
  auto invalid = [&] { argumentErrors_.push_back({argument.offset, concat("invalid ", expr.name, " argument")}); };
  if (takesTime) {
    int64_t budget = Budget().remaining;
    Context context(arena_, budget);
    if (expr.function->handler(context, {&argument.literal, 1}).isError()) invalid();
    return;
  }
  RE2::Options options;
  options.set_log_errors(false);
  auto pattern = std::make_unique<RE2>(std::string(argument.literal.asText()), options);
  if (!pattern->ok()) return invalid();
  expr.regex = pattern.get();
  patterns_.push_back(std::move(pattern));
}

const Type& Checker::logical(Expr& expr) {
  for (Expr* arg : expr.args) {
    const Type& type = visit(*arg);
    if (type.kind != StaticType::Bool && !isUnknown(type)) fail(*arg, concat("expected type 'bool' but found '", typeText(type), "'"));
  }
  return simpleType(StaticType::Bool);
}

// `?x` takes what an optional holds.
const Type& Checker::itemType(Expr& item) {
  bool optional = item.node == Node::List && item.optional;
  const Type& type = visit(optional ? *item.args[0] : item);
  item.type = optional && type.kind == StaticType::Optional ? type.params[0] : &type;
  return *item.type;
}

// The type of a list's items, or a map's keys or values (every second of `items`): Dyn where they differ. That is a mistake
// too, but told after those of types, and not within the arguments of format().
const Type& Checker::commonType(std::span<Expr* const> items, size_t step) {
  const Type any{.kind = StaticType::Param, .name = "A"};
  Bindings bindings;
  const Type* first = nullptr;
  bool fit = true, same = true;
  for (size_t i = 0; i < items.size(); i += step) {
    const Type& type = itemType(*items[i]);
    fit = fit && bindings.fits(any, type);
    bool isLiteral = items[i]->node == Node::List || items[i]->node == Node::Map;
    bool isOpen = isLiteral && (items[i]->args.empty() || (items[i]->optional && type.kind == StaticType::Dyn));
    if (isOpen) continue;
    if (!first) first = &type;
    if (mixedAllowed_ || !same || type.kind == StaticType::Error || typeText(*first) == typeText(type)) continue;
    same = false;
    argumentErrors_.push_back({items[i]->offset, concat("expected type '", typeText(*first), "' but found '", typeText(type), "'")});
  }
  return fit ? bindings.resolve(any, arena_) : simpleType(StaticType::Dyn);
}

const Type& Checker::list(Expr& expr) { return listType(commonType(expr.args, 1), arena_); }

const Type& Checker::map(Expr& expr) {
  if (expr.args.empty()) return simpleType(StaticType::Map);
  const Type& key = commonType(expr.args, 2);
  return mapType(key, commonType(expr.args.subspan(1), 2), arena_);
}

const Type& Checker::message(Expr& expr) {
  bool known = expr.name == "Object" || expr.name.starts_with("Object.") || expr.name == "JSONPatch";
  if (!environment_.objectConstruction || !known) return undeclared(expr, expr.name);
  if (expr.name == "JSONPatch")
    for (std::string_view field : expr.fields)
      if (field != "op" && field != "path" && field != "from" && field != "value")
        return fail(expr, concat("undefined field '", field, "'"));
  visitAll(expr);
  return simpleType(StaticType::Map);
}

const Type& Checker::macro(Expr& expr) {
  const Type& range = visit(*expr.args[0]);
  const Type& dyn = simpleType(StaticType::Dyn);
  bool ofList = range.kind == StaticType::List, ofMap = range.kind == StaticType::Map;
  bool ofOptional = expr.macro == MacroKind::OptMap || expr.macro == MacroKind::OptFlatMap;
  bool twoVariables = !expr.variable2.empty();
  const Type* first = &dyn;
  const Type* second = &dyn;
  if (ofOptional) {
    if (range.kind == StaticType::Optional) first = range.params[0];
    else if (!isUnknown(range)) noOverload(expr, "hasValue", std::span(&expr.args[0]->type, 1));
  } else if (ofList || ofMap) {
    first = ofList && twoVariables ? &simpleType(StaticType::Int) : range.params[0];
    second = range.params[ofMap ? 1 : 0];
  } else if (!isUnknown(range)) {
    fail(*expr.args[0], concat("expression of type '", typeText(range), "' cannot be range of a comprehension (must be list, map, or dynamic)"));
  }
  size_t before = scope_.size();
  expr.slot = uint32_t(scope_.size());
  scope_.push_back({expr.variable, first});
  if (twoVariables) {
    expr.slot2 = uint32_t(scope_.size());
    scope_.push_back({expr.variable2, second});
  }
  maxLocals_ = std::max(maxLocals_, scope_.size());
  for (Expr* body : expr.args.subspan(1)) visit(*body);
  scope_.resize(before);
  return macroType(expr, *first);
}

const Type& Checker::macroType(const Expr& expr, const Type& first) {
  const Type& last = *expr.args.back()->type;
  const Type& range = *expr.args[0]->type;
  // What a predicate guards is, in cel-go's expansion, the choice between two results.
  auto guarded = [&](const Type& predicate, const Type& result) -> const Type& {
    const Type* types[] = {&predicate, &result, &result};
    return overload(expr, "_?_:_", "bool A A -> A", types);
  };
  auto filtered = [&](const Type& result) -> const Type& {
    return expr.args.size() == 3 ? guarded(*expr.args[1]->type, result) : result;
  };
  switch (expr.macro) {
    case MacroKind::All:
    case MacroKind::Exists:
      if (last.kind != StaticType::Bool && !isUnknown(last))
        fail(*expr.args.back(), concat("expected type 'bool' but found '", typeText(last), "'"));
      return simpleType(StaticType::Bool);
    case MacroKind::ExistsOne: guarded(last, simpleType(StaticType::Int)); return simpleType(StaticType::Bool);
    case MacroKind::Filter: return guarded(last, listType(first, arena_));
    case MacroKind::Map:
    case MacroKind::TransformList: return filtered(listType(last, arena_));
    case MacroKind::TransformMap: {
      const Type& key = range.kind == StaticType::Map || range.kind == StaticType::List ? first : simpleType(StaticType::Dyn);
      return filtered(mapType(key, last, arena_));
    }
    case MacroKind::TransformMapEntry: return filtered(last);
    case MacroKind::SortBy: return range;
    case MacroKind::OptMap: return optionalType(last, arena_);
    case MacroKind::OptFlatMap: return last;
  }
  return simpleType(StaticType::Dyn);
}

}  // namespace skiff::cel
