#include "controllers/pod_util.h"

#include "base/strings.h"

namespace skiff::controllers {

bool isAvailable(const Pod& pod, int32_t minReadySeconds, WallTime now) {
  const PodCondition* ready = findCondition(pod.status.conditions, "Ready");
  if (ready == nullptr || ready->status != "True") return false;
  if (minReadySeconds == 0) return true;
  return !ready->lastTransitionTime.isZero() && ready->lastTransitionTime.value + seconds(minReadySeconds) <= now;
}

std::optional<milliseconds> untilAvailable(const Pod& pod, int32_t minReadySeconds, WallTime now) {
  const PodCondition* ready = findCondition(pod.status.conditions, "Ready");
  if (ready == nullptr || ready->status != "True" || minReadySeconds == 0) return std::nullopt;
  WallTime at = ready->lastTransitionTime.value + seconds(minReadySeconds);
  if (at <= now) return std::nullopt;
  return std::chrono::ceil<milliseconds>(at - now);
}

Pod podFromTemplate(const PodTemplateSpec& from, std::string_view ns, std::string_view ownerName) {
  Pod pod;
  pod.metadata.namespace_ = std::string(ns);
  pod.metadata.generateName = concat(ownerName, "-");
  pod.metadata.labels = from.metadata.labels;
  pod.metadata.annotations = from.metadata.annotations;
  pod.metadata.finalizers = from.metadata.finalizers;
  pod.spec = from.spec;
  return pod;
}

std::string safeEncode(std::string_view text) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  for (char c : text) out += kAlphabet[uint8_t(c) % kAlphabet.size()];
  return out;
}

std::string templateHash(std::string_view json, std::optional<int32_t> collisionCount) {
  std::string text(json);
  if (collisionCount) text += std::to_string(*collisionCount);
  return safeEncode(std::to_string(fnv32a(text)));
}

}  // namespace skiff::controllers
