#include "cel/cost_estimate.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"

namespace skiff::cel {

uint64_t addSaturating(uint64_t a, uint64_t b) { return a > kUnboundedCost - b ? kUnboundedCost : a + b; }
uint64_t multiplySaturating(uint64_t a, uint64_t b) { return b != 0 && a > kUnboundedCost / b ? kUnboundedCost : a * b; }

namespace {

// Upstream's factors: of a byte that is read, of one that is read twice, of a byte of a pattern.
constexpr double kTraversal = 0.1, kTwice = 0.2, kPattern = 0.25;
constexpr uint64_t kListCost = 10, kMapCost = 30, kMessageCost = 40, kAuthorizationCost = 350'000;
// A named format is a pattern of at most this many characters.
constexpr uint64_t kFormatPattern = 128;
constexpr uint64_t kFormatEqualityCost = 7, kContainsIpCost = 4, kContainsCidrCost = 7;

uint64_t scaled(uint64_t size, double factor) {
  double cost = std::ceil(double(size) * factor);
  return size == kUnboundedCost || cost >= 18446744073709551615.0 ? kUnboundedCost : uint64_t(cost);
}

template <class... Costs>
uint64_t sum(uint64_t first, Costs... more) {
  ((first = addSaturating(first, more)), ...);
  return first;
}

SizeRange operator+(SizeRange a, SizeRange b) { return {addSaturating(a.min, b.min), addSaturating(a.max, b.max)}; }
SizeRange unionOf(SizeRange a, SizeRange b) { return {std::min(a.min, b.min), std::max(a.max, b.max)}; }
SizeRange exactly(uint64_t size) { return {size, size}; }

bool isScalar(const Type& type) {
  switch (type.kind) {
    case StaticType::Null:
    case StaticType::Bool:
    case StaticType::Int:
    case StaticType::Uint:
    case StaticType::Double:
    case StaticType::Timestamp:
    case StaticType::Duration: return true;
    case StaticType::Optional: return type.params[0] && isScalar(*type.params[0]);
    default: return false;
  }
}

bool isText(const Type& type) { return type.kind == StaticType::String || type.kind == StaticType::Bytes; }
// What is not known may be any of a function's types: the dearest counts.
bool mayBeText(const Type& type) { return isText(type) || type.kind == StaticType::Dyn; }
bool mayBeBytes(const Type& type) { return type.kind == StaticType::Bytes || type.kind == StaticType::Dyn; }
bool isOpaque(const Type& type, std::string_view name) { return type.kind == StaticType::Opaque && type.name == name; }

size_t codePoints(std::string_view text) {
  return size_t(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// What is known of a node's value.
struct Estimate {
  uint64_t cost = 0;
  std::optional<SizeRange> size = {};   // computed from the expression; goes before what the schema says of the path
  std::optional<SizeRange> entry = {};  // of an item or value of a list or map that the expression makes
  ValuePath path = {};                  // empty: the value is no part of a variable
};

class CostEstimator {
 public:
  explicit CostEstimator(const SizeHints& hints) : hints_(hints) {}
  Estimate visit(const Expr& expr);

 private:
  struct Variable {
    std::string_view name;
    Estimate value;
  };
  struct Args {
    std::vector<Estimate> values;
    uint64_t cost = 0;
  };

  Estimate name(const Expr& expr);
  Estimate literal(const Expr& expr);
  Estimate select(const Expr& expr);
  Estimate index(const Expr& expr);
  Estimate logical(const Expr& expr);
  Estimate conditional(const Expr& expr);
  Estimate container(const Expr& expr, uint64_t base);
  Args visitArgs(const Expr& expr);

  Estimate macro(const Expr& expr);
  Estimate quantifier(const Expr& expr, const Estimate& range);
  Estimate collected(const Expr& expr, const Estimate& range);
  Estimate bound(const Expr& expr, const Estimate& range);
  Estimate sorted(const Expr& expr, const Estimate& range);
  Estimate body(const Expr& expr, size_t at, const Estimate& range);
  void declareVariables(const Expr& expr, const Estimate& range);

  Estimate call(const Expr& expr);
  // Each answers for the functions it knows, without the cost of their arguments.
  std::optional<Estimate> operatorCall(const Expr& expr, const Args& args);
  std::optional<Estimate> textCall(const Expr& expr, const Args& args);
  std::optional<Estimate> textMakingCall(const Expr& expr, const Args& args);
  std::optional<Estimate> listCall(const Expr& expr, const Args& args);
  std::optional<Estimate> kubernetesCall(const Expr& expr, const Args& args);
  uint64_t equality(const Expr& expr, const Args& args);
  uint64_t readingItems(const Expr& expr, const Args& args);
  SizeRange itemSize(const Expr& expr, const Args& args);
  Estimate joined(const Expr& expr, const Args& args);
  Estimate replaced(const Expr& expr, const Args& args);
  Estimate split(const Expr& expr, const Args& args);
  Estimate slice(const Expr& expr, const Args& args);

  SizeRange sizeOf(const Expr& expr, const Estimate& value) const {
    return value.size ? *value.size : sizeAt(value.path, *expr.type);
  }
  SizeRange sizeAt(const ValuePath& path, const Type& type) const {
    if (!path.empty())
      if (std::optional<uint64_t> max = hints_.maxSizeAt(path)) return {0, *max};
    return isScalar(type) ? exactly(1) : SizeRange{};
  }
  SizeRange argSize(const Expr& expr, const Args& args, size_t at) const { return sizeOf(*expr.args[at], args.values[at]); }
  uint64_t reading(const Expr& expr, const Args& args, size_t at) const { return scaled(argSize(expr, args, at).max, kTraversal); }

  const SizeHints& hints_;
  std::vector<Variable> scope_;
};

ValuePath below(const ValuePath& path, std::string_view step) {
  ValuePath longer = path;
  longer.push_back(step);
  return longer;
}

Estimate CostEstimator::visit(const Expr& expr) {
  switch (expr.node) {
    case Node::Literal: return literal(expr);
    case Node::Name: return name(expr);
    case Node::Select: return select(expr);
    case Node::Index: return index(expr);
    case Node::Call: return call(expr);
    case Node::And:
    case Node::Or: return logical(expr);
    case Node::Conditional: return conditional(expr);
    case Node::List: return container(expr, kListCost);
    case Node::Map: return container(expr, kMapCost);
    case Node::Message: return container(expr, kMessageCost);
    case Node::Macro: return macro(expr);
  }
  return {};
}

// Literals are free; a type is a name like others.
Estimate CostEstimator::literal(const Expr& expr) {
  const Value& value = expr.literal;
  if (value.is(Kind::Type)) return {.cost = 1, .path = {value.asText()}};
  if (value.is(Kind::String)) return {.size = exactly(codePoints(value.asText()))};
  if (value.is(Kind::Bytes)) return {.size = exactly(value.asText().size())};
  return {.size = exactly(1)};
}

Estimate CostEstimator::name(const Expr& expr) {
  Estimate result{.path = {expr.name}};
  for (size_t i = scope_.size(); expr.local && i-- > 0;)
    if (scope_[i].name == expr.name) {
      result = scope_[i].value;
      break;
    }
  result.cost = 1;
  return result;
}

// Of an optional or of what nobody knows a selection costs nothing; has() pays for the way to its last step alone.
Estimate CostEstimator::select(const Expr& expr) {
  Estimate operand = visit(*expr.args[0]);
  if (expr.testOnly) return {.cost = operand.cost};
  if (expr.optional) return {.cost = sum(operand.cost, 1)};
  StaticType kind = expr.args[0]->type->kind;
  uint64_t cost = kind == StaticType::Map || kind == StaticType::Object ? 1 : 0;
  return {.cost = sum(operand.cost, cost), .path = below(operand.path, expr.name)};
}

Estimate CostEstimator::index(const Expr& expr) {
  Estimate container = visit(*expr.args[0]);
  Estimate result{.cost = sum(container.cost, visit(*expr.args[1]).cost, 1)};
  if (expr.optional) return result;
  result.size = container.entry;
  StaticType kind = expr.args[0]->type->kind;
  if (kind == StaticType::List) result.path = below(container.path, kItemsStep);
  if (kind == StaticType::Map) result.path = below(container.path, kValuesStep);
  return result;
}

Estimate CostEstimator::logical(const Expr& expr) { return {.cost = visitArgs(expr).cost, .size = exactly(1)}; }

Estimate CostEstimator::conditional(const Expr& expr) {
  Estimate condition = visit(*expr.args[0]), yes = visit(*expr.args[1]), no = visit(*expr.args[2]);
  Estimate result{.cost = sum(condition.cost, std::max(yes.cost, no.cost))};
  result.size = unionOf(sizeOf(*expr.args[1], yes), sizeOf(*expr.args[2], no));
  if (yes.entry && no.entry) result.entry = unionOf(*yes.entry, *no.entry);
  return result;
}

Estimate CostEstimator::container(const Expr& expr, uint64_t base) {
  Estimate result{.cost = base, .size = exactly(expr.node == Node::Map ? expr.args.size() / 2 : expr.args.size())};
  for (size_t i = 0; i < expr.args.size(); ++i) {
    bool marked = expr.args[i]->node == Node::List && expr.args[i]->optional;  // ?x
    const Expr& arg = marked ? *expr.args[i]->args[0] : *expr.args[i];
    Estimate value = visit(arg);
    result.cost = sum(result.cost, value.cost);
    if (expr.node == Node::Map && i % 2 == 0) continue;
    SizeRange size = marked ? SizeRange{} : sizeOf(arg, value);
    result.entry = result.entry ? unionOf(*result.entry, size) : size;
  }
  return result;
}

CostEstimator::Args CostEstimator::visitArgs(const Expr& expr) {
  Args args;
  for (const Expr* arg : expr.args) {
    args.values.push_back(visit(*arg));
    args.cost = sum(args.cost, args.values.back().cost);
  }
  return args;
}

// --- macros: priced as the loops that cel-go makes of them ---

Estimate CostEstimator::macro(const Expr& expr) {
  Estimate range = visit(*expr.args[0]);
  switch (expr.macro) {
    case MacroKind::OptMap:
    case MacroKind::OptFlatMap: return bound(expr, range);
    case MacroKind::SortBy: return sorted(expr, range);
    case MacroKind::All:
    case MacroKind::Exists:
    case MacroKind::ExistsOne: return quantifier(expr, range);
    default: return collected(expr, range);
  }
}

// An item is known by its path. A list's index, the first of two variables, has none; nor has what comes from an unknown range,
// which is then as large as the variable of its name: nothing the schema knows.
void CostEstimator::declareVariables(const Expr& expr, const Estimate& range) {
  StaticType kind = expr.args[0]->type->kind;
  bool isList = kind == StaticType::List, isMap = kind == StaticType::Map;
  ValuePath items = below(range.path, isList ? kItemsStep : kValuesStep);
  if (expr.variable2.empty()) {
    ValuePath path = isList ? items : isMap ? below(range.path, kKeysStep) : ValuePath{expr.variable};
    scope_.push_back({expr.variable, {.path = std::move(path)}});
    return;
  }
  Estimate first;
  if (isMap) first.path = below(range.path, kKeysStep);
  scope_.push_back({expr.variable, std::move(first)});
  scope_.push_back({expr.variable2, {.path = isList || isMap ? std::move(items) : ValuePath{expr.variable2}}});
}

Estimate CostEstimator::body(const Expr& expr, size_t at, const Estimate& range) {
  size_t outer = scope_.size();
  declareVariables(expr, range);
  Estimate result = visit(*expr.args[at]);
  if (!result.size) result.size = sizeOf(*expr.args[at], result);
  scope_.resize(outer);
  return result;
}

// A step looks at the result so far (through `!` for exists) and adds to it; the end reads it.
Estimate CostEstimator::quantifier(const Expr& expr, const Estimate& range) {
  uint64_t step = expr.macro == MacroKind::All ? 3 : expr.macro == MacroKind::Exists ? 4 : 2;
  uint64_t end = expr.macro == MacroKind::ExistsOne ? 2 : 1;
  uint64_t steps = multiplySaturating(sizeOf(*expr.args[0], range).max, sum(body(expr, 1, range).cost, step));
  return {.cost = sum(range.cost, end, steps), .size = exactly(1)};
}

Estimate CostEstimator::collected(const Expr& expr, const Estimate& range) {
  bool makesMap = expr.macro == MacroKind::TransformMap || expr.macro == MacroKind::TransformMapEntry;
  // Reading the result so far, making a list of the item and adding it; inserting into a map, under the key or with the entry.
  uint64_t step = expr.macro == MacroKind::TransformMap ? 3 : makesMap ? 2 : kListCost + 2;
  Estimate made = body(expr, expr.args.size() - 1, range);
  if (expr.macro == MacroKind::Filter) {
    step = kListCost + 3;
    bool ofMap = expr.args[0]->type->kind == StaticType::Map;
    made.size = sizeAt(below(range.path, ofMap ? kKeysStep : kItemsStep), simpleType(StaticType::Dyn));
  } else if (expr.args.size() == 3) {
    step = sum(step, body(expr, 1, range).cost);
  }
  SizeRange size = sizeOf(*expr.args[0], range);
  Estimate result{.cost = sum(range.cost, makesMap ? kMapCost : kListCost, 1, multiplySaturating(size.max, sum(made.cost, step)))};
  result.size = size;
  result.entry = made.size;
  return result;
}

// An optional is asked, and read again when it has a value, which a loop over an empty list binds to the variable.
Estimate CostEstimator::bound(const Expr& expr, const Estimate& range) {
  Estimate value;
  if (const Type* held = expr.args[0]->type->params[0]; held && isScalar(*held)) value.size = exactly(1);
  scope_.push_back({expr.variable, value});
  uint64_t made = visit(*expr.args[1]).cost;
  scope_.pop_back();
  return {.cost = sum(made, kListCost, range.cost, range.cost, expr.macro == MacroKind::OptMap ? 3 : 2)};
}

uint64_t sortingCost(SizeRange size, const Type& key) {
  uint64_t pairs = multiplySaturating(size.max, size.max);
  return sum(scaled(pairs, isText(key) ? 2 + kTraversal : 2), kListCost, 1);
}

// The list is bound, mapped to its keys, and sorted with them.
Estimate CostEstimator::sorted(const Expr& expr, const Estimate& range) {
  SizeRange size = sizeOf(*expr.args[0], range);
  Estimate key = body(expr, 1, range);
  uint64_t keys = sum(multiplySaturating(size.max, sum(key.cost, kListCost + 2)), kListCost, 2);
  uint64_t cost = sum(kListCost, range.cost, 1, keys, sortingCost(size, *expr.args[1]->type));
  return {.cost = cost, .size = SizeRange{0, multiplySaturating(size.max, size.max)}};
}

// --- calls ---

Estimate CostEstimator::call(const Expr& expr) {
  Args args = visitArgs(expr);
  std::optional<Estimate> result = operatorCall(expr, args);
  if (!result) result = textCall(expr, args);
  if (!result) result = textMakingCall(expr, args);
  if (!result) result = listCall(expr, args);
  if (!result) result = kubernetesCall(expr, args);
  if (!result) result = Estimate{.cost = 1};
  result->cost = sum(result->cost, args.cost);
  return *std::move(result);
}

uint64_t CostEstimator::equality(const Expr& expr, const Args& args) {
  const Type& type = *expr.args[1]->type;
  if (isOpaque(type, "kubernetes.URL")) return reading(expr, args, 1);
  if (isOpaque(type, "kubernetes.NamedFormat")) return kFormatEqualityCost;
  if (type.kind == StaticType::Opaque) return 1;
  return std::min(reading(expr, args, 0), reading(expr, args, 1));
}

std::optional<Estimate> CostEstimator::operatorCall(const Expr& expr, const Args& args) {
  auto is = [&](auto... names) { return ((expr.name == names) || ...); };
  if (is("_==_", "_!=_")) return Estimate{.cost = equality(expr, args), .size = exactly(1)};
  if (is("_<_", "_<=_", "_>_", "_>=_")) {
    bool texts = mayBeText(*expr.args[0]->type) && mayBeText(*expr.args[1]->type);
    bool known = isText(*expr.args[0]->type) || isText(*expr.args[1]->type);
    uint64_t cost = texts ? std::min(reading(expr, args, 0), reading(expr, args, 1)) : 1;
    return Estimate{.cost = known ? cost : std::max<uint64_t>(cost, 1), .size = exactly(1)};
  }
  if (is("_+_")) {
    bool lists = expr.args[0]->type->kind == StaticType::List || expr.args[1]->type->kind == StaticType::List;
    bool texts = mayBeText(*expr.args[0]->type) && mayBeText(*expr.args[1]->type);
    if (!lists && !texts) return std::nullopt;
    SizeRange size = argSize(expr, args, 0) + argSize(expr, args, 1);
    return Estimate{.cost = lists ? 1 : scaled(size.max, kTraversal), .size = size};
  }
  if (is("@in")) return Estimate{.cost = expr.args[1]->type->kind == StaticType::Map ? 1 : argSize(expr, args, 1).max};
  if (is("dyn")) return Estimate{.cost = 1, .size = argSize(expr, args, 0)};
  return std::nullopt;
}

std::optional<Estimate> CostEstimator::textCall(const Expr& expr, const Args& args) {
  auto is = [&](auto... names) { return ((expr.name == names) || ...); };
  if (is("contains")) return Estimate{.cost = multiplySaturating(reading(expr, args, 0), reading(expr, args, 1))};
  if (is("startsWith", "endsWith")) return Estimate{.cost = reading(expr, args, 1)};
  if (is("matches", "find", "findAll")) {
    SizeRange text = argSize(expr, args, 0);
    uint64_t pattern = scaled(argSize(expr, args, 1).max, kPattern);
    Estimate result{.cost = multiplySaturating(scaled(addSaturating(text.max, 1), kTraversal), pattern)};
    if (!is("matches")) result.size = text;
    return result;
  }
  if (is("indexOf", "lastIndexOf") && mayBeText(*expr.args[0]->type)) return Estimate{.cost = reading(expr, args, 0)};
  return std::nullopt;
}

std::optional<Estimate> CostEstimator::textMakingCall(const Expr& expr, const Args& args) {
  auto is = [&](auto... names) { return ((expr.name == names) || ...); };
  if (is("lowerAscii", "upperAscii", "substring", "trim"))
    return Estimate{.cost = reading(expr, args, 0), .size = argSize(expr, args, 0)};
  if (is("replace")) return replaced(expr, args);
  if (is("split")) return split(expr, args);
  if (is("join")) return joined(expr, args);
  if (is("format")) return Estimate{.cost = reading(expr, args, 0)};
  if (is("strings.quote")) {
    SizeRange text = argSize(expr, args, 0);
    SizeRange quoted{addSaturating(text.min, 2), addSaturating(multiplySaturating(text.max, 2), 2)};
    return Estimate{.cost = reading(expr, args, 0), .size = quoted};
  }
  if (is("string") && mayBeBytes(*expr.args[0]->type)) {
    SizeRange bytes = argSize(expr, args, 0);
    return Estimate{.cost = reading(expr, args, 0), .size = SizeRange{bytes.min / 4, bytes.max}};
  }
  if (is("bytes") && expr.args[0]->type->kind != StaticType::Bytes) {
    SizeRange text = argSize(expr, args, 0);
    return Estimate{.cost = reading(expr, args, 0), .size = SizeRange{text.min, multiplySaturating(text.max, 4)}};
  }
  return std::nullopt;
}

// --- texts that are made of others ---

std::optional<int64_t> literalInt(const Expr& expr) {
  if (expr.node != Node::Literal || !expr.literal.is(Kind::Int)) return std::nullopt;
  return expr.literal.asInt();
}

Estimate CostEstimator::split(const Expr& expr, const Args& args) {
  SizeRange text = argSize(expr, args, 0), parts{0, text.max};
  std::optional<int64_t> limit = args.values.size() == 3 ? literalInt(*expr.args[2]) : std::nullopt;
  if (limit) parts.max = uint64_t(*limit);  // -1, which is none, is unbounded so
  return {.cost = scaled(text.max, kTwice), .size = parts};
}

// The most often that the shortest text to replace fits, and between all characters if that is empty.
Estimate CostEstimator::replaced(const Expr& expr, const Args& args) {
  SizeRange text = argSize(expr, args, 0), old = argSize(expr, args, 1), with = argSize(expr, args, 2);
  uint64_t times = old.min == 0 ? addSaturating(text.max, 1) : text.max / old.min + (text.max % old.min != 0);
  uint64_t longest = sum(multiplySaturating(times, with.max), old.min == 0 ? text.max : 0);
  return {.cost = scaled(text.max, kTwice), .size = SizeRange{0, std::max(text.max, longest)}};
}

Estimate CostEstimator::joined(const Expr& expr, const Args& args) {
  SizeRange items = argSize(expr, args, 0);
  SizeRange separator = args.values.size() == 2 ? argSize(expr, args, 1) : exactly(0);
  uint64_t gaps = items.max == 0 ? 0 : items.max - 1;
  uint64_t total = sum(multiplySaturating(items.max, itemSize(expr, args).max), multiplySaturating(gaps, separator.max));
  return {.cost = scaled(total, kTraversal), .size = SizeRange{0, total}};
}

// --- lists ---

// Of the list before the dot: only what the schema says of its items counts.
SizeRange CostEstimator::itemSize(const Expr& expr, const Args& args) {
  const Type* item = expr.args[0]->type->params[0];
  const ValuePath& path = args.values[0].path;
  return sizeAt(path.empty() ? path : below(path, kItemsStep), item ? *item : simpleType(StaticType::Dyn));
}

uint64_t CostEstimator::readingItems(const Expr& expr, const Args& args) {
  const Type* item = expr.args[0]->type->params[0];
  bool texts = item && isText(*item);
  uint64_t each = texts ? addSaturating(scaled(itemSize(expr, args).max, kTraversal), 1) : 1;
  return multiplySaturating(argSize(expr, args, 0).max, each);
}

Estimate CostEstimator::slice(const Expr& expr, const Args& args) {
  int64_t from = std::max<int64_t>(literalInt(*expr.args[1]).value_or(0), 0);
  uint64_t end = argSize(expr, args, 0).max;
  if (std::optional<int64_t> literal = literalInt(*expr.args[2])) end = uint64_t(std::max<int64_t>(*literal, 0));
  uint64_t size = end > uint64_t(from) ? end - uint64_t(from) : 0;
  return {.cost = sum(kListCost, size, 1), .size = SizeRange{0, size}};
}

std::optional<Estimate> CostEstimator::listCall(const Expr& expr, const Args& args) {
  auto is = [&](auto... names) { return ((expr.name == names) || ...); };
  auto copied = [](SizeRange size) { return Estimate{.cost = sum(kListCost, size.max, 1), .size = size}; };
  if (is("isSorted", "sum", "min", "max", "indexOf", "lastIndexOf")) return Estimate{.cost = readingItems(expr, args)};
  if (is("reverse", "flatten")) return copied(argSize(expr, args, 0));
  if (is("slice")) return slice(expr, args);
  if (is("lists.range")) {
    std::optional<int64_t> count = literalInt(*expr.args[0]);
    return copied(count ? exactly(uint64_t(std::max<int64_t>(*count, 0))) : SizeRange{});
  }
  if (is("sort", "distinct")) {
    SizeRange size = argSize(expr, args, 0);
    const Type* item = is("sort") ? expr.args[0]->type->params[0] : nullptr;
    return Estimate{.cost = sortingCost(size, item ? *item : simpleType(StaticType::Dyn)),
                    .size = SizeRange{0, multiplySaturating(size.max, size.max)}};
  }
  if (is("sets.contains", "sets.intersects", "sets.equivalent")) {
    uint64_t pairs = multiplySaturating(argSize(expr, args, 0).max, argSize(expr, args, 1).max);
    return Estimate{.cost = sum(pairs, is("sets.equivalent") ? pairs : 0, 1)};
  }
  return std::nullopt;
}

// --- Kubernetes' libraries ---

std::optional<Estimate> CostEstimator::kubernetesCall(const Expr& expr, const Args& args) {
  auto is = [&](auto... names) { return ((expr.name == names) || ...); };
  auto ofText = [&](size_t at) { return isText(*expr.args[at]->type) ? reading(expr, args, at) : 0; };
  if (is("check")) return Estimate{.cost = kAuthorizationCost};
  if (is("url")) return Estimate{.cost = reading(expr, args, 0), .size = argSize(expr, args, 0)};
  if (is("ip") && expr.receiver) return std::nullopt;
  if (is("ip", "isIP", "cidr", "isCIDR", "quantity", "isQuantity", "semver", "isSemver")) return Estimate{.cost = reading(expr, args, 0)};
  if (is("ip.isCanonical")) return Estimate{.cost = scaled(argSize(expr, args, 0).max, kTwice)};
  if (is("containsIP")) return Estimate{.cost = sum(ofText(1), kContainsIpCost)};
  if (is("containsCIDR")) return Estimate{.cost = sum(ofText(1), kContainsCidrCost)};
  if (is("validate")) return Estimate{.cost = multiplySaturating(reading(expr, args, 1), scaled(kFormatPattern, kPattern))};
  return std::nullopt;
}

}  // namespace

uint64_t estimateCost(const Expr& root, const SizeHints& hints) { return CostEstimator(hints).visit(root).cost; }

}  // namespace skiff::cel
