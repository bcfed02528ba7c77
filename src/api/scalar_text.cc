#include "api/scalar_text.h"

#include <algorithm>
#include <array>
#include <string>

#include "api/quantity.h"
#include "api/scalars.h"
#include "base/clock.h"
#include "base/strings.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
constexpr std::string_view kTimeLayout = "2006-01-02T15:04:05Z07:00";
constexpr std::string_view kMicroTimeLayout = "2006-01-02T15:04:05.000000Z07:00";

bool isDigit(char c) { return c >= '0' && c <= '9'; }

// Finds where a text leaves the layout, to name it as Go's time.Parse does.
class TimeChecker {
 public:
  TimeChecker(std::string_view text, bool micro) : text_(text), rest_(text), micro_(micro) {}

  std::string error() {
    int year = 0, month = 1, day = 1;
    std::string_view outOfRange;
    auto part = [&](std::string_view element, size_t width, int low, int high,
                    std::string_view name, int* value) {
      if (!error_.empty()) return;
      if (!number(width, value)) return fail(element);
      if ((*value < low || *value > high) && outOfRange.empty()) outOfRange = name;
    };
    int other = 0;
    part("2006", 4, 0, 9999, "year", &year);
    literal('-');
    part("01", 2, 1, 12, "month", &month);
    literal('-');
    part("02", 2, 0, 31, "day", &day);
    literal('T');
    part("15", 2, 0, 23, "hour", &other);
    literal(':');
    part("04", 2, 0, 59, "minute", &other);
    literal(':');
    part("05", 2, 0, 59, "second", &other);
    fraction();
    zone();
    if (!error_.empty()) return error_;
    if (!outOfRange.empty())
      return concat("parsing time ", quoted(text_), ": ", outOfRange, " out of range");
    if (!rest_.empty())
      return concat("parsing time ", quoted(text_), ": extra text: ", quoted(rest_));
    using namespace std::chrono;
    if (!year_month_day(std::chrono::year(year), std::chrono::month(unsigned(month)),
                        std::chrono::day(unsigned(day)))
             .ok())
      return concat("parsing time ", quoted(text_), ": day out of range");
    return concat("parsing time ", quoted(text_), ": out of range");
  }

 private:
  void fail(std::string_view element) {
    if (error_.empty())
      error_ = concat("parsing time ", quoted(text_), " as ",
                      quoted(micro_ ? kMicroTimeLayout : kTimeLayout), ": cannot parse ",
                      quoted(rest_), " as ", quoted(element));
  }
  bool number(size_t width, int* value) {
    if (rest_.size() < width) return false;
    *value = 0;
    for (char c : rest_.substr(0, width)) {
      if (!isDigit(c)) return false;
      *value = *value * 10 + (c - '0');
    }
    rest_.remove_prefix(width);
    return true;
  }
  void literal(char c) {
    if (!error_.empty()) return;
    if (rest_.starts_with(c)) return rest_.remove_prefix(1);
    fail(std::string_view(&c, 1));
  }
  void fraction() {
    if (!error_.empty()) return;
    size_t digits = 0;
    if (rest_.starts_with('.'))
      while (digits + 1 < rest_.size() && isDigit(rest_[digits + 1])) ++digits;
    if (micro_ ? digits < 6 : false) return fail(".000000");
    if (micro_) return rest_.remove_prefix(7);
    if (digits > 0) rest_.remove_prefix(digits + 1);
  }
  void zone() {
    if (!error_.empty()) return;
    if (rest_.starts_with('Z')) return rest_.remove_prefix(1);
    bool ok = rest_.size() >= 6 && (rest_[0] == '+' || rest_[0] == '-') && rest_[3] == ':';
    for (size_t i : {1u, 2u, 4u, 5u}) ok = ok && isDigit(rest_[i]);
    if (!ok) return fail("Z07:00");
    rest_.remove_prefix(6);
  }

  std::string_view text_, rest_;
  bool micro_;
  std::string error_;
};

bool hasSixDigits(std::string_view text) {
  if (text.size() < 27 || text[19] != '.') return false;
  for (size_t i = 20; i < 26; ++i)
    if (!isDigit(text[i])) return false;
  return !isDigit(text[26]);
}

