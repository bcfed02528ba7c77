#include "api/conversion.h"

#include "api/conversion_impl.h"
#include "api/convert.h"
#include "api/form.h"
#include "base/strings.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
void rename(Value& object, Arena& arena, std::string_view from, std::string_view to) {
  const Value* found = object.find(from);
  if (!found) return;
  Value moved = *found;
  object.erase(from);
  object.set(arena, to, moved);
}

// ---- events -------------------------------------------------------------------------------------
// ----------------------------------------------------------------------------------------------------------

// core/v1 and events.k8s.io/v1 have one set of fields under two sets of names.
constexpr std::pair<std::string_view, std::string_view> kEventNames[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

void convertEvent(Value& event, bool toCore, Arena& arena) {
  for (const auto& [core, events] : kEventNames)
    toCore ? rename(event, arena, events, core) : rename(event, arena, core, events);
}

// ---- devices ------------------------------------------------------------------------------------
// ---------------------------------------------------------------------------------------------------------

// v1beta1 holds an exact request's fields beside the alternatives; later versions in a message of
// their own.
void nestRequest(Value& request, Arena& arena) {
  Value out = Value::map(), exactly = Value::map();
  for (const auto& member : request.members())
    (member.key == "name" || member.key == "firstAvailable" ? out : exactly)
        .append(arena, member.key, member.value);
  if (request["firstAvailable"].empty() && !exactly.empty()) out.append(arena, "exactly", exactly);
  request = out;
}
void flattenRequest(Value& request, Arena& arena) {
  Value exactly = request["exactly"];
  request.erase("exactly");
  for (const auto& member : exactly.members()) request.set(arena, member.key, member.value);
}

// v1beta1 keeps all but a device's name in "basic".
void nestDevice(Value& device, Arena& arena) {
  Value out = Value::map(), basic = Value::map();
  for (const auto& member : device.members())
    (member.key == "name" ? out : basic).append(arena, member.key, member.value);
  out.append(arena, "basic", basic);
  device = out;
}
void flattenDevice(Value& device, Arena& arena) {
  Value basic = device["basic"];
  device.erase("basic");
  for (const auto& member : basic.members()) device.set(arena, member.key, member.value);
}

Value* at(Value& object, std::initializer_list<std::string_view> path) {
  Value* value = &object;
  for (auto name : path)
    if (value) value = value->find(name);
  return value;
}

void convertDevices(Value& object, const TypeInfo& from, const TypeInfo& to, Arena& arena) {
  bool fromOld = from.version == "v1beta1", toOld = to.version == "v1beta1";
  if (fromOld == toOld) return;
  Value* list = nullptr;
  void (*change)(Value&, Arena&) = nullptr;
  if (from.name == "ResourceSlice") {
    list = at(object, {"spec", "devices"});
    change = toOld ? nestDevice : flattenDevice;
  } else if (from.name == "ResourceClaim" || from.name == "ResourceClaimTemplate") {
    bool isTemplate = from.name == "ResourceClaimTemplate";
    list = isTemplate ? at(object, {"spec", "spec", "devices", "requests"})
                      : at(object, {"spec", "devices", "requests"});
    change = toOld ? flattenRequest : nestRequest;
  }
  if (!list) return;
  for (auto& item : list->items()) change(item, arena);
}

// A list converts item by item; its kinds are named after those of its items.
const TypeInfo* itemType(const TypeInfo& list) {
  if (!list.isKind || !list.name.ends_with("List")) return nullptr;
  const FieldInfo* items = list.field("items");
  return items ? items->type : nullptr;
}

Status convertForm(Value& object, const TypeInfo& from, const TypeInfo& to, Arena& arena) {
  if (const TypeInfo* item = itemType(from)) {
    const TypeInfo* other = itemType(to);
    Value* items = object.find("items");
    if (!items || !other) return okStatus();
    for (auto& value : items->items()) TRY(convertForm(value, *item, *other, arena));
    return okStatus();
  }
  if (from.name == "Event" && from.package != to.package)
    convertEvent(object, to.package == "core/v1", arena);
  if (from.name == "HorizontalPodAutoscaler" && from.version != to.version)
    return to.version == "v1" ? autoscalerToV1(object, arena) : autoscalerToV2(object, arena);
  if (from.group == "resource.k8s.io") convertDevices(object, from, to, arena);
  return okStatus();
}
}  // namespace

Status convert(Value& object, const TypeInfo& from, const TypeInfo& to, Arena& arena) {
  if (&from == &to) return okStatus();
  if (from.name != to.name)
    return internalError(concat("cannot convert ", from.name, " to ", to.name));
  TRY(convertForm(object, from, to, arena));
  object.set(arena, "kind", Value::string(to.name));
  object.set(arena, "apiVersion", Value::text(arena, apiVersionOf(to)));
  DecodeReport lost;
  return conform(object, to, arena, lost);
}

}  // namespace skiff::api
