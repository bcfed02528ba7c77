// Families of a service's cluster addresses: which it has, wants and may come to have.
// https://kubernetes.io/docs/concepts/services-networking/dual-stack/
#pragma once
#include <string_view>
#include <vector>

#include "apiserver/strategies/field.h"
#include "apiserver/strategies/formats.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

std::string_view familyOf(const formats::Ip& ip);  // "IPv4", "IPv6"
bool isHeadless(const codec::Value& spec);
bool isExternalName(const codec::Value& spec);
void setTexts(codec::Value& spec, std::string_view field, const std::vector<std::string>& texts, codec::Arena& arena);

// clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy agree with each other.
void checkFamilyFields(const Field& spec, FieldErrors& errors);

// Fills in families and policy. `configured` are the cluster's families, the default first; `old` is null for a creation
// and for a service that was external before.
void completeFamilies(codec::Value& spec, const codec::Value* old, const std::vector<std::string_view>& configured,
                      codec::Arena& arena, FieldErrors& errors);

// What an update may not change: the primary address and its family, and the secondary but for adding or releasing it.
void checkFamilyChanges(const Field& spec, const codec::Value& old, FieldErrors& errors);

}  // namespace skiff::apiserver
