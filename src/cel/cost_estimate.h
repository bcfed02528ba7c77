// What a checked expression can cost at most, told before there are values: from the sizes that a schema allows them. In the
// units that an evaluation spends, by upstream's rules, so that what one server takes the other takes too.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cel/ast.h"

namespace skiff::cel {

inline constexpr uint64_t kUnboundedCost = UINT64_MAX;  // sums and products stay there

struct SizeRange {
  uint64_t min = 0, max = kUnboundedCost;
};

// The way to a value from the variable it begins with: {"self", "spec", "ports", "@items", "name"}.
using ValuePath = std::vector<std::string_view>;
inline constexpr std::string_view kItemsStep = "@items", kKeysStep = "@keys", kValuesStep = "@values";

class SizeHints {
 public:
  virtual ~SizeHints() = default;
  // Bytes, items or entries; 0 for what has no size. Nothing when the path leads nowhere known.
  virtual std::optional<uint64_t> maxSizeAt(std::span<const std::string_view> path) const = 0;
};

// Reads the nodes' types: those the environment lent must still be there.
uint64_t estimateCost(const Expr& root, const SizeHints& hints);

uint64_t addSaturating(uint64_t a, uint64_t b);
uint64_t multiplySaturating(uint64_t a, uint64_t b);

}  // namespace skiff::cel
