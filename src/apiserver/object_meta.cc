#include "apiserver/object_meta.h"

#include "api/schema.h"
#include "apiserver/object_codec.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

Value& metadataOf(Value& object, Arena& arena) {
  Value& metadata = object.child(arena, "metadata");
  if (!metadata.isMap()) metadata = Value::map();
  return metadata;
}

void copyOrErase(Value& metadata, const Value& old, Arena& arena, std::string_view key) {
  const Value* value = old.find(key);
  if (value && !value->isNull()) {
    setOrdered(metadata, api::findType("meta/v1", "ObjectMeta"), arena, key, value->clone(arena));
  } else {
    metadata.erase(key);
  }
}

}  // namespace

void initMetadata(Value& object, Arena& arena, std::string_view ns, WallTime now) {
  Value& metadata = metadataOf(object, arena);
  for (std::string_view key : {"selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace"})
    metadata.erase(key);
  if (!ns.empty()) setMetadata(object, arena, "namespace", Value::text(arena, ns));
  setMetadata(object, arena, "uid", Value::text(arena, newUid()));
  setMetadata(object, arena, "creationTimestamp", Value::text(arena, formatRfc3339(now)));
}

void carryMetadata(Value& object, const Value& old, Arena& arena) {
  Value& metadata = metadataOf(object, arena);
  const Value& was = old["metadata"];
  metadata.erase("selfLink");
  for (std::string_view key : {"creationTimestamp", "generation", "namespace", "name"})
    copyOrErase(metadata, was, arena, key);
  // Deletion is asked for by DELETE only. Another uid or time than the live one is the validator's to refuse.
  for (std::string_view key : {"uid", "deletionTimestamp", "deletionGracePeriodSeconds"})
    if (!metadata.has(key) || metadata[key].isNull()) copyOrErase(metadata, was, arena, key);
}

bool hasFinalizers(const Value& object) { return !object["metadata"]["finalizers"].empty(); }
bool isDeleting(const Value& object) { return object["metadata"]["deletionTimestamp"].isString(); }

}  // namespace skiff::apiserver
