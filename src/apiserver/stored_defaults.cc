#include "apiserver/stored_defaults.h"

#include "api/convert.h"
#include "apiserver/object_codec.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

void phase(Value& object, const api::TypeInfo& type, Arena& arena) {
  if (!std::as_const(object)["status"]["phase"].isNull()) return;
  Value status = std::as_const(object)["status"];
  Value first = Value::map();
  first.set(arena, "phase", Value::string("Pending"));
  for (const codec::Member& member : status.members()) first.set(arena, member.key, member.value);
  setOrdered(object, &type, arena, "status", first);
}

// Who has no labels of its own is found by those of its pods.
void labels(Value& object, Arena& arena) {
  const Value& own = std::as_const(object)["metadata"]["labels"];
  const Value& pods = std::as_const(object)["spec"]["template"]["metadata"]["labels"];
  if (own.empty() && !pods.empty()) setMetadata(object, arena, "labels", pods.clone(arena));
}

}  // namespace

void applyStoredDefaults(Value& object, const api::ResourceInfo& storage, Arena& arena) {
  if (!storage.type) return;
  api::applyDefaults(object, *storage.type, arena);
  if (storage.group.empty() && (storage.kind == "PersistentVolumeClaim" || storage.kind == "PersistentVolume"))
    phase(object, *storage.type, arena);
  if ((storage.group == "batch" && storage.kind == "Job") || (storage.group.empty() && storage.kind == "ReplicationController"))
    labels(object, arena);
}

}  // namespace skiff::apiserver
