// Small checks that many kinds share.
#pragma once
#include <initializer_list>

#include "api/quantity.h"
#include "apiserver/strategies/field.h"
#include "apiserver/strategies/labels.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

bool oneOf(std::string_view text, std::initializer_list<std::string_view> list);
// Another value than these is unsupported; they are told in the order given, which is upstream's.
void checkEnum(FieldErrors& errors, const Field& field, std::initializer_list<std::string_view> supported);
void checkNonNegative(FieldErrors& errors, const Field& number);
void checkPositive(FieldErrors& errors, const Field& number);  // "must be greater than 0"
// With the type of a message, the value is shown in its unversioned form.
void checkImmutable(FieldErrors& errors, const Field& field, const codec::Value& old, const api::TypeInfo* type = nullptr);
// Where upstream's tables state it, the refusal names no value.
void checkDeclaredImmutable(FieldErrors& errors, const Field& field, const codec::Value& old);
// A port by number or by name.
void checkPortOrName(FieldErrors& errors, const Field& port);
// A count or a percentage.
void checkIntOrPercent(FieldErrors& errors, const Field& value);
std::optional<int64_t> percentOf(const codec::Value& value);  // 25 of "25%"
void checkObjectName(FieldErrors& errors, const Field& name);  // DNS subdomain; may be empty

// Equal once empty lists, maps and texts are taken as absent, as upstream's semantic equality.
bool sameValue(const codec::Value& a, const codec::Value& b);

api::Quantity quantityOf(const codec::Value& value);  // zero when it is none

// Refusals of admission and strategies, as the API words them.
Error forbiddenError(const api::ResourceInfo& resource, std::string_view name, std::string_view why);
Error notFoundError(std::string_view group, std::string_view resource, std::string_view name);

}  // namespace skiff::apiserver
