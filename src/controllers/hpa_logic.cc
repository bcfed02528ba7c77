#include "controllers/hpa_logic.h"

#include <cmath>

#include "base/strings.h"

namespace skiff::controllers {
namespace {

constexpr seconds kDefaultDownWindow{300};

int64_t requestOf(const Pod& pod, const MetricInput& input, bool* complete) {
  int64_t sum = 0;
  auto add = [&](const auto& container) {
    if (!input.container.empty() && container.name != input.container) return;
    auto it = container.resources.requests.find(input.resource);
    if (it == container.resources.requests.end()) *complete = false;
    else sum += it->second.milliValue();
  };
  for (const auto& container : pod.spec.containers) add(container);
  for (const auto& container : pod.spec.initContainers)
    if (container.restartPolicy == std::optional<std::string>("Always")) add(container);
  return sum;
}

const HPAScalingRules* rulesOf(const HorizontalPodAutoscaler& hpa, bool up) {
  if (!hpa.spec.behavior) return nullptr;
  const auto& rules = up ? hpa.spec.behavior->scaleUp : hpa.spec.behavior->scaleDown;
  return rules ? &*rules : nullptr;
}

int32_t changedSince(const std::vector<ScaleHistory::Entry>& entries, WallTime since) {
  int32_t sum = 0;
  for (const auto& entry : entries)
    if (entry.at > since) sum += entry.value;
  return sum;
}

// The furthest that the policies let the number go in one direction.
int32_t policyBound(const ScaleHistory& history, const HPAScalingRules& rules, int32_t current, bool up, WallTime now) {
  if (rules.selectPolicy == std::optional<std::string>("Disabled")) return current;
  bool least = rules.selectPolicy == std::optional<std::string>("Min");
  std::optional<int32_t> bound;
  for (const auto& policy : rules.policies) {
    WallTime since = now - seconds(policy.periodSeconds);
    int32_t start = current - changedSince(history.ups, since) + changedSince(history.downs, since);
    double step = policy.type == "Pods" ? policy.value : start * double(policy.value) / 100.0;
    int32_t limit = up ? int32_t(std::ceil(start + step)) : int32_t(std::floor(start - step));
    bool wider = !bound || (up ? limit > *bound : limit < *bound);
    if (!bound || wider != least) bound = limit;
  }
  if (!bound) return up ? INT32_MAX : 0;
  return up ? std::max(*bound, current) : std::min(*bound, current);
}

}  // namespace

Result<MetricAnswer> replicasForMetric(const MetricInput& input) {
  std::vector<const Pod*> measured, unready, missing;
  int64_t requests = 0;
  for (const auto& pod : input.pods) {
    if (isTerminating(*pod) || isTerminal(*pod)) continue;
    bool has = input.usage.contains(pod->metadata.name);
    if (pod->status.phase == "Pending" || (input.resource == "cpu" && has && !isReady(*pod))) unready.push_back(pod.get());
    else if (!has) missing.push_back(pod.get());
    else measured.push_back(pod.get());
    bool complete = true;
    requestOf(*pod, input, &complete);
    if (input.utilization && !complete)
      return internalError(concat("missing request for ", input.resource, " in pod ", pod->metadata.name));
  }
  if (measured.empty()) return internalError("did not receive metrics for targeted pods (pods might be unready)");
  int64_t usage = 0;
  bool complete = true;
  for (const Pod* pod : measured) {
    usage += input.usage.at(pod->metadata.name);
    requests += requestOf(*pod, input, &complete);
  }
  // With assumed values for pods that could not be measured.
  auto ratioOf = [&](int64_t used, int64_t requested, size_t count) {
    if (input.utilization) return requested == 0 ? 0.0 : double(used) * 100.0 / double(requested) / *input.utilization;
    return double(used) / double(count) / double(std::max<int64_t>(1, input.averageMilli.value_or(1)));
  };
  MetricAnswer answer;
  answer.averageMilli = usage / int64_t(measured.size());
  if (requests > 0) answer.utilization = int32_t(usage * 100 / requests);
  double ratio = ratioOf(usage, requests, measured.size());
  bool scaleUp = ratio > 1.0;
  answer.replicas = input.currentReplicas;
  if (missing.empty() && (unready.empty() || !scaleUp)) {
    if (std::abs(1.0 - ratio) > input.tolerance)
      answer.replicas = int32_t(std::ceil(ratio * double(measured.size()) - 1e-9));
    return answer;
  }
  size_t count = measured.size();
  // Never let ignorance scale: what is missing is taken as idle when growing, as fully used when shrinking.
  for (const Pod* pod : missing) {
    int64_t requested = requestOf(*pod, input, &complete);
    requests += requested;
    ++count;
    if (!scaleUp) usage += input.utilization ? requested : input.averageMilli.value_or(0);
  }
  if (scaleUp)
    for (const Pod* pod : unready) {
      requests += requestOf(*pod, input, &complete);
      ++count;
    }
  double newRatio = ratioOf(usage, requests, count);
  bool flips = (newRatio > 1.0) != scaleUp;
  if (flips || std::abs(1.0 - newRatio) <= input.tolerance) return answer;
  int32_t wanted = int32_t(std::ceil(newRatio * double(count) - 1e-9));
  bool backwards = scaleUp ? wanted < input.currentReplicas : wanted > input.currentReplicas;
  if (!backwards) answer.replicas = wanted;
  return answer;
}

int32_t stabilize(ScaleHistory& history, const HorizontalPodAutoscaler& hpa, int32_t current, int32_t desired,
                  WallTime now) {
  auto window = [&](bool up) {
    const HPAScalingRules* rules = rulesOf(hpa, up);
    if (rules != nullptr && rules->stabilizationWindowSeconds) return seconds(*rules->stabilizationWindowSeconds);
    return up ? seconds(0) : kDefaultDownWindow;
  };
  seconds upWindow = window(true), downWindow = window(false);
  std::erase_if(history.recommendations,
                [&](const auto& entry) { return entry.at < now - std::max(upWindow, downWindow); });
  // Not higher than the lowest of late, not lower than the highest of late.
  int32_t up = desired, down = desired;
  for (const auto& entry : history.recommendations) {
    if (entry.at > now - upWindow) up = std::min(up, entry.value);
    if (entry.at > now - downWindow) down = std::max(down, entry.value);
  }
  history.recommendations.push_back({now, desired});
  return std::clamp(current, std::min(up, down), std::max(up, down));
}

int32_t limitScale(const ScaleHistory& history, const HorizontalPodAutoscaler& hpa, int32_t current, int32_t desired,
                   WallTime now, std::string* limit) {
  limit->clear();
  int32_t least = hpa.spec.minReplicas.value_or(1), most = hpa.spec.maxReplicas;
  bool up = desired > current;
  if (desired != current) {
    HPAScalingRules defaults;
    if (up) {  // at most twice as many, or four more, in 15 seconds
      defaults.policies.resize(2);
      defaults.policies[0].type = "Pods";
      defaults.policies[0].value = 4;
      defaults.policies[1].type = "Percent";
      defaults.policies[1].value = 100;
      defaults.policies[0].periodSeconds = defaults.policies[1].periodSeconds = 15;
    } else {
      defaults.policies.resize(1);
      defaults.policies[0].type = "Percent";
      defaults.policies[0].value = 100;
      defaults.policies[0].periodSeconds = 15;
    }
    const HPAScalingRules* rules = rulesOf(hpa, up);
    if (rules == nullptr || (rules->policies.empty() && !rules->selectPolicy)) rules = &defaults;
    int32_t bound = policyBound(history, *rules, current, up, now);
    if (up ? desired > bound : desired < bound) {
      desired = bound;
      *limit = up ? "ScaleUpLimit" : "ScaleDownLimit";
    }
  }
  if (desired > most) {
    desired = most;
    *limit = "TooManyReplicas";
  } else if (desired < least) {
    desired = least;
    *limit = "TooFewReplicas";
  }
  return desired;
}

}  // namespace skiff::controllers
