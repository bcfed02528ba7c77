#include "apiserver/version_convert.h"

#include "api/conversion.h"
#include "apiserver/object_codec.h"

namespace skiff::apiserver {

Status convertObject(codec::Value& object, const api::ResourceInfo& from, const api::ResourceInfo& to, bool custom,
                     codec::Arena& arena) {
  if (&from == &to) return okStatus();
  if (!custom && from.type && to.type) return api::convert(object, *from.type, *to.type, arena);
  // Custom resources have the same form in all versions, but for what a schema prunes.
  setTypeMeta(object, arena, arena.copy(api::apiVersionOf(to.group, to.version)), to.kind);
  return okStatus();
}

}  // namespace skiff::apiserver
