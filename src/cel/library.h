// Functions of the language and of Kubernetes' libraries. A library is a constant table; the checker finds functions in
// them by name, style and number of arguments, and a handler sorts out the types.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cel/ast.h"
#include "cel/value.h"

namespace skiff::cel {

// What a handler may use while it runs: one evaluation, one thread.
class Context {
 public:
  Context(codec::Arena& memory, int64_t& budget) : arena(memory), budget_(budget) {}

  codec::Arena& arena;
  const Expr* call = nullptr;  // under evaluation (constant patterns)

  // False when the budget is spent: the whole evaluation ends, whatever the error is combined with.
  bool charge(int64_t cost) {
    budget_ -= cost;
    if (budget_ < 0) exhausted_ = true;
    return !exhausted_;
  }
  bool exhausted() const { return exhausted_; }
  // Work that grows with the length of a text costs a tenth of a unit a byte.
  bool chargeText(size_t bytes) { return charge(int64_t(bytes / 10)); }

  Value fail(std::string_view message) { return Value::error(arena.copy(message)); }
  Value noOverload() { return Value::error("no such overload"); }
  Value text(std::string_view text) { return Value::string(arena.copy(text)); }
  Value list(std::span<const Value> items);
  Value map(std::span<const Entry> entries);
  Value some(const Value& value);
  template <class T>
  Value opaque(Kind kind, const T& payload) {
    static_assert(std::is_trivially_destructible_v<T>);  // the arena runs no destructors
    return Value::opaque(kind, new (arena.allocate(sizeof(T), alignof(T))) T(payload));
  }

 private:
  int64_t& budget_;
  bool exhausted_ = false;
};

using Handler = Value (*)(Context&, std::span<const Value> args);
enum class Style : uint8_t { Global, Member };

struct Function {
  std::string_view name;
  Style style;
  uint8_t minArgs, maxArgs;  // with the receiver
  Handler handler;
  std::string_view overloads;  // see resultOf(); the receiver is the first argument
};

std::span<const Function> operatorFunctions();
std::span<const Function> conversionFunctions();
std::span<const Function> stringFunctions();
std::span<const Function> listFunctions();
std::span<const Function> timeFunctions();
std::span<const Function> networkFunctions();
std::span<const Function> kubernetesFunctions();
std::span<const Function> authorizerFunctions();

struct FunctionMatch {
  const Function* function = nullptr;
  bool nameKnown = false;  // though not in this style or with this many arguments
};
FunctionMatch findFunction(std::string_view name, Style style, size_t args);

// Texts of values, shared by string(), format() and toTree().
std::string formatTimestamp(const Value& timestamp);
std::string formatDuration(int64_t nanos);   // "3.5s"
std::string formatDouble(double value);       // Go's %g
std::string textOf(const Value& value);       // of quantities, addresses, URLs and the like; "" otherwise
bool equalOpaque(const Value& a, const Value& b);
bool equalNetwork(const Value& a, const Value& b);
std::string networkText(const Value& value);
Value parseTimestamp(Context& context, std::string_view text);
Value parseDurationText(Context& context, std::string_view text);
// The member of that name of an Authorizer.
Value requestResource(Context& context, const Value& authorizer);
// "text %s".format([args]) of the strings library.
// indexOf and lastIndexOf of texts; lists have functions of the same names.
Value textIndexOf(Context& context, std::span<const Value> args);
Value textLastIndexOf(Context& context, std::span<const Value> args);
Value formatText(Context& context, std::string_view pattern, const Value& args);

}  // namespace skiff::cel
