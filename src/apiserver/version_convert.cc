#include "apiserver/version_convert.h"

#include "api/conversion.h"
#include "apiserver/crd.h"
#include "apiserver/object_codec.h"
#include "apiserver/structural_schema.h"

namespace skiff::apiserver {

using codec::Arena;
using codec::Value;

namespace {

Status convertByWebhook(Value& object, const ObjectConverter& converter, const std::string& apiVersion, Arena& arena) {
  const Value* one = &object;
  auto converted = TRY(converter.convert({&one, 1}, apiVersion));
  object = converted.front()->root.clone(arena);
  return okStatus();
}

}  // namespace

Status convertObject(Value& object, const api::ResourceInfo& from, const api::ResourceInfo& to, const CustomResource* custom,
                     Arena& arena) {
  if (&from == &to) return okStatus();
  if (custom && custom->converter()) {
    std::string wanted = api::apiVersionOf(to.group, to.version);
    if (object["apiVersion"].asString() == wanted) return okStatus();
    return convertByWebhook(object, *custom->converter(), wanted, arena);
  }
  if (!custom && from.type && to.type) return api::convert(object, *from.type, *to.type, arena);
  // Other custom resources have the same form in all versions, but for what a schema prunes.
  setTypeMeta(object, arena, arena.copy(api::apiVersionOf(to.group, to.version)), to.kind);
  return okStatus();
}

Status settleCustom(Value& object, const CustomVersion& version, Arena& arena) {
  std::vector<std::string> pruned;
  TRY(conformCustom(object, version, arena, pruned));
  defaultCustom(object, version, arena);
  return okStatus();
}

Status convertCustom(Value& object, const CustomResource& custom, const CustomVersion& to, Arena& arena) {
  std::string wanted = api::apiVersionOf(to.resource.group, to.resource.version);
  if (object["apiVersion"].asString() != wanted) {
    if (custom.converter()) TRY(convertByWebhook(object, *custom.converter(), wanted, arena));
    else setTypeMeta(object, arena, arena.copy(wanted), to.resource.kind);
  }
  return settleCustom(object, to, arena);
}

Status toStorageVersion(Value& object, const ServedResource& resource, Arena& arena) {
  if (!resource.custom) return convertObject(object, *resource.info, *resource.storage, nullptr, arena);
  if (resource.info->version == resource.storage->version) return okStatus();
  return convertCustom(object, *resource.custom, resource.custom->storageVersion(), arena);
}

}  // namespace skiff::apiserver
