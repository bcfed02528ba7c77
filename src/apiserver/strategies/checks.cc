#include "apiserver/strategies/checks.h"

#include <algorithm>

#include "api/internal_form.h"
#include "base/strings.h"

namespace skiff::apiserver {

using codec::Value;

bool oneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::ranges::find(list, text) != list.end();
}

void checkEnum(FieldErrors& errors, const Field& field,
               std::initializer_list<std::string_view> supported) {
  if (oneOf(field.text(), supported)) return;
  errors.notSupported(field.path, quoted(field.text()), {supported.begin(), supported.end()});
}

void checkNonNegative(FieldErrors& errors, const Field& number) {
  if (number.number() >= 0) return;
  errors.invalid(number.path, shown(*number.value), "must be greater than or equal to 0");
}

void checkPositive(FieldErrors& errors, const Field& number) {
  if (!number.has() || number.number() > 0) return;
  errors.invalid(number.path, shown(*number.value), "must be greater than 0");
}

void checkImmutable(FieldErrors& errors, const Field& field, const Value& old, const api::TypeInfo* type) {
  if (sameValue(*field.value, old)) return;
  bool text = field.value->isString() || old.isString();
  bool message = type != nullptr && field.value->isMap();
  std::string value = message ? api::internalText(*field.value, *type) : text ? quoted(field.text()) : shown(*field.value);
  errors.invalid(field.path, std::move(value), "field is immutable");
}

void checkDeclaredImmutable(FieldErrors& errors, const Field& field, const Value& old) {
  if (!sameValue(*field.value, old)) errors.invalid(field.path, "null", "field is immutable");
}

void checkPortOrName(FieldErrors& errors, const Field& port) {
  if (port.value->isString()) {
    addFaults(errors, port, formats::portName(port.text()));
    return;
  }
  for (const std::string& fault : formats::portNumber(port.number())) {
    errors.invalid(port.path, std::to_string(port.number()), fault);
  }
}

void checkIntOrPercent(FieldErrors& errors, const Field& value) {
  if (value.value->isString()) {
    addFaults(errors, value, formats::percent(value.text()));
  } else {
    checkNonNegative(errors, value);
  }
}

std::optional<int64_t> percentOf(const Value& value) {
  std::string_view text = value.asString();
  if (!text.ends_with('%')) return std::nullopt;
  return parseInt(text.substr(0, text.size() - 1));
}

void checkObjectName(FieldErrors& errors, const Field& name) {
  if (!name.text().empty()) addFaults(errors, name, formats::dnsSubdomain(name.text()));
}

namespace {

bool isEmptyValue(const Value& value) {
  return value.isNull() || ((value.isList() || value.isMap()) && value.empty()) ||
         (value.isString() && value.asString().empty());
}

}  // namespace

bool sameValue(const Value& a, const Value& b) {
  if (isEmptyValue(a) && isEmptyValue(b)) return true;
  if (a.kind() != b.kind()) return a == b;
  if (a.isList()) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (!sameValue(a.at(i), b.at(i))) return false;
    }
    return true;
  }
  if (!a.isMap()) return a == b;
  for (const codec::Member& member : a.members()) {
    if (!sameValue(member.value, b[member.key])) return false;
  }
  return std::ranges::all_of(b.members(), [&](const codec::Member& member) {
    return a.has(member.key) || isEmptyValue(member.value);
  });
}

api::Quantity quantityOf(const Value& value) {
  if (value.isInt()) return api::Quantity::of(value.asInt());
  return api::Quantity::parse(value.asString()).value_or(api::Quantity());
}

namespace {

std::string qualified(std::string_view group, std::string_view resource) {
  return group.empty() ? std::string(resource) : concat(resource, ".", group);
}

}  // namespace

Error forbiddenError(const api::ResourceInfo& resource, std::string_view name, std::string_view why) {
  std::string object = name.empty() ? "" : concat(" ", quoted(name));
  return {Reason::Forbidden,
          concat(qualified(resource.group, resource.plural), object, " is forbidden: ", why),
          ErrorDetails{.name = std::string(name),
                       .group = std::string(resource.group),
                       .kind = std::string(resource.plural)}};
}

Error notFoundError(std::string_view group, std::string_view resource, std::string_view name) {
  return {Reason::NotFound, concat(qualified(group, resource), " ", quoted(name), " not found"),
          ErrorDetails{.name = std::string(name), .group = std::string(group), .kind = std::string(resource)}};
}

}  // namespace skiff::apiserver
