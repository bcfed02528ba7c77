#include "api/scalars.h"

#include <limits>

#include "base/strings.h"

namespace skiff::api {
namespace {
using std::chrono::nanoseconds;

// 90 of a unit of 60: "1.5" with the fraction's zeros left out, as Go prints durations.
std::string withFraction(uint64_t value, uint64_t unit) {
  std::string out = std::to_string(value / unit);
  uint64_t rest = value % unit;
  if (rest == 0) return out;
  std::string fraction = std::to_string(unit + rest).substr(1);
  while (fraction.back() == '0') fraction.pop_back();
  return out + "." + fraction;
}

struct Unit {
  std::string_view name;
  int64_t nanos;
};
// Longer names first where one begins the other.
constexpr Unit kUnits[] = {
    {"ns", 1},         {"us", 1'000},        {"\xC2\xB5s", 1'000},  {"\xCE\xBCs", 1'000},
    {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};

const Unit* unitAt(std::string_view text) {
  for (const auto& unit : kUnits)
    if (text.starts_with(unit.name)) return &unit;
  return nullptr;
}
}  // namespace

std::string formatDuration(nanoseconds value) {
  if (value.count() == 0) return "0s";
  bool negative = value.count() < 0;
  uint64_t n = negative ? ~uint64_t(value.count()) + 1 : uint64_t(value.count());
  std::string out = negative ? "-" : "";
  if (n < 1'000) return out + std::to_string(n) + "ns";
  if (n < 1'000'000) return out + withFraction(n, 1'000) + "\xC2\xB5s";
  if (n < 1'000'000'000) return out + withFraction(n, 1'000'000) + "ms";
  constexpr uint64_t second = 1'000'000'000, minute = 60 * second, hour = 60 * minute;
  if (n >= hour) out += std::to_string(n / hour) + "h";
  if (n >= minute) out += std::to_string(n % hour / minute) + "m";
  return out + withFraction(n % minute, second) + "s";
}

std::optional<nanoseconds> parseDuration(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return nanoseconds(0);
  if (text.empty()) return std::nullopt;
  __extension__ typedef __int128 Wide;
  Wide total = 0;
  while (!text.empty()) {
    Wide whole = 0, fraction = 0, scale = 1;
    size_t at = 0, digits = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      whole = whole * 10 + (text[at] - '0');
      if (whole > std::numeric_limits<int64_t>::max()) return std::nullopt;
    }
    if (at < text.size() && text[at] == '.') {
      for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
        if (scale < 1'000'000'000'000'000) {
          fraction = fraction * 10 + (text[at] - '0');
          scale *= 10;
        }
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(at);
    const Unit* unit = unitAt(text);
    if (!unit) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += whole * unit->nanos + fraction * unit->nanos / scale;
    if (total > std::numeric_limits<int64_t>::max()) return std::nullopt;
  }
  return nanoseconds(negative ? -int64_t(total) : int64_t(total));
}

std::optional<int32_t> scaledValue(const IntOrString& value, int32_t total, bool roundUp) {
  if (!value.isString) return value.number;
  std::string_view text = value.text;
  if (!text.ends_with('%')) return std::nullopt;
  auto percent = parseInt(text.substr(0, text.size() - 1));
  if (!percent || *percent > std::numeric_limits<int32_t>::max() || *percent < 0)
    return std::nullopt;
  int64_t product = *percent * total;
  return int32_t((product + (roundUp ? 99 : 0)) / 100);
}

}  // namespace skiff::api
