#include "api/names.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::api {
namespace {
bool isLower(char c) { return c >= 'a' && c <= 'z'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isAlnum(char c) { return isLower(c) || isDigit(c) || (c >= 'A' && c <= 'Z'); }
bool isLowerAlnum(char c) { return isLower(c) || isDigit(c); }

// Starts and ends with an `edge` character, with `inner` ones between.
bool hasForm(std::string_view text, bool (*edge)(char), bool (*inner)(char)) {
  return !text.empty() && edge(text.front()) && edge(text.back()) &&
         std::all_of(text.begin(), text.end(), inner);
}
bool isName(std::string_view text) {
  return hasForm(text, isAlnum,
                 [](char c) { return isAlnum(c) || c == '-' || c == '_' || c == '.'; });
}
bool isLabel(std::string_view text) {
  return hasForm(text, isLowerAlnum, [](char c) { return isLowerAlnum(c) || c == '-'; });
}
bool isSubdomain(std::string_view text) {
  for (auto part : split(text, '.'))
    if (!isLabel(part)) return false;
  return true;
}

std::string tooLong(size_t limit) { return concat("must be no more than ", limit, " bytes"); }

constexpr std::string_view kNameForm =
    " must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
}  // namespace

std::vector<std::string> qualifiedNameErrors(std::string_view text) {
  std::vector<std::string> errors;
  auto parts = split(text, '/');
  std::string_view name = parts.back();
  if (parts.size() > 2) {
    return {concat("a valid label key", kNameForm,
                   " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")};
  }
  if (parts.size() == 2) {
    if (parts[0].empty())
      errors.push_back("prefix part must be non-empty");
    else
      for (auto& error : dns1123SubdomainErrors(parts[0])) errors.push_back("prefix part " + error);
  }
  if (name.empty())
    errors.push_back("name part must be non-empty");
  else if (name.size() > 63)
    errors.push_back("name part " + tooLong(63));
  if (!isName(name)) errors.push_back(concat("name part", kNameForm));
  return errors;
}

std::vector<std::string> labelValueErrors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > 63) errors.push_back(tooLong(63));
  if (!text.empty() && !isName(text))
    errors.push_back(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start "
        "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
        "regex used for "
        "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
  return errors;
}

std::vector<std::string> dns1123LabelErrors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > 63) errors.push_back(tooLong(63));
  if (!isLabel(text)) {
    errors.push_back(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
        "must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation "
        "is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
  }
  return errors;
}

std::vector<std::string> dns1123SubdomainErrors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > 253) errors.push_back(tooLong(253));
  if (!isSubdomain(text))
    errors.push_back(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
        "'.', and must start "
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
  return errors;
}

std::vector<std::string> dns1035LabelErrors(std::string_view text) {
  std::vector<std::string> errors;
  if (text.size() > 63) errors.push_back(tooLong(63));
  if (!isLabel(text) || !isLower(text.front()))
    errors.push_back(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic "
        "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex "
        "used for validation is "
        "'[a-z]([-a-z0-9]*[a-z0-9])?')");
  return errors;
}

}  // namespace skiff::api
