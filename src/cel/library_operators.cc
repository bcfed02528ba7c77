// Arithmetic, comparison, membership, size and optionals: the core of the language.
#include <cmath>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;

constexpr int64_t kMinSeconds = -62135596800, kMaxSeconds = 253402300799;  // years 1 to 9999

Value addToTimestamp(Context& context, const Value& timestamp, int64_t nanos) {
  int64_t seconds = timestamp.asInt() + nanos / 1'000'000'000;
  int64_t rest = timestamp.nanos() + nanos % 1'000'000'000;
  if (rest < 0) rest += 1'000'000'000, --seconds;
  if (rest >= 1'000'000'000) rest -= 1'000'000'000, ++seconds;
  if (seconds < kMinSeconds || seconds > kMaxSeconds) return context.fail("timestamp overflow");
  return Value::timestamp(seconds, int32_t(rest));
}

Value durationOf(Context& context, int64_t nanos, bool overflow) {
  return overflow ? context.fail("integer overflow") : Value::duration(nanos);
}

Value concatLists(Context& context, const Value& a, const Value& b) {
  std::vector<Value> items;
  items.reserve(a.size() + b.size());
  if (!context.charge(int64_t(a.size() + b.size()) / 10)) return {};
  for (size_t i = 0; i < a.size(); ++i) items.push_back(a.item(i));
  for (size_t i = 0; i < b.size(); ++i) items.push_back(b.item(i));
  return context.list(items);
}

Value add(Context& context, Args args) {
  const Value &a = args[0], &b = args[1];
  if (a.is(Kind::Timestamp) && b.is(Kind::Duration)) return addToTimestamp(context, a, b.asInt());
  if (a.is(Kind::Duration) && b.is(Kind::Timestamp)) return addToTimestamp(context, b, a.asInt());
  if (a.kind() != b.kind()) return context.noOverload();
  int64_t sum;
  uint64_t unsignedSum;
  switch (a.kind()) {
    case Kind::Int:
      if (__builtin_add_overflow(a.asInt(), b.asInt(), &sum)) return context.fail("integer overflow");
      return Value::integer(sum);
    case Kind::Uint:
      if (__builtin_add_overflow(a.asUint(), b.asUint(), &unsignedSum)) return context.fail("unsigned integer overflow");
      return Value::unsignedInteger(unsignedSum);
    case Kind::Double: return Value::real(a.asDouble() + b.asDouble());
    case Kind::String:
    case Kind::Bytes: {
      if (!context.chargeText(a.asText().size() + b.asText().size())) return {};
      std::string_view joined = context.arena.copy(concat(a.asText(), b.asText()));
      return a.is(Kind::String) ? Value::string(joined) : Value::bytes(joined);
    }
    case Kind::List: return concatLists(context, a, b);
    case Kind::Duration: {
      bool overflow = __builtin_add_overflow(a.asInt(), b.asInt(), &sum);
      return durationOf(context, sum, overflow);
    }
    default: return context.noOverload();
  }
}

Value subtract(Context& context, Args args) {
  const Value &a = args[0], &b = args[1];
  if (a.is(Kind::Timestamp) && b.is(Kind::Duration))
    return b.asInt() == INT64_MIN ? context.fail("integer overflow") : addToTimestamp(context, a, -b.asInt());
  if (a.kind() != b.kind()) return context.noOverload();
  int64_t difference;
  uint64_t unsignedDifference;
  switch (a.kind()) {
    case Kind::Int:
      if (__builtin_sub_overflow(a.asInt(), b.asInt(), &difference)) return context.fail("integer overflow");
      return Value::integer(difference);
    case Kind::Uint:
      if (__builtin_sub_overflow(a.asUint(), b.asUint(), &unsignedDifference))
        return context.fail("unsigned integer overflow");
      return Value::unsignedInteger(unsignedDifference);
    case Kind::Double: return Value::real(a.asDouble() - b.asDouble());
    case Kind::Duration: {
      bool overflow = __builtin_sub_overflow(a.asInt(), b.asInt(), &difference);
      return durationOf(context, difference, overflow);
    }
    case Kind::Timestamp: {
      int64_t nanos;
      bool overflow = __builtin_mul_overflow(a.asInt() - b.asInt(), int64_t(1'000'000'000), &nanos) ||
                      __builtin_add_overflow(nanos, int64_t(a.nanos() - b.nanos()), &nanos);
      return durationOf(context, nanos, overflow);
    }
    default: return context.noOverload();
  }
}

Value multiply(Context& context, Args args) {
  const Value &a = args[0], &b = args[1];
  if (a.kind() != b.kind()) return context.noOverload();
  int64_t product;
  uint64_t unsignedProduct;
  switch (a.kind()) {
    case Kind::Int:
      if (__builtin_mul_overflow(a.asInt(), b.asInt(), &product)) return context.fail("integer overflow");
      return Value::integer(product);
    case Kind::Uint:
      if (__builtin_mul_overflow(a.asUint(), b.asUint(), &unsignedProduct))
        return context.fail("unsigned integer overflow");
      return Value::unsignedInteger(unsignedProduct);
    case Kind::Double: return Value::real(a.asDouble() * b.asDouble());
    default: return context.noOverload();
  }
}

Value divide(Context& context, Args args) {
  const Value &a = args[0], &b = args[1];
  if (a.kind() != b.kind() || !a.isNumber()) return context.noOverload();
  if (a.is(Kind::Double)) return Value::real(a.asDouble() / b.asDouble());
  if (b.asInt() == 0) return context.fail("division by zero");
  if (a.is(Kind::Uint)) return Value::unsignedInteger(a.asUint() / b.asUint());
  if (a.asInt() == INT64_MIN && b.asInt() == -1) return context.fail("integer overflow");
  return Value::integer(a.asInt() / b.asInt());
}

Value modulo(Context& context, Args args) {
  const Value &a = args[0], &b = args[1];
  if (a.kind() != b.kind() || (!a.is(Kind::Int) && !a.is(Kind::Uint))) return context.noOverload();
  if (b.asInt() == 0) return context.fail("modulus by zero");
  if (a.is(Kind::Uint)) return Value::unsignedInteger(a.asUint() % b.asUint());
  if (a.asInt() == INT64_MIN && b.asInt() == -1) return context.fail("integer overflow");
  return Value::integer(a.asInt() % b.asInt());
}

Value negate(Context& context, Args args) {
  if (args[0].is(Kind::Double)) return Value::real(-args[0].asDouble());
  bool whole = args[0].is(Kind::Int) || args[0].is(Kind::Duration);
  if (!whole) return context.noOverload();
  if (args[0].asInt() == INT64_MIN) return context.fail("integer overflow");
  return args[0].is(Kind::Int) ? Value::integer(-args[0].asInt()) : Value::duration(-args[0].asInt());
}

Value logicalNot(Context& context, Args args) {
  return args[0].is(Kind::Bool) ? Value::boolean(!args[0].isTrue()) : context.noOverload();
}

int64_t comparisonCost(const Value& a, const Value& b) {
  auto weight = [](const Value& v) {
    if (v.is(Kind::String) || v.is(Kind::Bytes)) return int64_t(v.asText().size() / 10);
    return v.is(Kind::List) || v.is(Kind::Map) ? int64_t(v.size()) : 0;
  };
  return std::min(weight(a), weight(b));
}

Value isEqual(Context& context, Args args) {
  context.charge(comparisonCost(args[0], args[1]));
  return Value::boolean(equal(args[0], args[1]));
}
Value isNotEqual(Context& context, Args args) {
  context.charge(comparisonCost(args[0], args[1]));
  return Value::boolean(!equal(args[0], args[1]));
}

template <class Test>
Value ordered(Context& context, Args args, Test test) {
  context.charge(comparisonCost(args[0], args[1]));
  std::optional<int> order = compare(args[0], args[1]);
  if (order) return Value::boolean(test(*order));
  bool nan = args[0].isNumber() && args[1].isNumber();
  return nan ? context.fail("NaN values cannot be ordered") : context.noOverload();
}
Value less(Context& c, Args a) { return ordered(c, a, [](int order) { return order < 0; }); }
Value lessEqual(Context& c, Args a) { return ordered(c, a, [](int order) { return order <= 0; }); }
Value greater(Context& c, Args a) { return ordered(c, a, [](int order) { return order > 0; }); }
Value greaterEqual(Context& c, Args a) { return ordered(c, a, [](int order) { return order >= 0; }); }

Value in(Context& context, Args args) {
  if (args[1].is(Kind::Map)) return Value::boolean(args[1].find(args[0]).has_value());
  if (!args[1].is(Kind::List)) return context.noOverload();
  for (size_t i = 0; i < args[1].size(); ++i) {
    if (!context.charge(1)) return {};
    if (equal(args[0], args[1].item(i))) return Value::boolean(true);
  }
  return Value::boolean(false);
}

Value size(Context& context, Args args) {
  const Value& value = args[0];
  if (value.is(Kind::List) || value.is(Kind::Map)) return Value::integer(int64_t(value.size()));
  if (value.is(Kind::Bytes)) return Value::integer(int64_t(value.asText().size()));
  if (!value.is(Kind::String)) return context.noOverload();
  int64_t characters = 0;
  for (char c : value.asText()) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return Value::integer(characters);
}

// Optionals.
Value optionalOf(Context& context, Args args) { return context.some(args[0]); }
Value optionalNone(Context&, Args) { return Value::none(); }

bool isZero(const Value& value) {
  switch (value.kind()) {
    case Kind::Null: return true;
    case Kind::Bool:
    case Kind::Int:
    case Kind::Uint:
    case Kind::Duration: return value.asInt() == 0;
    case Kind::Double: return value.asDouble() == 0;
    case Kind::String:
    case Kind::Bytes: return value.asText().empty();
    case Kind::List:
    case Kind::Map: return value.size() == 0;
    case Kind::Optional: return value.optional() == nullptr;
    default: return false;
  }
}
Value optionalOfNonZero(Context& context, Args args) {
  return isZero(args[0]) ? Value::none() : context.some(args[0]);
}
Value hasValue(Context& context, Args args) {
  return args[0].is(Kind::Optional) ? Value::boolean(args[0].optional() != nullptr) : context.noOverload();
}
Value optionalValue(Context& context, Args args) {
  if (!args[0].is(Kind::Optional)) return context.noOverload();
  return args[0].optional() ? *args[0].optional() : Value::error("optional.none() dereference");
}
Value optionalOr(Context& context, Args args) {
  if (!args[0].is(Kind::Optional) || !args[1].is(Kind::Optional)) return context.noOverload();
  return args[0].optional() ? args[0] : args[1];
}
Value optionalOrValue(Context& context, Args args) {
  if (!args[0].is(Kind::Optional)) return context.noOverload();
  return args[0].optional() ? *args[0].optional() : args[1];
}
Value optionalUnwrap(Context& context, Args args) {
  if (!args[0].is(Kind::List)) return context.noOverload();
  std::vector<Value> items;
  for (size_t i = 0; i < args[0].size(); ++i) {
    Value item = args[0].item(i);
    if (!item.is(Kind::Optional)) return context.noOverload();
    if (item.optional()) items.push_back(*item.optional());
  }
  return context.list(items);
}

// What has an order; numbers across their types.
constexpr std::string_view kOrder =
    "bool bool -> bool | int int -> bool | uint uint -> bool | double double -> bool | string string -> bool | "
    "bytes bytes -> bool | timestamp timestamp -> bool | duration duration -> bool | int uint -> bool | "
    "int double -> bool | uint int -> bool | uint double -> bool | double int -> bool | double uint -> bool";

constexpr Function kFunctions[] = {
    {"_+_", Style::Global, 2, 2, add,
     "int int -> int | uint uint -> uint | double double -> double | string string -> string | "
     "bytes bytes -> bytes | list<A> list<A> -> list<A> | timestamp duration -> timestamp | "
     "duration timestamp -> timestamp | duration duration -> duration"},
    {"_-_", Style::Global, 2, 2, subtract,
     "int int -> int | uint uint -> uint | double double -> double | timestamp timestamp -> duration | "
     "timestamp duration -> timestamp | duration duration -> duration"},
    {"_*_", Style::Global, 2, 2, multiply, "int int -> int | uint uint -> uint | double double -> double"},
    {"_/_", Style::Global, 2, 2, divide, "int int -> int | uint uint -> uint | double double -> double"},
    {"_%_", Style::Global, 2, 2, modulo, "int int -> int | uint uint -> uint"},
    {"-_", Style::Global, 1, 1, negate, "int -> int | double -> double"},
    {"!_", Style::Global, 1, 1, logicalNot, "bool -> bool"},
    {"_==_", Style::Global, 2, 2, isEqual, "A A -> bool"},
    {"_!=_", Style::Global, 2, 2, isNotEqual, "A A -> bool"},
    {"_<_", Style::Global, 2, 2, less, kOrder},
    {"_<=_", Style::Global, 2, 2, lessEqual, kOrder},
    {"_>_", Style::Global, 2, 2, greater, kOrder},
    {"_>=_", Style::Global, 2, 2, greaterEqual, kOrder},
    {"@in", Style::Global, 2, 2, in, "A list<A> -> bool | A map<A, B> -> bool"},
    {"size", Style::Global, 1, 1, size, "string -> int | bytes -> int | list<A> -> int | map<A, B> -> int"},
    {"size", Style::Member, 1, 1, size, "string -> int | bytes -> int | list<A> -> int | map<A, B> -> int"},
    {"optional.of", Style::Global, 1, 1, optionalOf, "A -> optional_type<A>"},
    {"optional.none", Style::Global, 0, 0, optionalNone, "-> optional_type<A>"},
    {"optional.ofNonZeroValue", Style::Global, 1, 1, optionalOfNonZero, "A -> optional_type<A>"},
    {"optional.unwrap", Style::Global, 1, 1, optionalUnwrap, "list<optional_type<A>> -> list<A>"},
    {"unwrapOpt", Style::Member, 1, 1, optionalUnwrap, "list<optional_type<A>> -> list<A>"},
    {"hasValue", Style::Member, 1, 1, hasValue, "optional_type<A> -> bool"},
    {"value", Style::Member, 1, 1, optionalValue, "optional_type<A> -> A"},
    {"or", Style::Member, 2, 2, optionalOr, "optional_type<A> optional_type<A> -> optional_type<A>"},
    {"orValue", Style::Member, 2, 2, optionalOrValue, "optional_type<A> A -> A"},
};

}  // namespace

std::span<const Function> operatorFunctions() { return kFunctions; }

}  // namespace skiff::cel
