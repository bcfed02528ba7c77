// "%s has %d replicas".format([name, n]): https://github.com/google/cel-go/tree/master/ext#format
#include <cmath>
#include <cstdio>

#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

struct Clause {
  int precision = -1;
  char verb = 's';
};

// As %s shows it: texts inside lists and maps are not quoted.
bool appendText(std::string& out, const Value& value, int depth = 0) {
  if (depth > kMaxDepth) return false;
  switch (value.kind()) {
    case Kind::Null: out += "null"; return true;
    case Kind::Bool: out += value.isTrue() ? "true" : "false"; return true;
    case Kind::Int: out += std::to_string(value.asInt()); return true;
    case Kind::Uint: out += std::to_string(value.asUint()); return true;
    case Kind::Double: out += formatDouble(value.asDouble()); return true;
    case Kind::String:
    case Kind::Bytes:
    case Kind::Type: out += value.asText(); return true;
    case Kind::Timestamp: out += formatTimestamp(value); return true;
    case Kind::Duration: out += formatDuration(value.asInt()); return true;
    case Kind::List:
      out += '[';
      for (size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out += ", ";
        if (!appendText(out, value.item(i), depth + 1)) return false;
      }
      out += ']';
      return true;
    case Kind::Map:
      out += '{';
      for (size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out += ", ";
        if (!appendText(out, value.keyAt(i), depth + 1)) return false;
        out += ": ";
        if (!appendText(out, value.valueAt(i), depth + 1)) return false;
      }
      out += '}';
      return true;
    default: {
      std::string text = textOf(value);
      out += text;
      return !text.empty();
    }
  }
}

std::string inBase(uint64_t magnitude, bool negative, unsigned base, bool upper) {
  std::string digits;
  do {
    unsigned digit = unsigned(magnitude % base);
    digits.insert(digits.begin(), char(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10));
    magnitude /= base;
  } while (magnitude != 0);
  return negative ? "-" + digits : digits;
}

// Empty error text: done.
std::string appendClause(std::string& out, const Clause& clause, const Value& value) {
  auto wrong = [&] {
    return concat("error during formatting: ", clause.verb, " clause can not be used on ", typeName(value.kind()));
  };
  bool negative = value.is(Kind::Int) && value.asInt() < 0;
  uint64_t magnitude = negative ? 0 - value.asUint() : value.asUint();
  switch (clause.verb) {
    case 's': return appendText(out, value) ? "" : wrong();
    case 'd':
      if (!value.isNumber()) return wrong();
      return appendText(out, value) ? "" : wrong();
    case 'f':
    case 'e': {
      if (!value.isNumber()) return wrong();
      double number = value.is(Kind::Double) ? value.asDouble()
                      : value.is(Kind::Int)  ? double(value.asInt())
                                             : double(value.asUint());
      char buffer[512];
      int precision = clause.precision < 0 ? 6 : clause.precision;
      std::snprintf(buffer, sizeof buffer, clause.verb == 'f' ? "%.*f" : "%.*e", precision, number);
      out += buffer;
      return "";
    }
    case 'b':
      if (value.is(Kind::Bool)) return out += value.isTrue() ? "1" : "0", "";
      if (!value.is(Kind::Int) && !value.is(Kind::Uint)) return wrong();
      return out += inBase(magnitude, negative, 2, false), "";
    case 'o':
      if (!value.is(Kind::Int) && !value.is(Kind::Uint)) return wrong();
      return out += inBase(magnitude, negative, 8, false), "";
    default: {  // x, X
      bool upper = clause.verb == 'X';
      if (value.is(Kind::String) || value.is(Kind::Bytes)) {
        std::string hex = hexEncode(value.asText());
        for (char& c : hex)
          if (upper && c >= 'a') c = char(c - 'a' + 'A');
        return out += hex, "";
      }
      if (!value.is(Kind::Int) && !value.is(Kind::Uint)) return wrong();
      return out += inBase(magnitude, negative, 16, upper), "";
    }
  }
}

}  // namespace

Value formatText(Context& context, std::string_view pattern, const Value& args) {
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      out += pattern[i];
      continue;
    }
    if (++i >= pattern.size()) return context.fail("unexpected end of string");
    if (pattern[i] == '%') {
      out += '%';
      continue;
    }
    Clause clause;
    if (pattern[i] == '.') {
      clause.precision = 0;
      for (++i; i < pattern.size() && pattern[i] >= '0' && pattern[i] <= '9' && clause.precision < 100; ++i)
        clause.precision = clause.precision * 10 + (pattern[i] - '0');
      if (clause.precision > 100) return context.fail("precision is too large");
      if (i >= pattern.size()) return context.fail("unexpected end of string");
    }
    clause.verb = pattern[i];
    if (std::string_view("sdfebxXo").find(clause.verb) == std::string_view::npos)
      return context.fail(concat("could not parse formatting clause: unrecognized formatting clause \"", clause.verb, "\""));
    if (next >= args.size()) return context.fail(concat("index ", next, " out of range"));
    std::string problem = appendClause(out, clause, args.item(next++));
    if (!problem.empty()) return context.fail(problem);
    if (!context.chargeText(10)) return {};
  }
  if (!context.chargeText(out.size())) return {};
  return context.text(out);
}

}  // namespace skiff::cel
