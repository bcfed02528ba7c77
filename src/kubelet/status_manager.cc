#include "kubelet/status_manager.h"

#include <algorithm>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::kubelet {
namespace {

using codec::Value;

constexpr std::string_view kOwnConditions[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                                               "PodScheduled"};

bool isOwn(const api::core::v1::PodCondition& condition) {
  if (condition.type == "DisruptionTarget") return condition.reason == kTerminationByKubelet;
  return std::find(std::begin(kOwnConditions), std::end(kOwnConditions), condition.type) != std::end(kOwnConditions);
}

PodStatus ownPart(PodStatus status) {
  std::erase_if(status.conditions, [](const auto& c) { return !isOwn(c); });
  return status;
}

// Lists that the patch strategy would merge by key, but that must become exactly this.
void replaceList(Value& patch, codec::Arena& arena, std::string_view name) {
  Value* list = patch.find(name);
  if (list == nullptr || !list->isList()) return;
  Value directive = Value::map();
  directive.set(arena, "$patch", Value::string("replace"));
  list->insertAt(arena, 0, directive);
}

}  // namespace

std::string statusPatch(const Pod& pod, const PodStatus& before, const PodStatus& now) {
  codec::Arena arena;
  Value old = api::toValue(ownPart(before), arena), fresh = api::toValue(ownPart(now), arena);
  if (old == fresh) return {};
  Value changes = Value::map();
  for (const auto& member : fresh.members())
    if (!(old[member.key] == member.value)) changes.set(arena, member.key, member.value);
  for (const auto& member : old.members())
    if (!fresh.has(member.key)) changes.set(arena, member.key, Value::null());
  replaceList(changes, arena, "podIPs");
  replaceList(changes, arena, "hostIPs");
  Value patch = Value::map();
  if (!isStaticPod(pod)) {  // a static pod's mirror has a uid of its own
    Value metadata = Value::map();
    metadata.set(arena, "uid", Value::string(pod.metadata.uid));
    patch.set(arena, "metadata", metadata);
  }
  patch.set(arena, "status", changes);
  return codec::toJson(patch);
}

bool isOverwritten(const PodStatus& inApi, const PodStatus& ours) {
  return std::any_of(ours.conditions.begin(), ours.conditions.end(), [&](const auto& own) {
    return isOwn(own) && std::any_of(inApi.conditions.begin(), inApi.conditions.end(), [&](const auto& other) {
             return other.type == own.type && other.status != own.status;
           });
  });
}

Result<uint64_t> StatusManager::publish(const Pod& pod, const PodStatus& before, const PodStatus& now) {
  std::string patch = statusPatch(pod, before, now);
  if (patch.empty()) return 0;
  auto done = api_.patch<Pod>(pod.metadata.namespace_, pod.metadata.name, client::PatchType::StrategicMerge,
                              std::move(patch), {.subresource = "status"});
  if (done.ok()) return parseUint(done->metadata.resourceVersion).value_or(0);
  if (done.failedWith(Reason::NotFound)) return 0;
  if (done.failedWith(Reason::Conflict) && !isStaticPod(pod)) {
    // Either the pod is another by now, or writers were in each other's way: only the first is an end.
    auto current = api_.get<Pod>(pod.metadata.namespace_, pod.metadata.name);
    if (current.failedWith(Reason::NotFound) || (current.ok() && current->metadata.uid != pod.metadata.uid))
      return 0;
  }
  return std::move(done).error();
}

Status StatusManager::removePod(const Pod& pod) {
  if (isStaticPod(pod)) return okStatus();  // its file decides
  client::DeleteOptions options;
  options.gracePeriodSeconds = 0;
  options.uid = pod.metadata.uid;
  auto done = api_.remove<Pod>(pod.metadata.namespace_, pod.metadata.name, options);
  if (!done.ok() && !done.failedWith(Reason::NotFound) && !done.failedWith(Reason::Conflict)) return done;
  return okStatus();
}

}  // namespace skiff::kubelet
