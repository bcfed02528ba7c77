// The decoded query parameters of a request, and how Kubernetes reads booleans and numbers from them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skiff::apiserver {

class Query {
 public:
  Query() = default;
  explicit Query(std::string_view raw);

  std::string_view get(std::string_view name) const;  // the first; "" when absent
  bool has(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  // Absent: nullopt. "false" and "0" are false, everything else is true, as upstream's conversion does.
  std::optional<bool> flag(std::string_view name) const;
  // Absent or empty: nullopt. The error's text is Go's.
  Result<std::optional<int64_t>> number(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace skiff::apiserver
