#include "codec/yaml_scalar.h"

#include <charconv>
#include <limits>
#include <string>

#include "base/strings.h"

namespace skiff::codec {
namespace {
using Kind = PlainScalar::Kind;

struct Word {
  std::string_view text;
  PlainScalar meaning;
};
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr PlainScalar kTrue{Kind::Bool, true}, kFalse{Kind::Bool, false}, kNullScalar{Kind::Null};
constexpr PlainScalar kPositive{Kind::Double, false, 0, kInf}, kNegative{Kind::Double, false, 0, -kInf},
    kNotNumber{Kind::Double, false, 0, kNan};
constexpr Word kWords[] = {
    {"", kNullScalar},       {"~", kNullScalar},      {"null", kNullScalar},  {"Null", kNullScalar},
    {"NULL", kNullScalar},   {"true", kTrue},         {"True", kTrue},        {"TRUE", kTrue},
    {"yes", kTrue},          {"Yes", kTrue},          {"YES", kTrue},         {"on", kTrue},
    {"On", kTrue},           {"ON", kTrue},           {"y", kTrue},           {"Y", kTrue},
    {"false", kFalse},       {"False", kFalse},       {"FALSE", kFalse},      {"no", kFalse},
    {"No", kFalse},          {"NO", kFalse},          {"off", kFalse},        {"Off", kFalse},
    {"OFF", kFalse},         {"n", kFalse},           {"N", kFalse},          {".inf", kPositive},
    {".Inf", kPositive},     {".INF", kPositive},     {"+.inf", kPositive},   {"+.Inf", kPositive},
    {"+.INF", kPositive},    {"-.inf", kNegative},    {"-.Inf", kNegative},   {"-.INF", kNegative},
    {".nan", kNotNumber},    {".NaN", kNotNumber},    {".NAN", kNotNumber},   {"<<", {Kind::Merge}},
};

bool isDigit(char c) { return c >= '0' && c <= '9'; }

size_t takeDigits(std::string_view text, size_t at) {
  size_t start = at;
  while (at < text.size() && isDigit(text[at])) ++at;
  return at - start;
}

// [-+]? ( .digits | digits [. digits*] ) ( [eE] [-+]? digits )?
bool looksLikeFloat(std::string_view text) {
  size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  size_t whole = takeDigits(text, at);
  at += whole;
  if (at < text.size() && text[at] == '.') {
    size_t fraction = takeDigits(text, ++at);
    if (whole == 0 && fraction == 0) return false;
    at += fraction;
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    size_t exponent = takeDigits(text, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == text.size();
}

// Whole text as an integer with the prefixes 0x, 0o, 0b and 0. Too large for int64 but not for uint64: a double.
bool resolveInteger(std::string_view text, PlainScalar* scalar) {
  bool negative = text[0] == '-', isSigned = negative || text[0] == '+';
  std::string_view digits = text.substr(isSigned ? 1 : 0);
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    char prefix = char(digits[1] | 0x20);
    base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
    digits.remove_prefix(prefix == 'x' || prefix == 'b' || prefix == 'o' ? 2 : 1);
  }
  uint64_t size = 0;
  auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), size, base);
  if (ec != std::errc() || end != digits.data() + digits.size()) return false;
  constexpr uint64_t kMax = uint64_t(std::numeric_limits<int64_t>::max());
  if (size <= kMax + (negative ? 1 : 0)) {
    *scalar = {.kind = Kind::Int, .integer = int64_t(negative ? 0 - size : size)};
    return true;
  }
  if (isSigned) return false;
  *scalar = {.kind = Kind::Double, .number = double(size)};
  return true;
}

// A number of one or two digits in [low, high] at the front of `text`, taken off.
bool takeNumber(std::string_view& text, int low, int high, int* number) {
  size_t digits = std::min<size_t>(takeDigits(text, 0), 2);
  if (digits == 0) return false;
  std::from_chars(text.data(), text.data() + digits, *number);
  text.remove_prefix(digits);
  return *number >= low && *number <= high;
}

bool takeChar(std::string_view& text, std::string_view anyOf) {
  if (text.empty() || anyOf.find(text[0]) == anyOf.npos) return false;
  text.remove_prefix(1);
  return true;
}

int daysIn(int year, int month) {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool isZone(std::string_view text) {
  if (text == "Z") return true;
  int number = 0;
  return text.size() == 6 && takeChar(text, "+-") && takeNumber(text, 0, 24, &number) && takeChar(text, ":") &&
         takeNumber(text, 0, 60, &number);
}

// 2006-1-2, 2006-1-2T15:4:5[.fraction]zone, 2006-1-2 15:4:5[.fraction]
bool isTimestamp(std::string_view text) {
  if (takeDigits(text, 0) != 4) return false;
  int year = 0, month = 0, day = 0, number = 0;
  std::from_chars(text.data(), text.data() + 4, year);
  text.remove_prefix(4);
  if (!takeChar(text, "-") || !takeNumber(text, 1, 12, &month) || !takeChar(text, "-") ||
      !takeNumber(text, 1, daysIn(year, month), &day))
    return false;
  if (text.empty()) return true;
  bool zoned = text[0] != ' ';
  if (!takeChar(text, "Tt ") || !takeNumber(text, 0, 23, &number) || !takeChar(text, ":") ||
      !takeNumber(text, 0, 59, &number) || !takeChar(text, ":") || !takeNumber(text, 0, 59, &number))
    return false;
  if (takeChar(text, ".,")) {
    size_t fraction = takeDigits(text, 0);
    if (fraction == 0) return false;
    text.remove_prefix(fraction);
  }
  return zoned ? isZone(text) : text.empty();
}

bool resolveDouble(std::string_view text, PlainScalar* scalar) {
  if (text[0] == '+') text.remove_prefix(1);
  double number = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) return false;
  if (ec == std::errc::result_out_of_range) {
    number = std::strtod(std::string(text).c_str(), nullptr);  // tells too small (zero) from too large
    if (number > 1 || number < -1) return false;
  }
  *scalar = {.kind = Kind::Double, .number = number};
  return true;
}

}  // namespace

PlainScalar resolvePlain(std::string_view text) {
  for (const Word& word : kWords)
    if (word.text == text) return word.meaning;
  if (!isDigit(text[0]) && text[0] != '+' && text[0] != '-' && text[0] != '.') return {};
  if (isTimestamp(text)) return {.kind = Kind::Timestamp};
  std::string plain;
  if (text[0] == '.')
    plain = text;
  else
    for (char c : text)
      if (c != '_') plain += c;
  PlainScalar scalar;
  if (resolveInteger(plain, &scalar)) return scalar;
  if (looksLikeFloat(plain) && resolveDouble(plain, &scalar)) return scalar;
  return {};
}

bool isSexagesimal(std::string_view text) {
  size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  if (at == text.size() || !isDigit(text[at])) return false;
  while (at < text.size() && (isDigit(text[at]) || text[at] == '_')) ++at;
  size_t parts = 0;
  for (; at < text.size() && text[at] == ':'; ++parts) {
    size_t digits = takeDigits(text, ++at);
    if (digits == 0 || digits > 2 || (digits == 2 && text[at] > '5')) return false;
    at += digits;
  }
  if (parts == 0) return false;
  if (at < text.size() && text[at] == '.')
    for (++at; at < text.size() && (isDigit(text[at]) || text[at] == '_');) ++at;
  return at == text.size();
}

}  // namespace skiff::codec
