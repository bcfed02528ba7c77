#include "controllers/hpa_logic.h"

#include <doctest/doctest.h>

#include "base/strings.h"

namespace skiff::controllers {
namespace {

MetricInput cpuInput(std::vector<int64_t> usage, int pods, int32_t target) {
  MetricInput input;
  input.resource = "cpu";
  input.utilization = target;
  input.currentReplicas = pods;
  for (int i = 0; i < pods; ++i) {
    auto pod = std::make_shared<Pod>();
    pod->metadata.name = concat("p", i);
    pod->status.phase = "Running";
    setCondition(pod->status.conditions, "Ready", "True", "", "", WallTime{});
    auto& container = pod->spec.containers.emplace_back();
    container.resources.requests["cpu"] = api::Quantity::ofMilli(100);
    input.pods.push_back(pod);
    if (size_t(i) < usage.size()) input.usage[pod->metadata.name] = usage[size_t(i)];
  }
  return input;
}

TEST_CASE("replicas follow the ratio of use to target, outside the tolerance") {
  CHECK(replicasForMetric(cpuInput({90, 90, 90}, 3, 30))->replicas == 9);
  CHECK(replicasForMetric(cpuInput({10, 10, 10, 10}, 4, 40))->replicas == 1);
  CHECK(replicasForMetric(cpuInput({52, 53}, 2, 50))->replicas == 2);
  CHECK(replicasForMetric(cpuInput({52, 53}, 2, 50))->utilization == 52);
  CHECK_FALSE(replicasForMetric(cpuInput({}, 2, 50)).ok());
  auto noRequest = cpuInput({50}, 1, 50);
  auto bare = std::make_shared<Pod>(*noRequest.pods[0]);
  bare->spec.containers[0].resources.requests.clear();
  noRequest.pods[0] = bare;
  CHECK(replicasForMetric(noRequest).error().message() == "missing request for cpu in pod p0");
}

TEST_CASE("what is not known dampens both ways") {
  // Two at four times the target, two unknown (taken as idle): 8 of 4 pods' worth, not 16.
  CHECK(replicasForMetric(cpuInput({200, 200}, 4, 50))->replicas == 8);
  // Two idle, two unknown (taken as at their request, twice the target): no shrinking.
  CHECK(replicasForMetric(cpuInput({0, 0}, 4, 50))->replicas == 4);
}

TEST_CASE("shrinking waits for the highest recommendation of the window; growth is bounded by policies") {
  HorizontalPodAutoscaler hpa;
  hpa.spec.minReplicas = 2;
  hpa.spec.maxReplicas = 20;
  ScaleHistory history;
  WallTime now(seconds(100000));
  CHECK(stabilize(history, hpa, 5, 8, now) == 8);
  CHECK(stabilize(history, hpa, 8, 3, now + seconds(60)) == 8);
  CHECK(stabilize(history, hpa, 8, 3, now + seconds(301)) == 3);
  std::string limit;
  CHECK(limitScale(history, hpa, 3, 15, now, &limit) == 7);
  CHECK(limit == "ScaleUpLimit");
  CHECK(limitScale(history, hpa, 15, 40, now, &limit) == 20);
  CHECK(limit == "TooManyReplicas");
  CHECK(limitScale(history, hpa, 5, 1, now, &limit) == 2);
  CHECK(limit == "TooFewReplicas");
  auto& rules = hpa.spec.behavior.emplace().scaleDown.emplace();
  rules.selectPolicy = "Disabled";
  CHECK(limitScale(history, hpa, 5, 3, now, &limit) == 5);
}

}  // namespace
}  // namespace skiff::controllers
