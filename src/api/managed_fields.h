// metadata.managedFields: who owns which fields.
#pragma once
#include <compare>
#include <map>
#include <string>

#include "api/field_set.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// Identity of an entry. An applier stays the same when it moves to another version, an updater does not.
struct ManagerId {
  bool applied = false;  // operation Apply, else Update
  std::string manager;
  std::string apiVersion;  // of Update only
  std::string subresource;
  auto operator<=>(const ManagerId&) const = default;
  std::string text() const;  // in conflicts: "kubectl", "creator" using v1, "x" with subresource "status" using v1
};

struct ManagerEntry {
  FieldSet set;
  std::string apiVersion;
  std::string time;  // RFC 3339; "" when unknown
};

using Managers = std::map<ManagerId, ManagerEntry>;

// The list of entries; null and empty lists give no managers. Malformed entries are an error.
Result<Managers> decodeManagedFields(const codec::Value& list);
// Applies first, then by time, manager, version, subresource. An empty list when there are none.
codec::Value encodeManagedFields(const Managers& managers, codec::Arena& arena);
// [{}] in a request asks to forget all owners.
bool isManagedFieldsReset(const codec::Value& list);

// More update managers than this are merged, oldest first, into one entry ("ancient-changes") per version.
inline constexpr size_t kMaxUpdateManagers = 10;
void capUpdateManagers(Managers& managers);

// Gives entries that did not change but for their time the live object's times; call before a write is compared with
// the live object, so that a request without effect stays without effect.
void keepManagedFieldTimes(const codec::Value& live, codec::Value& object, codec::Arena& arena);

}  // namespace skiff::api
