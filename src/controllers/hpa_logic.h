// The arithmetic of the horizontal pod autoscaler.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "controllers/pod_util.h"
#include "gen/autoscaling_v2.h"

namespace skiff::controllers {

using api::autoscaling::v2::HorizontalPodAutoscaler;
using api::autoscaling::v2::HPAScalingRules;

// One resource metric against its target. Usage is in milli units by pod name; pods without it are missing.
struct MetricInput {
  int32_t currentReplicas = 0;
  std::vector<PodPtr> pods;
  std::map<std::string, int64_t> usage;
  std::string resource;                 // "cpu"
  std::string container;                // "": all of the pod
  std::optional<int32_t> utilization;   // percent of the requests
  std::optional<int64_t> averageMilli;  // or an amount per pod
  double tolerance = 0.1;
};
struct MetricAnswer {
  int32_t replicas = 0;
  int32_t utilization = 0;   // percent, when the target is one
  int64_t averageMilli = 0;
};
Result<MetricAnswer> replicasForMetric(const MetricInput& input);

// What past recommendations and scalings allow at `now`.
struct ScaleHistory {
  struct Entry {
    WallTime at;
    int32_t value;  // a recommendation, or a change in replicas
  };
  std::vector<Entry> recommendations, ups, downs;
};
int32_t stabilize(ScaleHistory& history, const HorizontalPodAutoscaler& hpa, int32_t current, int32_t desired, WallTime now);
// The bounds of the scaling policies and of the spec; *limit names the one that cut, or is empty.
int32_t limitScale(const ScaleHistory& history, const HorizontalPodAutoscaler& hpa, int32_t current, int32_t desired,
                   WallTime now, std::string* limit);

}  // namespace skiff::controllers
