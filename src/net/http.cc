#include "net/http.h"

#include "base/strings.h"

namespace skiff::net {

void Headers::add(std::string_view name, std::string_view value) {
  items_.emplace_back(name, value);
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Headers::remove(std::string_view name) {
  std::erase_if(items_, [&](const auto& item) { return equalsIgnoreCase(item.first, name); });
}

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : items_) {
    if (key.size() == name.size() && equalsIgnoreCase(key, name)) return value;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  for (const auto& item : items_) {
    if (item.first.size() == name.size() && equalsIgnoreCase(item.first, name)) return true;
  }
  return false;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : items_) {
    if (equalsIgnoreCase(key, name)) values.push_back(value);
  }
  return values;
}

void Headers::lowerNames() {
  for (auto& item : items_) {
    for (char& c : item.first) {
      if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    }
  }
}

std::vector<std::pair<std::string, std::string>> parseQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (auto part : splitNonEmpty(query, '&')) {
    auto halves = cut(part, "=");
    auto name = percentDecode(halves ? halves->first : part, true);
    auto value = percentDecode(halves ? halves->second : std::string_view(), true);
    // As upstream: what cannot be decoded is left out.
    if (name && value) parameters.emplace_back(std::move(*name), std::move(*value));
  }
  return parameters;
}

std::string buildQuery(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += percentEncode(name);
    out += '=';
    out += percentEncode(value);
  }
  return out;
}

Response Handler::refused(const Refusal& refusal) {
  Response response;
  response.status = refusal.status;
  response.headers.set("content-type", "text/plain; charset=utf-8");
  response.body.emplace_back(concat(refusal.text, '\n'));
  return response;
}

}  // namespace skiff::net
