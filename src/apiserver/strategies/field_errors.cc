// Texts and reasons of field errors, and the Status made of them.
#include <algorithm>

#include "apiserver/strategies/field.h"
#include "apiserver/strategy.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {

namespace {

std::string withDetail(std::string head, const std::string& detail) {
  return detail.empty() ? head : concat(head, ": ", detail);
}

std::string quotedList(const std::vector<std::string>& items) {
  std::vector<std::string> texts;
  for (const std::string& item : items) texts.push_back(quoted(item));
  return join(texts, ", ");
}

}  // namespace

std::string shown(const codec::Value& value) {
  return value.isString() ? quoted(value.asString()) : codec::toJson(value);
}

void FieldErrors::required(std::string path, std::string detail) {
  add({"FieldValueRequired", withDetail("Required value", detail), std::move(path)});
}

void FieldErrors::invalid(std::string path, std::string value, std::string detail) {
  add({"FieldValueInvalid", withDetail("Invalid value: " + value, detail), std::move(path)});
}

void FieldErrors::notSupported(std::string path, std::string value,
                               const std::vector<std::string>& supported) {
  std::string detail = supported.empty() ? "" : "supported values: " + quotedList(supported);
  add({"FieldValueNotSupported", withDetail("Unsupported value: " + value, detail),
       std::move(path)});
}

void FieldErrors::duplicate(std::string path, std::string value) {
  add({"FieldValueDuplicate", "Duplicate value: " + value, std::move(path)});
}

void FieldErrors::forbidden(std::string path, std::string detail) {
  add({"FieldValueForbidden", withDetail("Forbidden", detail), std::move(path)});
}

void FieldErrors::tooLong(std::string path, int64_t maxLength) {
  add({"FieldValueTooLong", concat("Too long: may not be more than ", maxLength, " bytes"),
       std::move(path)});
}

void FieldErrors::tooMany(std::string path, int64_t actual, int64_t max) {
  add({"FieldValueTooMany",
       concat("Too many: ", actual, ": must have at most ", max, max == 1 ? " item" : " items"),
       std::move(path)});
}

void FieldErrors::notFound(std::string path, std::string value) {
  add({"FieldValueNotFound", "Not found: " + value, std::move(path)});
}

void FieldErrors::typeInvalid(std::string path, std::string value, std::string detail) {
  add({"FieldValueTypeInvalid", withDetail("Invalid value: " + value, detail), std::move(path)});
}

void FieldErrors::internal(std::string path, std::string detail) {
  add({"InternalError", "Internal error: " + detail, std::move(path)});
}

Error FieldErrors::error(std::string_view group, std::string_view kind,
                         std::string_view name) const {
  // A cause that was found twice is told once in the message, but stays in the details.
  std::vector<std::string> texts;
  for (const Cause& cause : causes_) {
    std::string text = concat(cause.field, ": ", cause.message);
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  }
  std::string list = texts.size() == 1 ? texts[0] : concat("[", join(texts, ", "), "]");
  std::string groupKind = group.empty() ? std::string(kind) : concat(kind, ".", group);
  ErrorDetails details{.name = std::string(name),
                       .group = std::string(group),
                       .kind = std::string(kind),
                       .causes = causes_};
  return {Reason::Invalid, concat(groupKind, " ", quoted(name), " is invalid: ", list),
          std::move(details)};
}

}  // namespace skiff::apiserver
