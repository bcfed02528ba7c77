#include "api/managed_fields.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/strings.h"

namespace skiff::api {
using codec::Arena;
using codec::Member;
using codec::Value;

namespace {

constexpr std::string_view kAncient = "ancient-changes";

Result<std::pair<ManagerId, ManagerEntry>> decodeEntry(const Value& entry) {
  std::string_view operation = entry["operation"].asString();
  if (operation != "Apply" && operation != "Update")
    return badRequest(concat("invalid operation ", quoted(operation), " in managed fields"));
  std::string_view fieldsType = entry["fieldsType"].asString();
  if (!fieldsType.empty() && fieldsType != "FieldsV1")
    return badRequest(concat("unsupported fieldsType ", quoted(fieldsType), " in managed fields"));
  ManagerId id{operation == "Apply", entry["manager"].str(), {}, entry["subresource"].str()};
  if (id.manager.empty()) id.manager = "unknown";
  if (!id.applied) id.apiVersion = entry["apiVersion"].str();
  ManagerEntry out{TRY(FieldSet::fromFieldsV1(entry["fieldsV1"])), entry["apiVersion"].str(), entry["time"].str()};
  return std::pair(std::move(id), std::move(out));
}

Value encodeEntry(const ManagerId& id, const ManagerEntry& entry, Arena& arena) {
  Value out = Value::map();
  auto put = [&](std::string_view key, std::string_view text) {
    if (!text.empty()) out.append(arena, key, Value::text(arena, text));
  };
  put("manager", id.manager);
  put("operation", id.applied ? "Apply" : "Update");
  put("apiVersion", entry.apiVersion);
  put("time", entry.time);
  put("fieldsType", "FieldsV1");
  out.append(arena, "fieldsV1", entry.set.toFieldsV1(arena));
  put("subresource", id.subresource);
  return out;
}

bool isEmptyEntry(const Value& entry) {
  return entry.isMap() && std::ranges::all_of(entry.members(), [](const Member& member) {
           return member.value.isNull() || (member.value.isString() && member.value.asString().empty());
         });
}

// The entry without its time.
Value timeless(const Value& entry, Arena& arena) {
  Value out = Value::mapOf(arena, entry.members());
  out.erase("time");
  return out;
}

// The object without managedFields, shallow.
Value withoutManagers(const Value& object, Arena& arena) {
  Value out = Value::mapOf(arena, object.members());
  if (Value* metadata = out.find("metadata"); metadata && metadata->isMap()) {
    *metadata = Value::mapOf(arena, std::as_const(*metadata).members());
    metadata->erase("managedFields");
  }
  return out;
}

}  // namespace

std::string ManagerId::text() const {
  std::string out = quoted(manager);
  if (!subresource.empty()) out += concat(" with subresource ", quoted(subresource));
  if (!applied) out += concat(" using ", apiVersion);
  return out;
}

Result<Managers> decodeManagedFields(const Value& list) {
  Managers managers;
  for (const Value& item : list.items()) {
    auto [id, entry] = TRY(decodeEntry(item));
    auto [at, fresh] = managers.try_emplace(id, entry);
    if (!fresh) at->second = entry;
  }
  return managers;
}

Value encodeManagedFields(const Managers& managers, Arena& arena) {
  std::vector<const Managers::value_type*> order;
  for (const auto& manager : managers) order.push_back(&manager);
  std::ranges::sort(order, {}, [](const Managers::value_type* entry) {
    const auto& [id, value] = *entry;
    return std::tie(value.time, id.manager, value.apiVersion, id.subresource);
  });
  std::stable_partition(order.begin(), order.end(), [](const auto* entry) { return entry->first.applied; });
  Value list = Value::list();
  for (const auto* entry : order) list.push(arena, encodeEntry(entry->first, entry->second, arena));
  return list;
}

bool isManagedFieldsReset(const Value& list) { return list.size() == 1 && isEmptyEntry(list.at(0)); }

void capUpdateManagers(Managers& managers) {
  std::vector<Managers::value_type*> updaters;
  for (auto& manager : managers)
    if (!manager.first.applied) updaters.push_back(&manager);
  size_t count = updaters.size();
  if (count <= kMaxUpdateManagers) return;
  std::ranges::sort(updaters, {}, [](const Managers::value_type* entry) { return std::tie(entry->second.time, entry->first); });
  std::map<std::string, ManagerId> firstOfVersion;  // moves into the bucket when a second one comes
  for (auto* updater : updaters) {
    if (count <= kMaxUpdateManagers) return;
    std::string version = updater->second.apiVersion;
    auto [first, fresh] = firstOfVersion.try_emplace(version, updater->first);
    if (fresh) continue;
    ManagerId bucketId{false, std::string(kAncient), version, {}};
    if (!managers.contains(bucketId)) {
      ManagerEntry moved = managers.at(first->second);
      managers.erase(first->second);
      managers.emplace(bucketId, std::move(moved));
    }
    if (updater->first == bucketId) continue;
    ManagerEntry& bucket = managers.at(bucketId);
    bucket.set.add(std::move(updater->second.set));
    bucket.time = updater->second.time;  // the younger one
    ManagerId merged = updater->first;
    managers.erase(merged);
    --count;
  }
}

void keepManagedFieldTimes(const Value& live, Value& object, Arena& arena) {
  const Value& before = live["metadata"]["managedFields"];
  Value* metadata = object.find("metadata");
  Value* after = metadata ? metadata->find("managedFields") : nullptr;
  if (!after || after->size() != before.size() || *after == before) return;
  for (const Value& entry : after->items()) {
    Value wanted = timeless(entry, arena);
    auto same = [&](const Value& old) { return timeless(old, arena) == wanted; };
    if (std::ranges::none_of(before.items(), same)) return;
  }
  if (withoutManagers(live, arena) == withoutManagers(object, arena)) *after = before.clone(arena);
}

}  // namespace skiff::api
