#include "apiserver/managed_fields.h"

#include "api/apply.h"
#include "api/convert.h"
#include "apiserver/object_codec.h"
#include "apiserver/version_convert.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr size_t kMaxManagerBytes = 128;

// The endpoint's own half: a main resource does not own the status, its status subresource owns nothing else.
api::FieldSet ignoredFields(const api::ResourceInfo& info, std::string_view subresource, bool custom) {
  api::FieldSet ignored;
  auto ignore = [&](std::string_view field) { ignored.at(api::fieldElement(field)).member = true; };
  if (info.subresource("status") == nullptr) return ignored;
  if (info.group == "certificates.k8s.io" && info.plural == "certificatesigningrequests") {
    // What is asked is nobody's: it never changes. Of the status each subresource owns what is its own.
    ignore("spec");
    api::FieldSet& status = ignored.at(api::fieldElement("status"));
    if (subresource.empty()) status.member = true;
    else status.at(api::fieldElement(subresource == "status" ? "conditions" : "certificate")).member = true;
    return ignored;
  }
  if (subresource != "status") {
    ignore("status");
  } else if (custom) {
    for (const api::FieldInfo& field : info.type->fields)
      if (field.json != "status") ignore(field.json);
  } else {
    ignore("spec");
  }
  return ignored;
}

// What a new object is compared with: fields that are written though empty belong to nobody.
Value zeroObject(const api::ResourceInfo& info, bool custom, Arena& arena) {
  Value zero = Value::map();
  api::DecodeReport report;
  if (!custom && info.type) (void)api::conform(zero, *info.type, arena, report).ok();
  return zero;
}

api::FieldManager managerOf(const api::ResourceInfo& info, std::string_view subresource, bool custom) {
  api::FieldManager::Options options;
  options.type = info.type;
  options.apiVersion = api::apiVersionOf(info.group, info.version);
  options.kind = std::string(info.kind);
  options.subresource = std::string(subresource);
  options.ignored = ignoredFields(info, subresource, custom);
  options.timed = subresource != "scale";  // a scale carries no owners that it could tell the time of
  if (!custom) {
    options.convert = [&info](const Value& object, std::string_view apiVersion,
                              Arena& arena) -> std::optional<api::FieldManager::AtVersion> {
      auto slash = cut(apiVersion, "/");
      const api::ResourceInfo* other = api::findResource(slash ? slash->first : "", slash ? slash->second : apiVersion,
                                                         info.plural);
      if (!other) return std::nullopt;
      Value converted = object.clone(arena);
      if (!convertObject(converted, info, *other, nullptr, arena).ok()) return std::nullopt;
      return api::FieldManager::AtVersion{converted, other->type};
    };
  }
  return api::FieldManager(std::move(options));
}

}  // namespace

std::string defaultFieldManager(std::string_view userAgent) {
  std::string_view name = userAgent.substr(0, userAgent.find('/'));
  return std::string(name.substr(0, kMaxManagerBytes));
}

namespace {

void setOwners(Value& object, const Value& fields, Arena& arena) {
  if (fields.empty()) object.child(arena, "metadata").erase("managedFields");
  else setMetadata(object, arena, "managedFields", fields);
}

}  // namespace

void trackManagedFields(Value& object, const Value* live, const WriteCall& call, WallTime now, Arena& arena) {
  const ServedResource& resource = *call.resource;
  bool custom = resource.custom != nullptr;
  std::string manager = call.fieldManager.empty() ? "unknown" : call.fieldManager;
  api::FieldManager tracker = managerOf(*resource.info, call.subresource, custom);
  if (live) api::keepManagedFieldTimes(*live, object, arena);
  if (resource.info == resource.storage || (custom && resource.info->version == resource.storage->version)) {
    Value zero = live ? Value::null() : zeroObject(*resource.info, custom, arena);
    setOwners(object, tracker.update(live ? live : &zero, object, manager, now, arena), arena);
    return;
  }
  // Owners are recorded in the version that the client wrote.
  auto served = [&](const Value& stored) {
    Value copy = stored.clone(arena);
    (void)convertObject(copy, *resource.storage, *resource.info, resource.custom.get(), arena).ok();
    return copy;
  };
  Value before = live ? served(*live) : zeroObject(*resource.info, custom, arena);
  setOwners(object, tracker.update(&before, served(object), manager, now, arena), arena);
}

Result<Value> applyManaged(const Value* live, const Value& config, const ServedResource& resource, const ApplyCall& how,
                           WallTime now, Arena& arena) {
  api::FieldManager manager = managerOf(*resource.info, how.subresource, resource.custom != nullptr);
  return manager.apply(live, config, {how.manager, how.force, now}, arena);
}

}  // namespace skiff::apiserver
