// Lists: Kubernetes' list library, and the lists and sets extensions.
#include <algorithm>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;

std::vector<Value> itemsOf(const Value& list) {
  std::vector<Value> items;
  items.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) items.push_back(list.item(i));
  return items;
}

Value isSorted(Context& context, Args args) {
  if (!args[0].is(Kind::List)) return context.noOverload();
  for (size_t i = 1; i < args[0].size(); ++i) {
    if (!context.charge(1)) return {};
    std::optional<int> order = compare(args[0].item(i - 1), args[0].item(i));
    if (!order) return context.noOverload();
    if (*order > 0) return Value::boolean(false);
  }
  return Value::boolean(true);
}

Value sum(Context& context, Args args) {
  if (!args[0].is(Kind::List)) return context.noOverload();
  FunctionMatch plus = findFunction("_+_", Style::Global, 2);
  Value total = Value::integer(0);
  for (size_t i = 0; i < args[0].size(); ++i) {
    if (!context.charge(1)) return {};
    Value item = args[0].item(i);
    if (i == 0 && !item.isNumber() && !item.is(Kind::Duration)) return context.noOverload();
    const Value pair[] = {total, item};
    total = i == 0 ? item : plus.function->handler(context, std::span<const Value>(pair));
    if (total.isError()) return total;
  }
  return total;
}

Value extreme(Context& context, Args args, int wanted) {
  if (!args[0].is(Kind::List)) return context.noOverload();
  if (args[0].size() == 0) return context.fail(wanted < 0 ? "min called on empty list" : "max called on empty list");
  Value best = args[0].item(0);
  for (size_t i = 1; i < args[0].size(); ++i) {
    if (!context.charge(1)) return {};
    std::optional<int> order = compare(args[0].item(i), best);
    if (!order) return context.noOverload();
    if (*order * wanted > 0) best = args[0].item(i);
  }
  return best;
}
Value minimum(Context& context, Args args) { return extreme(context, args, -1); }
Value maximum(Context& context, Args args) { return extreme(context, args, 1); }

Value indexOf(Context& context, Args args) {
  if (!args[0].is(Kind::List)) return textIndexOf(context, args);
  if (args.size() != 2) return context.noOverload();
  for (size_t i = 0; i < args[0].size(); ++i) {
    if (!context.charge(1)) return {};
    if (equal(args[0].item(i), args[1])) return Value::integer(int64_t(i));
  }
  return Value::integer(-1);
}
Value lastIndexOf(Context& context, Args args) {
  if (!args[0].is(Kind::List)) return textLastIndexOf(context, args);
  if (args.size() != 2) return context.noOverload();
  for (size_t i = args[0].size(); i-- > 0;) {
    if (!context.charge(1)) return {};
    if (equal(args[0].item(i), args[1])) return Value::integer(int64_t(i));
  }
  return Value::integer(-1);
}

Value distinct(Context& context, Args args) {
  if (!args[0].is(Kind::List)) return context.noOverload();
  std::vector<Value> kept;
  for (size_t i = 0; i < args[0].size(); ++i) {
    if (!context.charge(int64_t(kept.size()) + 1)) return {};
    Value item = args[0].item(i);
    if (std::ranges::none_of(kept, [&](const Value& other) { return equal(item, other); })) kept.push_back(item);
  }
  return context.list(kept);
}

bool flattenInto(Context& context, std::vector<Value>& out, const Value& list, int64_t depth) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (!context.charge(1)) return false;
    Value item = list.item(i);
    if (!item.is(Kind::List) || depth == 0)
      out.push_back(item);
    else if (!flattenInto(context, out, item, depth - 1))
      return false;
  }
  return true;
}
Value flatten(Context& context, Args args) {
  bool typed = args[0].is(Kind::List) && (args.size() == 1 || args[1].is(Kind::Int));
  if (!typed) return context.noOverload();
  int64_t depth = args.size() == 2 ? args[1].asInt() : 1;
  if (depth < 0) return context.fail("flatten level must be non-negative");
  std::vector<Value> out;
  if (!flattenInto(context, out, args[0], std::min<int64_t>(depth, kMaxDepth))) return {};
  return context.list(out);
}

Value range(Context& context, Args args) {
  if (!args[0].is(Kind::Int)) return context.noOverload();
  int64_t count = std::max<int64_t>(args[0].asInt(), 0);
  if (!context.charge(count)) return {};
  std::vector<Value> items;
  for (int64_t i = 0; i < count; ++i) items.push_back(Value::integer(i));
  return context.list(items);
}

