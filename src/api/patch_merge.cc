#include "api/patch.h"
#include "base/strings.h"

namespace skiff::api {
using codec::Arena;
using codec::Member;
using codec::Value;

namespace {

// What a patch brings in new loses the nulls of its maps: they mean "absent".
Value withoutNulls(const Value& value, Arena& arena) {
  if (value.isList()) {
    Value list = Value::list();
    list.reserve(arena, value.size());
    for (const Value& item : value.items()) list.push(arena, withoutNulls(item, arena));
    return list;
  }
  if (!value.isMap()) return value;
  Value map = Value::map();
  map.reserve(arena, value.size());
  for (const Member& member : value.members())
    if (!member.value.isNull()) map.append(arena, member.key, withoutNulls(member.value, arena));
  return map;
}

Value merged(const Value& target, const Value& patch, Arena& arena) {
  // Upstream's library goes into lists for this (the RFC does not), but not when they take the place of a map.
  if (!patch.isMap()) return target.isMap() ? patch : withoutNulls(patch, arena);
  Value out = target.isMap() ? Value::mapOf(arena, target.members()) : Value::map();
  for (const Member& member : patch.members()) {
    if (member.value.isNull()) {
      out.erase(member.key);
      continue;
    }
    Value& slot = out.child(arena, member.key);
    slot = merged(slot, member.value, arena);
  }
  return out;
}

}  // namespace

Result<Value> applyMergePatch(const Value& object, const Value& patch, Arena& arena) {
  TRY(checkPatchDepth(patch));
  if (!patch.isMap()) {
    std::string_view kind = patch.isList() ? "array" : patch.isString() ? "string" : patch.isBool() ? "bool" : "number";
    if (patch.isNull()) return object.clone(arena);
    return badRequest(concat("error decoding patch: json: cannot unmarshal ", kind,
                             " into Go value of type map[string]interface {}"));
  }
  return merged(object, patch, arena).clone(arena);
}

}  // namespace skiff::api
