#include "api/selectors.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
namespace {
// "," separates terms and "\" escapes it.
std::vector<std::string_view> terms(std::string_view text) {
  std::vector<std::string_view> out;
  size_t start = 0;
  bool escaped = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (escaped) {
      escaped = false;
    } else if (text[i] == '\\') {
      escaped = true;
    } else if (text[i] == ',') {
      out.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  out.push_back(text.substr(start));
  return out;
}

Result<std::string> unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ',' || c == '=')
      return badRequest(concat("invalid field selector: unescaped character in value: ", int(c)));
    if (c != '\\') {
      out += c;
      continue;
    }
    if (i + 1 == text.size() ||
        std::string_view("\\,=").find(text[i + 1]) == std::string_view::npos)
      return badRequest(
          concat("invalid field selector: invalid escape sequence: ", text.substr(i, 2)));
    out += text[++i];
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == ',' || c == '=') out += '\\';
    out += c;
  }
  return out;
}
}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector out;
  for (auto term : terms(text)) {
    if (term.empty()) continue;
    size_t at = term.find_first_of("!=");
    while (at != term.npos && term[at] == '!' && term.substr(at, 2) != "!=")
      at = term.find_first_of("!=", at + 1);
    if (at == term.npos)
      return badRequest(concat("invalid selector: '", text, "'; can't understand '", term, "'"));
    bool equal = term[at] == '=';
    size_t width = !equal || term.substr(at, 2) == "==" ? 2 : 1;
    std::string value = TRY(unescaped(term.substr(at + width)));
    out.requirements_.push_back({std::string(term.substr(0, at)), equal, std::move(value)});
  }
  return out;
}

bool FieldSelector::matches(const codec::Value& object) const {
  for (const auto& r : requirements_)
    if ((fieldText(object, r.field) == r.value) != r.equal) return false;
  return true;
}

std::string FieldSelector::str() const {
  std::vector<std::string> parts;
  for (const auto& r : requirements_)
    parts.push_back(concat(r.field, r.equal ? "=" : "!=", escaped(r.value)));
  return join(parts, ",");
}

std::string fieldText(const codec::Value& object, std::string_view path) {
  const codec::Value* at = &object;
  for (auto part : split(path, '.')) {
    at = at->find(part);
    if (!at) return "";
  }
  if (at->isString()) return at->str();
  if (at->isNull() || at->isMap() || at->isList()) return "";
  return codec::toJson(*at);
}

}  // namespace skiff::api
