#include "cel/evaluator.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "cel/program.h"

namespace skiff::cel {
namespace {

// The index as an integer when it is one, though written 1.0 or 1u.
std::optional<int64_t> wholeNumber(const Value& key) {
  if (key.is(Kind::Int)) return key.asInt();
  if (key.is(Kind::Uint) && key.asUint() <= uint64_t(INT64_MAX)) return key.asInt();
  if (key.is(Kind::Double) && std::trunc(key.asDouble()) == key.asDouble() && std::fabs(key.asDouble()) < 9e15)
    return int64_t(key.asDouble());
  return std::nullopt;
}

std::string keyText(const Value& key) {
  switch (key.kind()) {
    case Kind::String: return std::string(key.asText());
    case Kind::Int: return std::to_string(key.asInt());
    case Kind::Uint: return std::to_string(key.asUint());
    case Kind::Bool: return key.isTrue() ? "true" : "false";
    case Kind::Double: return formatDouble(key.asDouble());
    default: return std::string(typeName(key.kind()));
  }
}

std::optional<Value> lookUp(const Value& container, const Value& key) {
  if (container.is(Kind::Map)) return container.find(key);
  if (!container.is(Kind::List)) return std::nullopt;
  std::optional<int64_t> at = wholeNumber(key);
  if (!at || *at < 0 || size_t(*at) >= container.size()) return std::nullopt;
  return container.item(size_t(*at));
}

}  // namespace

Value indexInto(Context& context, const Value& container, const Value& key) {
  if (!container.is(Kind::Map) && !container.is(Kind::List)) return context.noOverload();
  if (container.is(Kind::List) && !wholeNumber(key))
    return context.fail(concat("unsupported index type '", typeName(key.kind()), "' in list"));
  if (std::optional<Value> found = lookUp(container, key)) return *found;
  return context.fail(concat(container.is(Kind::Map) ? "no such key: " : "index out of bounds: ", keyText(key)));
}

Value Evaluator::evaluate(const Expr& expr) {
  if (context_.exhausted()) return Value::error(kCostExceeded);
  switch (expr.node) {
    case Node::Literal: return expr.literal;
    case Node::Name: return name(expr);
    case Node::Select: return select(expr);
    case Node::Index: return index(expr);
    case Node::Call: return call(expr);
    case Node::And: return logical(expr, false);
    case Node::Or: return logical(expr, true);
    case Node::Conditional: return conditional(expr);
    case Node::List: return list(expr);
    case Node::Map: return map(expr);
    case Node::Message: return message(expr);
    case Node::Macro: return macro(expr);
  }
  return context_.noOverload();
}

Value Evaluator::name(const Expr& expr) {
  context_.charge(1);
  if (expr.local) return locals_[expr.slot];
  if (const std::optional<Value>& value = activation_[expr.slot]) return *value;
  return context_.fail(concat("no such attribute(s): ", expr.name));
}

Value Evaluator::select(const Expr& expr) {
  Value operand = evaluate(*expr.args[0]);
  context_.charge(1);
  if (operand.isError()) return operand;
  if (!operand.is(Kind::Optional)) return selectFrom(operand, expr);
  // A selection on an optional stays optional.
  if (!operand.optional()) return expr.testOnly ? Value::boolean(false) : operand;
  std::optional<Value> found = operand.optional()->is(Kind::Map) ? operand.optional()->find(expr.name) : std::nullopt;
  if (expr.testOnly) return Value::boolean(found.has_value());
  if (!found) return Value::none();
  return found->isError() ? *found : context_.some(*found);
}

Value Evaluator::selectFrom(const Value& operand, const Expr& expr) {
  std::optional<Value> found = operand.is(Kind::Map) ? operand.find(expr.name) : std::nullopt;
  if (expr.testOnly) return found && found->isError() ? *found : Value::boolean(found.has_value());
  if (expr.optional) {
    if (found && found->isError()) return *found;
    return found ? context_.some(*found) : Value::none();
  }
  if (found) return *found;
  if (operand.is(Kind::Authorizer) && expr.name == "requestResource") return requestResource(context_, operand);
  if (operand.is(Kind::List)) return Value::error("unsupported index type 'string' in list");
  return context_.fail(concat("no such key: ", expr.name));
}

Value Evaluator::index(const Expr& expr) {
  Value container = evaluate(*expr.args[0]);
  if (container.isError()) return container;
  Value key = evaluate(*expr.args[1]);
  context_.charge(1);
  if (key.isError()) return key;
  bool optional = expr.optional;
  if (container.is(Kind::Optional)) {
    if (!container.optional()) return container;
    container = *container.optional();
    optional = true;
  }
  if (!optional) return indexInto(context_, container, key);
  std::optional<Value> found = lookUp(container, key);
  return found ? context_.some(*found) : Value::none();
}

Value Evaluator::call(const Expr& expr) {
  // Few functions take more than three arguments; none more than eight.
  Value args[8];
  for (size_t i = 0; i < expr.args.size(); ++i) {
    args[i] = evaluate(*expr.args[i]);
    if (args[i].isError()) return args[i];
  }
  if (!context_.charge(1)) return Value::error(kCostExceeded);
  context_.call = &expr;
  return expr.function->handler(context_, {args, expr.args.size()});
}

// The decisive value wins over errors on either side; without it an error is the answer.
Value Evaluator::logical(const Expr& expr, bool decisive) {
  std::optional<Value> problem;
  for (const Expr* arg : expr.args) {
    Value value = evaluate(*arg);
    if (context_.exhausted()) return Value::error(kCostExceeded);
    if (decisive ? value.isTrue() : value.isFalse()) return value;
    if (!value.is(Kind::Bool) && !problem) problem = value.isError() ? value : context_.noOverload();
  }
  return problem ? *problem : Value::boolean(!decisive);
}

Value Evaluator::conditional(const Expr& expr) {
  Value condition = evaluate(*expr.args[0]);
  if (condition.isError()) return condition;
  if (!condition.is(Kind::Bool)) return context_.noOverload();
  return evaluate(*expr.args[condition.isTrue() ? 1 : 2]);
}

// An item marked with `?` is left out when it is none. False: `out` is an error.
bool Evaluator::optionalItem(const Expr& expr, Value& out, bool& present) {
  bool marked = expr.node == Node::List && expr.optional;
  out = evaluate(marked ? *expr.args[0] : expr);
  present = true;
  if (out.isError()) return false;
  if (!marked) return true;
  if (!out.is(Kind::Optional)) {
    out = context_.fail(concat("cannot initialize optional list element from non-optional value ", typeName(out.kind())));
    return false;
  }
  present = out.optional() != nullptr;
  if (present) out = *out.optional();
  return true;
}

Value Evaluator::list(const Expr& expr) {
  context_.charge(10);
  std::vector<Value> items;
  items.reserve(expr.args.size());
  for (const Expr* arg : expr.args) {
    Value item;
    bool present;
    if (!optionalItem(*arg, item, present)) return item;
    if (present) items.push_back(item);
  }
  return context_.list(items);
}

Value Evaluator::map(const Expr& expr) {
  context_.charge(30);
  std::vector<Entry> entries;
  for (size_t i = 0; i + 1 < expr.args.size(); i += 2) {
    Entry entry;
    bool present;
    entry.key = evaluate(*expr.args[i]);
    if (entry.key.isError()) return entry.key;
    if (!optionalItem(*expr.args[i + 1], entry.value, present)) return entry.value;
    if (!present) continue;
    bool duplicate = std::ranges::any_of(entries, [&](const Entry& other) { return equal(other.key, entry.key); });
    if (duplicate) return context_.fail(concat("Failed with repeated key ", keyText(entry.key)));
    entries.push_back(entry);
  }
  return context_.map(entries);
}

Value Evaluator::message(const Expr& expr) {
  context_.charge(40);
  std::vector<Entry> entries;
  for (size_t i = 0; i < expr.args.size(); ++i) {
    Entry entry{Value::string(expr.fields[i]), {}};
    bool present;
    if (!optionalItem(*expr.args[i], entry.value, present)) return entry.value;
    if (present) entries.push_back(entry);
  }
  return context_.map(entries).named(expr.name.data());
}

void Evaluator::bind(const Expr& expr, const Value& range, size_t at) {
  bool isList = range.is(Kind::List);
  if (expr.variable2.empty()) {
    locals_[expr.slot] = isList ? range.item(at) : range.keyAt(at);
    return;
  }
  locals_[expr.slot] = isList ? Value::integer(int64_t(at)) : range.keyAt(at);
  locals_[expr.slot2] = isList ? range.item(at) : range.valueAt(at);
}

Value Evaluator::macro(const Expr& expr) {
  Value range = evaluate(*expr.args[0]);
  if (range.isError()) return range;
  if (expr.macro == MacroKind::OptMap || expr.macro == MacroKind::OptFlatMap) return bindOptional(expr, range);
  if (!range.is(Kind::List) && !range.is(Kind::Map)) return context_.noOverload();
  switch (expr.macro) {
    case MacroKind::All: return quantifier(expr, range, false);
    case MacroKind::Exists: return quantifier(expr, range, true);
    case MacroKind::ExistsOne: return existsOne(expr, range);
    case MacroKind::TransformMap:
    case MacroKind::TransformMapEntry: return collectMap(expr, range);
    case MacroKind::SortBy: return sortBy(expr, range);
    default: return collect(expr, range);
  }
}

Value Evaluator::quantifier(const Expr& expr, const Value& range, bool decisive) {
  std::optional<Value> problem;
  for (size_t i = 0; i < range.size(); ++i) {
    if (!context_.charge(2)) return Value::error(kCostExceeded);
    bind(expr, range, i);
    Value value = evaluate(*expr.args[1]);
    if (context_.exhausted()) return Value::error(kCostExceeded);
    if (decisive ? value.isTrue() : value.isFalse()) return value;
    if (!value.is(Kind::Bool) && !problem) problem = value.isError() ? value : context_.noOverload();
  }
  return problem ? *problem : Value::boolean(!decisive);
}

Value Evaluator::existsOne(const Expr& expr, const Value& range) {
  int found = 0;
  for (size_t i = 0; i < range.size(); ++i) {
    if (!context_.charge(2)) return Value::error(kCostExceeded);
    bind(expr, range, i);
    Value value = evaluate(*expr.args[1]);
    if (!value.is(Kind::Bool)) return value.isError() ? value : context_.noOverload();
    found += value.isTrue();
  }
  return Value::boolean(found == 1);
}

Value Evaluator::passes(const Expr& expr) {
  if (!context_.charge(2)) return Value::error(kCostExceeded);
  bool filtered = expr.macro == MacroKind::Filter || expr.args.size() == 3;
  if (!filtered) return Value::boolean(true);
  Value value = evaluate(*expr.args[1]);
  return value.is(Kind::Bool) || value.isError() ? value : context_.noOverload();
}

Value Evaluator::collect(const Expr& expr, const Value& range) {
  std::vector<Value> items;
  for (size_t i = 0; i < range.size(); ++i) {
    bind(expr, range, i);
    Value wanted = passes(expr);
    if (wanted.isError()) return wanted;
    if (wanted.isFalse()) continue;
    Value item = expr.macro == MacroKind::Filter ? locals_[expr.slot] : evaluate(*expr.args.back());
    if (item.isError()) return item;
    items.push_back(item);
  }
  return context_.list(items);
}

Value Evaluator::collectMap(const Expr& expr, const Value& range) {
  std::vector<Entry> entries;
  for (size_t i = 0; i < range.size(); ++i) {
    bind(expr, range, i);
    Value wanted = passes(expr);
    if (wanted.isError()) return wanted;
    if (wanted.isFalse()) continue;
    Value made = evaluate(*expr.args.back());
    if (made.isError()) return made;
    if (expr.macro == MacroKind::TransformMap) {
      entries.push_back({locals_[expr.slot], made});
      continue;
    }
    if (!made.is(Kind::Map)) return context_.noOverload();
    for (size_t k = 0; k < made.size(); ++k) {
      Entry entry{made.keyAt(k), made.valueAt(k)};
      if (std::ranges::any_of(entries, [&](const Entry& other) { return equal(other.key, entry.key); }))
        return context_.fail(concat("insert failed: key ", keyText(entry.key), " already exists"));
      if (!context_.charge(int64_t(entries.size()) / 8)) return Value::error(kCostExceeded);
      entries.push_back(entry);
    }
  }
  return context_.map(entries);
}

Value Evaluator::sortBy(const Expr& expr, const Value& range) {
  if (!range.is(Kind::List)) return context_.noOverload();
  std::vector<std::pair<Value, Value>> keyed;
  for (size_t i = 0; i < range.size(); ++i) {
    if (!context_.charge(2)) return Value::error(kCostExceeded);
    bind(expr, range, i);
    Value key = evaluate(*expr.args[1]);
    if (key.isError()) return key;
    if (!keyed.empty() && !compare(keyed[0].first, key)) return context_.noOverload();
    keyed.emplace_back(key, range.item(i));
  }
  std::ranges::stable_sort(keyed, [](const auto& a, const auto& b) { return compare(a.first, b.first).value_or(0) < 0; });
  std::vector<Value> items;
  for (auto& [key, item] : keyed) items.push_back(item);
  return context_.list(items);
}

Value Evaluator::bindOptional(const Expr& expr, const Value& range) {
  if (!range.is(Kind::Optional)) return context_.noOverload();
  if (!range.optional()) return range;
  locals_[expr.slot] = *range.optional();
  Value made = evaluate(*expr.args[1]);
  if (made.isError()) return made;
  if (expr.macro == MacroKind::OptMap) return context_.some(made);
  return made.is(Kind::Optional) ? made : context_.noOverload();
}

}  // namespace skiff::cel
