#include "kubelet/eviction_rules.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::kubelet {
namespace {

constexpr auto kTransition = std::chrono::minutes(5);
constexpr int32_t kCriticalPriority = 2000000000;

int64_t quantityIn(const std::map<std::string, api::Quantity>& list, std::string_view name) {
  auto it = list.find(std::string(name));
  return it == list.end() ? 0 : it->second.value();
}

std::string bytesText(int64_t bytes) { return api::Quantity::of(bytes, api::Quantity::Format::BinarySI).str(); }

}  // namespace

std::string_view Threshold::resource() const {
  return isMemory() ? "memory" : signal.ends_with("inodesFree") ? "inodes" : "ephemeral-storage";
}

Result<std::vector<Threshold>> parseThresholds(std::string_view text) {
  constexpr std::string_view kSignals[] = {"memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available"};
  std::vector<Threshold> out;
  for (std::string_view item : splitNonEmpty(text, ',')) {
    auto parts = cut(item, "<");
    if (!parts) return badRequest(concat("not an eviction threshold: ", quoted(item)));
    Threshold next;
    next.signal = std::string(trim(parts->first));
    const std::string_view amountText = trim(parts->second);
    if (std::find(std::begin(kSignals), std::end(kSignals), next.signal) == std::end(kSignals))
      return badRequest(concat("unknown eviction signal ", quoted(next.signal)));
    if (amountText.ends_with('%')) {
      auto percent = parseInt(amountText.substr(0, amountText.size() - 1));
      if (!percent || *percent < 0 || *percent > 100) return badRequest(concat("not a percentage: ", amountText));
      next.percent = int(*percent);
    } else {
      auto amount = api::Quantity::parse(amountText);
      if (!amount) return badRequest(concat("not a quantity: ", amountText));
      next.amount = amount->value();
    }
    out.push_back(std::move(next));
  }
  return out;
}

bool isCrossed(const Threshold& threshold, const Levels& levels) {
  auto it = levels.find(threshold.signal);
  if (it == levels.end() || it->second.capacity <= 0) return false;
  const Level& level = it->second;
  return level.available < threshold.of(level.capacity);
}

void Pressure::note(bool crossed, SteadyTime now) {
  if (crossed) {
    active_ = true;
    lastSeen_ = now;
  } else if (active_ && now - lastSeen_ >= kTransition) {
    active_ = false;
  }
}

bool isCritical(const Pod& pod) {
  return isStaticPod(pod) || isMirrorPod(pod) || pod.spec.priority.value_or(0) >= kCriticalPriority;
}

void rankForEviction(std::vector<Candidate>& pods) {
  std::erase_if(pods, [](const Candidate& c) { return isCritical(*c.pod); });
  std::stable_sort(pods.begin(), pods.end(), [](const Candidate& a, const Candidate& b) {
    const bool aAbove = a.usage > a.request, bAbove = b.usage > b.request;
    if (aAbove != bAbove) return aAbove;
    const int32_t aPriority = a.pod->spec.priority.value_or(0), bPriority = b.pod->spec.priority.value_or(0);
    if (aPriority != bPriority) return aPriority < bPriority;
    return a.usage - a.request > b.usage - b.request;
  });
}

std::string evictionMessage(const Threshold& threshold, const Level& level, const Candidate& victim) {
  const bool inodes = threshold.resource() == "inodes";
  auto amount = [&](int64_t value) { return inodes ? std::to_string(value) : bytesText(value); };
  std::string out = concat("The node was low on resource: ", threshold.resource(), ". Threshold quantity: ", amount(threshold.of(level.capacity)),
                           ", available: ", amount(level.available), ". ");
  for (const auto& [name, usage] : victim.containers) {
    const Container* container = nullptr;
    for (const auto& c : victim.pod->spec.containers)
      if (c.name == name) container = &c;
    const int64_t request = container != nullptr ? quantityIn(container->resources.requests, threshold.resource()) : 0;
    if (usage > request)
      out += concat("Container ", name, " was using ", bytesText(usage), ", request is ", bytesText(request),
                    ", has larger consumption of ", threshold.resource(), ". ");
  }
  return out;
}

bool limitsLocalStorage(const Pod& pod) {
  for (const auto& v : pod.spec.volumes)
    if (v.emptyDir && v.emptyDir->medium.empty() && v.emptyDir->sizeLimit) return true;
  for (const auto& c : pod.spec.containers)
    if (c.resources.limits.contains("ephemeral-storage")) return true;
  return false;
}

std::optional<std::string> exceededLimit(const Pod& pod, const LocalUsage& usage) {
  int64_t total = 0, allowed = 0;
  for (const auto& v : pod.spec.volumes) {
    auto used = usage.emptyDirs.find(v.name);
    if (!v.emptyDir || used == usage.emptyDirs.end()) continue;
    total += used->second;
    if (v.emptyDir->sizeLimit && v.emptyDir->sizeLimit->value() > 0 && used->second > v.emptyDir->sizeLimit->value())
      return concat("Usage of EmptyDir volume ", quoted(v.name), " exceeds the limit ", quoted(v.emptyDir->sizeLimit->str()), ". ");
  }
  bool allLimited = !pod.spec.containers.empty();
  for (const auto& c : pod.spec.containers) {
    const int64_t limit = quantityIn(c.resources.limits, "ephemeral-storage");
    auto used = usage.containers.find(c.name);
    const int64_t mine = used == usage.containers.end() ? 0 : used->second;
    total += mine;
    allowed += limit;
    if (limit == 0) allLimited = false;
    if (limit > 0 && mine > limit)
      return concat("Container ", c.name, " exceeded its local ephemeral storage limit ",
                    quoted(c.resources.limits.at("ephemeral-storage").str()), ". ");
  }
  if (allLimited && total > allowed)
    return concat("Pod ephemeral local storage usage exceeds the total limit of containers ", bytesText(allowed), ". ");
  return std::nullopt;
}

}  // namespace skiff::kubelet