// Go's zero time is the first instant of year 1: "not set".
bool isGoZero(WallTime time) {
  using namespace std::chrono;
  return time == WallTime(sys_days(year_month_day(year(1), month(1), day(1))));
}

// The index that Go's decoder names for a text it refuses, -1 for one it takes.
int64_t corruptBase64At(std::string_view text) {
  auto valid = [](char c) {
    return isDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/';
  };
  auto skipBreaks = [&](size_t& at) {
    while (at < text.size() && (text[at] == '\n' || text[at] == '\r')) ++at;
  };
  size_t at = 0;
  for (;;) {
    for (size_t j = 0; j < 4; ++j) {
      skipBreaks(at);
      if (at == text.size()) return j == 0 ? -1 : int64_t(at - j);
      char c = text[at++];
      if (valid(c)) continue;
      if (c != '=' || j < 2) return int64_t(at - 1);
      if (j == 2) {
        skipBreaks(at);
        if (at == text.size()) return int64_t(text.size());
        if (text[at] != '=') return int64_t(at - 1);
        ++at;
      }
      skipBreaks(at);
      return at < text.size() ? int64_t(at) : -1;
    }
  }
}
}  // namespace

Result<Value> canonicalTime(std::string_view text, Arena& arena) {
  auto time = parseRfc3339(text);
  if (!time) return badRequest(TimeChecker(text, false).error());
  // What is below a second is not kept: it makes no other time of the zero one.
  if (isGoZero(std::chrono::floor<seconds>(*time))) return Value::null();
  if (text.size() == 20)
    return Value::string(text);  // "2006-01-02T15:04:05Z" is canonical as it is
  return Value::text(arena, formatRfc3339(*time));
}

Result<Value> canonicalMicroTime(std::string_view text, Arena& arena) {
  auto time = parseRfc3339(text);
  if (!time || !hasSixDigits(text)) return badRequest(TimeChecker(text, true).error());
  if (isGoZero(*time)) return Value::null();
  return Value::text(arena, formatRfc3339Micro(*time));
}

Result<Value> canonicalDuration(std::string_view text, Arena& arena) {
  auto duration = parseDuration(text);
  if (!duration) return badRequest(concat("time: invalid duration ", quoted(text)));
  return Value::text(arena, formatDuration(*duration));
}

namespace {

// Most amounts are of this form, which is canonical: a number from 1 to 999 and a unit.
bool isPlainQuantity(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits == 0 || digits > 3 || text[0] == '0') return false;
  constexpr std::array<std::string_view, 8> units = {"", "m", "k", "M", "G", "Ki", "Mi", "Gi"};
  return std::find(units.begin(), units.end(), text.substr(digits)) != units.end();
}

}  // namespace

Result<Value> canonicalQuantityValue(std::string_view text, Arena& arena) {
  if (isPlainQuantity(text)) return Value::string(text);
  auto problem = quantityParseError(text);
  if (!problem.empty()) return badRequest(std::string(problem));
  auto canonical = canonicalQuantity(text);
  return canonical == text ? Value::string(text) : Value::text(arena, canonical);
}

namespace {

constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The last digit before the padding without the bits that belong to no byte: Go's decoder takes any.
char lastDigit(std::string_view padded) {
  size_t padding = padded.ends_with("==") ? 2 : 1;
  size_t digit = kBase64Digits.find(padded[padded.size() - padding - 1]);
  return kBase64Digits[digit >> (2 * padding) << (2 * padding)];
}

}  // namespace

Result<Value> canonicalBase64(std::string_view text, Arena& arena) {
  int64_t corrupt = corruptBase64At(text);
  if (corrupt >= 0) return badRequest(concat("illegal base64 data at input byte ", corrupt));
  bool breaks = text.find_first_of("\r\n") != text.npos;
  if (!breaks && !text.ends_with('=')) return Value::string(text);
  std::string plain = replaceAll(replaceAll(text, "\n", ""), "\r", "");
  if (plain.ends_with('=')) plain[plain.find('=') - 1] = lastDigit(plain);
  return plain == text ? Value::string(text) : Value::text(arena, plain);
}

}  // namespace skiff::api
