#include "apiserver/query.h"

#include "base/strings.h"
#include "net/http.h"

namespace skiff::apiserver {

Query::Query(std::string_view raw) : items_(net::parseQuery(raw)) {}

std::string_view Query::get(std::string_view name) const {
  for (const auto& [key, value] : items_)
    if (key == name) return value;
  return {};
}

bool Query::has(std::string_view name) const {
  return std::ranges::any_of(items_, [&](const auto& item) { return item.first == name; });
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : items_)
    if (key == name) out.push_back(value);
  return out;
}

std::optional<bool> Query::flag(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  std::string value = toLower(get(name));
  return value != "false" && value != "0";
}

Result<std::optional<int64_t>> Query::number(std::string_view name) const {
  std::string_view text = get(name);
  if (text.empty()) return std::optional<int64_t>();
  // Go accepts a leading plus sign.
  auto value = parseInt(text.starts_with('+') ? text.substr(1) : text);
  if (!value) return badRequest(concat("strconv.ParseInt: parsing ", quoted(text), ": invalid syntax"));
  return std::optional<int64_t>(*value);
}

}  // namespace skiff::apiserver