Value slice(Context& context, Args args) {
  if (!args[0].is(Kind::List) || !args[1].is(Kind::Int) || !args[2].is(Kind::Int)) return context.noOverload();
  int64_t from = args[1].asInt(), to = args[2].asInt();
  if (from < 0 || to < 0) return context.fail(concat("cannot slice(", from, ", ", to, "), negative indexes not supported"));
  if (from > to)
    return context.fail(concat("cannot slice(", from, ", ", to, "), start index must be less than or equal to end index"));
  if (to > int64_t(args[0].size()))
    return context.fail(concat("cannot slice(", from, ", ", to, "), list is length ", args[0].size()));
  std::vector<Value> items = itemsOf(args[0]);
  return context.list(std::span(items).subspan(size_t(from), size_t(to - from)));
}

Value sorted(Context& context, Args args) {
  if (!args[0].is(Kind::List)) return context.noOverload();
  std::vector<Value> items = itemsOf(args[0]);
  if (!context.charge(int64_t(items.size()) * 4)) return {};
  for (const Value& item : items)
    if (!compare(items[0], item)) return context.noOverload();
  std::ranges::stable_sort(items, [](const Value& a, const Value& b) { return compare(a, b).value_or(0) < 0; });
  return context.list(items);
}

// Sets are lists without order.
std::optional<bool> within(Context& context, const Value& outer, const Value& inner, bool any) {
  for (size_t i = 0; i < inner.size(); ++i) {
    bool found = false;
    for (size_t k = 0; k < outer.size() && !found; ++k) {
      if (!context.charge(1)) return std::nullopt;
      found = equal(inner.item(i), outer.item(k));
    }
    if (found == any) return any;
  }
  return !any;
}
bool areLists(Args args) { return args[0].is(Kind::List) && args[1].is(Kind::List); }

Value setContains(Context& context, Args args) {
  if (!areLists(args)) return context.noOverload();
  return Value::boolean(within(context, args[0], args[1], false).value_or(false));
}
Value setIntersects(Context& context, Args args) {
  if (!areLists(args)) return context.noOverload();
  return Value::boolean(within(context, args[0], args[1], true).value_or(false));
}
Value setEquivalent(Context& context, Args args) {
  if (!areLists(args)) return context.noOverload();
  return Value::boolean(within(context, args[0], args[1], false).value_or(false) &&
                        within(context, args[1], args[0], false).value_or(false));
}

// Lists of what has an order.
constexpr std::string_view kIsSorted =
    "list<bool> -> bool | list<int> -> bool | list<uint> -> bool | list<double> -> bool | list<string> -> bool | "
    "list<bytes> -> bool | list<timestamp> -> bool | list<duration> -> bool";
constexpr std::string_view kLeast =
    "list<bool> -> bool | list<int> -> int | list<uint> -> uint | list<double> -> double | list<string> -> string | "
    "list<bytes> -> bytes | list<timestamp> -> timestamp | list<duration> -> duration";
constexpr std::string_view kSorted =
    "list<bool> -> list<bool> | list<int> -> list<int> | list<uint> -> list<uint> | list<double> -> list<double> | "
    "list<string> -> list<string> | list<bytes> -> list<bytes> | list<timestamp> -> list<timestamp> | "
    "list<duration> -> list<duration>";

constexpr Function kFunctions[] = {
    {"isSorted", Style::Member, 1, 1, isSorted, kIsSorted},
    {"sum", Style::Member, 1, 1, sum,
     "list<int> -> int | list<uint> -> uint | list<double> -> double | list<duration> -> duration"},
    {"min", Style::Member, 1, 1, minimum, kLeast},
    {"max", Style::Member, 1, 1, maximum, kLeast},
    {"indexOf", Style::Member, 2, 3, indexOf, "string string -> int | string string int -> int | list<A> A -> int"},
    {"lastIndexOf", Style::Member, 2, 3, lastIndexOf, "string string -> int | string string int -> int | list<A> A -> int"},
    {"distinct", Style::Member, 1, 1, distinct, "list<A> -> list<A>"},
    {"flatten", Style::Member, 1, 2, flatten, "list<list<A>> -> list<A> | list<dyn> int -> list<dyn>"},
    {"lists.range", Style::Global, 1, 1, range, "int -> list<int>"},
    {"slice", Style::Member, 3, 3, slice, "list<A> int int -> list<A>"},
    {"sort", Style::Member, 1, 1, sorted, kSorted},
    {"sets.contains", Style::Global, 2, 2, setContains, "list<A> list<A> -> bool"},
    {"sets.intersects", Style::Global, 2, 2, setIntersects, "list<A> list<A> -> bool"},
    {"sets.equivalent", Style::Global, 2, 2, setEquivalent, "list<A> list<A> -> bool"},
};

}  // namespace

std::span<const Function> listFunctions() { return kFunctions; }

}  // namespace skiff::cel
