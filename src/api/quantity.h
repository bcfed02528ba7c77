// resource.Quantity: exact decimal or binary amounts ("100m", "1.5Gi", "1e3").
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::api {

// Held exactly as value * 10^exponent in 128 bits, and the suffix family for printing.
class Quantity {
 public:
  enum class Format : uint8_t { DecimalSI, BinarySI, DecimalExponent };
  Quantity() = default;
  static std::optional<Quantity> parse(std::string_view text);
  static Quantity ofMilli(int64_t milli);  // DecimalSI
  static Quantity of(int64_t value, Format format = Format::DecimalSI);

  std::string str() const;            // canonical form
  int64_t value() const;              // rounded up, saturating
  int64_t milliValue() const;         // rounded up, saturating
  Quantity roundedUpToMilli() const;  // the API keeps resource lists no finer
  bool saturated() const;             // too large to be held exactly
  bool isZero() const { return number_ == 0; }
  int sign() const { return number_ > 0 ? 1 : number_ < 0 ? -1 : 0; }
  Format format() const { return format_; }
  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);
  friend Quantity operator+(Quantity a, const Quantity& b) { return a += b; }
  friend Quantity operator-(Quantity a, const Quantity& b) { return a -= b; }
  std::strong_ordering operator<=>(const Quantity& other) const;
  bool operator==(const Quantity& other) const { return (*this <=> other) == 0; }

 private:
  __extension__ typedef __int128 Int;
  Int number_ = 0;  // in nano units (10^-9): the API's finest step
  Format format_ = Format::DecimalSI;
};

// Why a text is no quantity, in upstream's words; "" when it is one.
std::string_view quantityParseError(std::string_view text);
// The text the API server answers with for a quantity it was sent. The text itself when it is no
// quantity.
std::string canonicalQuantity(std::string_view text);

}  // namespace skiff::api
