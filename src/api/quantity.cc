#include "api/quantity.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/strings.h"

namespace skiff::api {
namespace {
__extension__ typedef __int128 Int;
__extension__ typedef unsigned __int128 UInt;

constexpr Int kNano = 1'000'000'000;
// Amounts beyond this many nano units are held as this: 1.7e29 of anything.
constexpr Int kMax = Int(~UInt(0) >> 1);
constexpr Int kMaxBinary = Int(std::numeric_limits<int64_t>::max()) * kNano;

constexpr std::string_view kBadForm =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
constexpr std::string_view kBadSuffix = "unable to parse quantity's suffix";

constexpr std::array<std::string_view, 10> kDecimal = {"n", "u", "m", "",  "k",
                                                       "M", "G", "T", "P", "E"};
constexpr std::array<std::string_view, 7> kBinary = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};

struct Parts {
  bool negative = false;
  std::string_view whole, fraction;
  std::string_view suffix;
  Quantity::Format format = Quantity::Format::DecimalSI;
  int exponent = 0;  // of ten, or of 1024 for BinarySI
};

bool isDigit(char c) { return c >= '0' && c <= '9'; }
size_t digitsFrom(std::string_view text, size_t at) {
  while (at < text.size() && isDigit(text[at])) ++at;
  return at;
}

bool readSuffix(Parts& parts) {
  std::string_view s = parts.suffix;
  for (size_t i = 0; i < kDecimal.size(); ++i)
    if (s == kDecimal[i]) {
      parts.exponent = int(i) * 3 - 9;
      return true;
    }
  for (size_t i = 1; i < kBinary.size(); ++i)
    if (s == kBinary[i]) {
      parts.format = Quantity::Format::BinarySI;
      parts.exponent = int(i);
      return true;
    }
  if (s.size() < 2 || (s[0] != 'e' && s[0] != 'E')) return false;
  std::string_view number = s.substr(1);
  if (number[0] == '+') number.remove_prefix(1);
  auto exponent = parseInt(number);
  if (!exponent) return false;
  parts.format = Quantity::Format::DecimalExponent;
  parts.exponent = int(std::clamp<int64_t>(*exponent, -100000, 100000));
  return true;
}

// The reason the text is no quantity, or "".
std::string_view readParts(std::string_view text, Parts& parts) {
  if (text.empty()) return kBadForm;
  size_t at = 0;
  if (text[0] == '-' || text[0] == '+') {
    parts.negative = text[0] == '-';
    at = 1;
  }
  size_t end = digitsFrom(text, at);
  parts.whole = text.substr(at, end - at);
  if (end < text.size() && text[end] == '.') {
    at = end + 1;
    end = digitsFrom(text, at);
    parts.fraction = text.substr(at, end - at);
  }
  size_t suffix = end;
  while (end < text.size() && std::string_view("eEinumkKMGTP").find(text[end]) != text.npos) ++end;
  if (end < text.size() && (text[end] == '-' || text[end] == '+')) ++end;
  end = digitsFrom(text, end);
  if (end != text.size()) return kBadForm;
  parts.suffix = text.substr(suffix);
  return readSuffix(parts) ? std::string_view() : kBadSuffix;
}

// Digits as an integer, saturating.
Int digitsValue(std::string_view whole, std::string_view fraction) {
  Int value = 0;
  for (std::string_view part : {whole, fraction})
    for (char c : part) {
      if (value > (kMax - 9) / 10) return kMax;
      value = value * 10 + (c - '0');
    }
  return value;
}

// value * 10^exponent, rounded away from zero, saturating. value >= 0.
Int scaled(Int value, int exponent) {
  if (value == 0) return 0;
  for (; exponent > 0; --exponent) {
    if (value > kMax / 10) return kMax;
    value *= 10;
  }
  bool inexact = false;
  for (; exponent < 0 && value > 0; ++exponent) {
    inexact |= value % 10 != 0;
    value /= 10;
  }
  return value + (inexact ? 1 : 0);
}

std::string digits(Int value) {
  if (value == 0) return "0";
  bool negative = value < 0;
  std::string out;
  for (; value != 0; value /= 10) out += char('0' + (negative ? -(value % 10) : value % 10));
  if (negative) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

int64_t saturate(Int value) {
  constexpr Int low = std::numeric_limits<int64_t>::min(),
                high = std::numeric_limits<int64_t>::max();
  return int64_t(std::clamp(value, low, high));
}

Int roundedAway(Int value, Int unit) {
  Int quotient = value / unit;
  if (value % unit != 0) quotient += value < 0 ? -1 : 1;
  return quotient;
}

Int saturatingAdd(Int a, Int b) {
  Int sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a > 0 ? kMax : -kMax;
}
}  // namespace

std::optional<Quantity> Quantity::parse(std::string_view text) {
  Parts parts;
  if (!readParts(text, parts).empty()) return std::nullopt;
  // A long tail of zeros or digits past the nano step must not saturate the mantissa.
  std::string_view fraction = parts.fraction;
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  if (fraction.size() > 28) fraction = fraction.substr(0, 28);
  Quantity out;
  out.format_ = parts.format;
  Int value = digitsValue(parts.whole, fraction);
  int exponent = 9 - int(fraction.size());
  if (parts.format == Format::BinarySI) {
    for (int i = 0; i < parts.exponent; ++i) value = value > kMax / 1024 ? kMax : value * 1024;
    value = std::min(scaled(value, exponent), kMaxBinary);
    if (value > 0 && value < kNano) out.format_ = Format::DecimalSI;
  } else {
    value = scaled(value, exponent + parts.exponent);
  }
  out.number_ = parts.negative ? -value : value;
  return out;
}

std::string_view quantityParseError(std::string_view text) {
  Parts parts;
  return readParts(text, parts);
}

std::string canonicalQuantity(std::string_view text) {
  auto quantity = Quantity::parse(text);
  if (!quantity) return std::string(text);
  std::string canonical = quantity->str();
  // Upstream keeps the sender's spelling of an amount whose number and exponent are canonical
  // already ("+5", "12E6").
  Parts parts;
  readParts(text, parts);
  std::string_view whole = parts.whole;
  while (whole.size() > 1 && whole[0] == '0') whole.remove_prefix(1);
  std::string plain = concat(parts.negative ? "-" : "", whole);
  if (parts.format == Quantity::Format::DecimalExponent) {
    if (parts.exponent != 0) plain += concat("e", parts.exponent);
  } else {
    plain += parts.suffix;
  }
  bool sameNumber = parts.fraction.empty() && plain == canonical && !quantity->isZero();
  return sameNumber || quantity->saturated() ? std::string(text) : canonical;
}

bool Quantity::saturated() const { return number_ == kMax || number_ == -kMax; }

Quantity Quantity::ofMilli(int64_t milli) {
  Quantity out;
  out.number_ = Int(milli) * 1'000'000;
  return out;
}

Quantity Quantity::of(int64_t value, Format format) {
  Quantity out;
  out.number_ = Int(value) * kNano;
  out.format_ = format;
  return out;
}

std::string Quantity::str() const {
  if (number_ == 0) return "0";
  Int number = number_;
  bool whole = number % kNano == 0;
  Int magnitude = number < 0 ? -number : number;
  if (format_ == Format::BinarySI && whole && magnitude >= 1024 * kNano) {
    number /= kNano;
    size_t power = 0;
    for (; number % 1024 == 0 && power + 1 < kBinary.size(); ++power) number /= 1024;
    return digits(number) + std::string(kBinary[power]);
  }
  bool exponential = format_ == Format::DecimalExponent;
  int exponent = -9;
  for (; number % 1000 == 0 && (exponential || exponent < 18); exponent += 3) number /= 1000;
  if (!exponential) return digits(number) + std::string(kDecimal[size_t(exponent + 9) / 3]);
  return exponent == 0 ? digits(number) : concat(digits(number), 'e', exponent);
}

int64_t Quantity::value() const { return saturate(roundedAway(number_, kNano)); }
int64_t Quantity::milliValue() const { return saturate(roundedAway(number_, 1'000'000)); }

Quantity Quantity::roundedUpToMilli() const {
  Quantity out = *this;
  if (saturated()) return out;
  Int milli = roundedAway(number_, 1'000'000);
  if (__builtin_mul_overflow(milli, Int(1'000'000), &out.number_)) out.number_ = number_ < 0 ? -kMax : kMax;
  return out;
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (isZero()) format_ = other.format_;
  number_ = saturatingAdd(number_, other.number_);
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  if (isZero()) format_ = other.format_;
  number_ = saturatingAdd(number_, -other.number_);
  return *this;
}

std::strong_ordering Quantity::operator<=>(const Quantity& other) const {
  return number_ <=> other.number_;
}

}  // namespace skiff::api
