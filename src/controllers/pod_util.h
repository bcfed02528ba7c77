// Readings of a pod's state that several controllers share.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gen/core_v1.h"

namespace skiff::controllers {

using api::core::v1::Pod;
using api::core::v1::PodCondition;
using api::core::v1::PodTemplateSpec;
using PodPtr = std::shared_ptr<const Pod>;

// The condition of that type in any list of conditions; null when there is none.
template <class Condition>
const Condition* findCondition(const std::vector<Condition>& conditions, std::string_view type) {
  for (const Condition& condition : conditions)
    if (condition.type == type) return &condition;
  return nullptr;
}
template <class Condition>
void removeCondition(std::vector<Condition>& conditions, std::string_view type) {
  std::erase_if(conditions, [&](const Condition& c) { return c.type == type; });
}
// Sets status, reason and message; the transition time moves only with the status. True when something changed.
template <class Condition>
bool setCondition(std::vector<Condition>& conditions, std::string_view type, std::string_view status,
                  std::string_view reason, std::string_view message, WallTime now) {
  for (Condition& condition : conditions) {
    if (condition.type != type) continue;
    if (condition.status == status && condition.reason == reason && condition.message == message) return false;
    if (condition.status != status) condition.lastTransitionTime = {now};
    condition.status = std::string(status);
    condition.reason = std::string(reason);
    condition.message = std::string(message);
    return true;
  }
  Condition fresh;
  fresh.type = std::string(type);
  fresh.status = std::string(status);
  fresh.reason = std::string(reason);
  fresh.message = std::string(message);
  fresh.lastTransitionTime = {now};
  conditions.push_back(std::move(fresh));
  return true;
}
template <class Condition>
bool conditionIs(const std::vector<Condition>& conditions, std::string_view type, std::string_view status) {
  const Condition* condition = findCondition(conditions, type);
  return condition != nullptr && condition->status == status;
}

inline bool isTerminating(const Pod& pod) { return pod.metadata.deletionTimestamp.has_value(); }
inline bool isTerminal(const Pod& pod) { return pod.status.phase == "Succeeded" || pod.status.phase == "Failed"; }
inline bool isActive(const Pod& pod) { return !isTerminal(pod) && !isTerminating(pod); }
inline bool isReady(const Pod& pod) { return conditionIs(pod.status.conditions, "Ready", "True"); }
// Ready for at least minReadySeconds.
bool isAvailable(const Pod& pod, int32_t minReadySeconds, WallTime now);
// When a ready pod that is not yet available will be.
std::optional<milliseconds> untilAvailable(const Pod& pod, int32_t minReadySeconds, WallTime now);

// A pod of a template: labels, annotations, finalizers and spec; named after its owner by the API server.
Pod podFromTemplate(const PodTemplateSpec& from, std::string_view ns, std::string_view ownerName);

// The alphabet of names: a number's text in letters and digits that spell no words.
std::string safeEncode(std::string_view text);
// pod-template-hash and its like: stable over restarts, moved by collisionCount.
std::string templateHash(std::string_view json, std::optional<int32_t> collisionCount);

}  // namespace skiff::controllers
