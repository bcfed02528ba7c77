// int(), uint(), double(), string(), bytes(), bool(), dyn(), type(): conversions, and the texts they share.
#include <charconv>
#include <cmath>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;

Value toInt(Context& context, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::Int: return value;
    case Kind::Uint: return value.asUint() > uint64_t(INT64_MAX) ? context.fail("integer overflow") : Value::integer(value.asInt());
    case Kind::Double: {
      double d = value.asDouble();
      bool fits = d > -9223372036854775808.0 && d < 9223372036854775808.0;
      return fits ? Value::integer(int64_t(d)) : context.fail("integer overflow");
    }
    case Kind::String: {
      std::string_view text = value.asText();
      if (text.starts_with('+')) text.remove_prefix(1);
      auto number = parseInt(text);
      return number ? Value::integer(*number) : context.fail("type conversion error from 'string' to 'int'");
    }
    case Kind::Timestamp: return Value::integer(value.asInt());
    case Kind::Duration: return Value::integer(value.asInt());
    default: return context.noOverload();
  }
}

Value toUint(Context& context, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::Uint: return value;
    case Kind::Int: return value.asInt() < 0 ? context.fail("unsigned integer overflow") : Value::unsignedInteger(value.asUint());
    case Kind::Double: {
      double d = value.asDouble();
      bool fits = d >= 0 && d < 18446744073709551616.0;
      return fits ? Value::unsignedInteger(uint64_t(d)) : context.fail("unsigned integer overflow");
    }
    case Kind::String: {
      auto number = parseUint(value.asText());
      return number ? Value::unsignedInteger(*number) : context.fail("type conversion error from 'string' to 'uint'");
    }
    default: return context.noOverload();
  }
}

Value toDouble(Context& context, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::Double: return value;
    case Kind::Int: return Value::real(double(value.asInt()));
    case Kind::Uint: return Value::real(double(value.asUint()));
    case Kind::String: {
      auto number = parseDouble(value.asText());
      return number ? Value::real(*number) : context.fail("type conversion error from 'string' to 'double'");
    }
    default: return context.noOverload();
  }
}

Value toString(Context& context, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::String: return value;
    case Kind::Bool: return Value::string(value.isTrue() ? "true" : "false");
    case Kind::Int: return context.text(std::to_string(value.asInt()));
    case Kind::Uint: return context.text(std::to_string(value.asUint()));
    case Kind::Double: return context.text(formatDouble(value.asDouble()));
    case Kind::Bytes:
      if (!context.chargeText(value.asText().size())) return {};
      return isValidUtf8(value.asText()) ? Value::string(value.asText())
                                         : context.fail("invalid UTF-8 in bytes, cannot convert to string");
    case Kind::Timestamp: return context.text(formatTimestamp(value));
    case Kind::Duration: return context.text(formatDuration(value.asInt()));
    case Kind::Type: return Value::string(value.asText());
    case Kind::Ip:
    case Kind::Cidr: return context.text(networkText(value));
    default: return context.noOverload();
  }
}

Value toBytes(Context& context, Args args) {
  if (args[0].is(Kind::Bytes)) return args[0];
  return args[0].is(Kind::String) ? Value::bytes(args[0].asText()) : context.noOverload();
}

Value toBool(Context& context, Args args) {
  if (args[0].is(Kind::Bool)) return args[0];
  if (!args[0].is(Kind::String)) return context.noOverload();
  std::string_view text = args[0].asText();
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return Value::boolean(true);
  for (std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return Value::boolean(false);
  return context.fail("type conversion error from 'string' to 'bool'");
}

Value toDyn(Context&, Args args) { return args[0]; }
Value typeOf(Context&, Args args) {
  return Value::type(args[0].messageName().empty() ? typeName(args[0].kind()) : args[0].messageName());
}

constexpr Function kFunctions[] = {
    {"int", Style::Global, 1, 1, toInt,
     "int -> int | uint -> int | double -> int | string -> int | timestamp -> int | duration -> int"},
    {"uint", Style::Global, 1, 1, toUint, "uint -> uint | int -> uint | double -> uint | string -> uint"},
    {"double", Style::Global, 1, 1, toDouble, "double -> double | int -> double | uint -> double | string -> double"},
    {"string", Style::Global, 1, 1, toString,
     "string -> string | bool -> string | int -> string | uint -> string | double -> string | bytes -> string | "
     "timestamp -> string | duration -> string | net.IP -> string | net.CIDR -> string"},
    {"bytes", Style::Global, 1, 1, toBytes, "bytes -> bytes | string -> bytes"},
    {"bool", Style::Global, 1, 1, toBool, "bool -> bool | string -> bool"},
    {"dyn", Style::Global, 1, 1, toDyn, "A -> dyn"},
    {"type", Style::Global, 1, 1, typeOf, "A -> type<A>"},
};

}  // namespace

std::span<const Function> conversionFunctions() { return kFunctions; }

// Go's strconv 'g' with the shortest digits: an exponent below 1e-4 and from 1e21 on.
std::string formatDouble(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  double magnitude = std::fabs(value);
  bool exponent = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e21);
  char buffer[64];
  auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  auto [end, problem] = std::to_chars(buffer, buffer + sizeof buffer, value, format);
  return std::string(buffer, end);
}

}  // namespace skiff::cel
