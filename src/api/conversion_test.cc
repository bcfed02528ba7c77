#include "api/conversion.h"

#include <doctest/doctest.h>

#include "api/convert.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;
using codec::Value;

namespace {
Value conformed(codec::Arena& arena, const TypeInfo& type, std::string_view json) {
  auto value = codec::parseJson(json, arena);
  REQUIRE(value.ok());
  DecodeReport report;
  auto status = conform(*value, type, arena, report);
  REQUIRE_MESSAGE(status.ok(), json);
  for (const auto& field : report.unknownFields) FAIL(field);
  return *value;
}
const TypeInfo& type(std::string_view package, std::string_view name) {
  const TypeInfo* found = findType(package, name);
  REQUIRE(found);
  return *found;
}
}  // namespace

TEST_CASE("events have two sets of names") {
  codec::Arena arena;
  const TypeInfo& core = type("core/v1", "Event");
  const TypeInfo& events = type("events/v1", "Event");
  Value event = conformed(
      arena, core, R"({"kind":"Event","apiVersion":"v1","involvedObject":{"kind":"Pod","name":"p"},
      "reason":"R","message":"m","source":{"component":"c"},"firstTimestamp":"2020-01-01T00:00:00Z","count":2,
      "type":"Normal","reportingComponent":"x","reportingInstance":"i"})");
  std::string before = codec::toJson(event);
  REQUIRE(convert(event, core, events, arena).ok());
  CHECK(event["apiVersion"].asString() == "events.k8s.io/v1");
  CHECK(event["regarding"]["name"].asString() == "p");
  CHECK(event["note"].asString() == "m");
  CHECK(event["deprecatedCount"].asInt() == 2);
  CHECK(event["reportingController"].asString() == "x");
  REQUIRE(convert(event, events, core, arena).ok());
  CHECK(codec::toJson(event) == before);
}

TEST_CASE("an autoscaler goes through v1 without loss") {
  codec::Arena arena;
  const TypeInfo& v2 = type("autoscaling/v2", "HorizontalPodAutoscaler");
  const TypeInfo& v1 = type("autoscaling/v1", "HorizontalPodAutoscaler");
  Value hpa = conformed(
      arena, v2,
      R"({"kind":"HorizontalPodAutoscaler","apiVersion":"autoscaling/v2","metadata":{"name":"h"},
      "spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"maxReplicas":3,
      "metrics":[{"type":"ContainerResource","containerResource":{"name":"memory","container":"c","target":{"type":"AverageValue","averageValue":"100Mi"}}},
        {"type":"Pods","pods":{"metric":{"name":"m","selector":{"matchLabels":{"a":"b"}}},"target":{"type":"AverageValue","averageValue":"1k"}}},
        {"type":"Object","object":{"describedObject":{"kind":"Service","name":"s"},"target":{"type":"Value","value":"10"},"metric":{"name":"o"}}},
        {"type":"External","external":{"metric":{"name":"e"},"target":{"type":"AverageValue","averageValue":"30"}}},
        {"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60}}}],
      "behavior":{"scaleUp":{"stabilizationWindowSeconds":0}}},
      "status":{"desiredReplicas":1,"currentMetrics":[{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":7}}}],
      "conditions":[{"type":"AbleToScale","status":"True","lastTransitionTime":"2020-01-01T00:00:00Z"}]}})");
  std::string before = codec::toJson(hpa);
  REQUIRE(convert(hpa, v2, v1, arena).ok());
  CHECK(hpa["spec"]["targetCPUUtilizationPercentage"].asInt() == 60);
  CHECK(hpa["status"]["currentCPUUtilizationPercentage"].asInt() == 7);
  CHECK(!hpa["spec"].has("metrics"));
  CHECK(hpa["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]
            .asString()
            .starts_with(R"([{"type":"ContainerResource","containerResource":{"name":"memory",)"));
  REQUIRE(convert(hpa, v1, v2, arena).ok());
  CHECK(codec::toJson(hpa) == before);
}

TEST_CASE("a malformed annotation stays an annotation") {
  codec::Arena arena;
  const TypeInfo& v2 = type("autoscaling/v2", "HorizontalPodAutoscaler");
  const TypeInfo& v1 = type("autoscaling/v1", "HorizontalPodAutoscaler");
  Value hpa = conformed(
      arena, v1, R"({"metadata":{"annotations":{"autoscaling.alpha.kubernetes.io/metrics":"{bad"}},
      "spec":{"maxReplicas":1,"targetCPUUtilizationPercentage":80}})");
  REQUIRE(convert(hpa, v1, v2, arena).ok());
  CHECK(hpa["metadata"]["annotations"].size() == 1);
  CHECK(hpa["spec"]["metrics"].size() == 1);
}

TEST_CASE("devices and their requests are nested in v1beta1") {
  codec::Arena arena;
  const TypeInfo& slice = type("resource/v1", "ResourceSlice");
  const TypeInfo& oldSlice = type("resource/v1beta1", "ResourceSlice");
  Value value =
      conformed(arena, slice,
                R"({"kind":"ResourceSlice","apiVersion":"resource.k8s.io/v1","spec":{"driver":"d",
      "pool":{"name":"p"},"devices":[{"name":"a","attributes":{"x":{"int":1}},"capacity":{"m":{"value":"1Gi"}}}]}})");
  std::string before = codec::toJson(value);
  REQUIRE(convert(value, slice, oldSlice, arena).ok());
  CHECK(value["spec"]["devices"].at(0)["basic"]["attributes"]["x"]["int"].asInt() == 1);
  REQUIRE(convert(value, oldSlice, slice, arena).ok());
  CHECK(codec::toJson(value) == before);

  const TypeInfo& claims = type("resource/v1", "ResourceClaimList");
  const TypeInfo& oldClaims = type("resource/v1beta1", "ResourceClaimList");
  value = conformed(
      arena, claims,
      R"({"kind":"ResourceClaimList","apiVersion":"resource.k8s.io/v1","items":[{"spec":{"devices":{"requests":[
      {"name":"r","exactly":{"deviceClassName":"c","allocationMode":"ExactCount","count":2}},
      {"name":"s","firstAvailable":[{"name":"t","deviceClassName":"u","allocationMode":"All"}]}]}}}]})");
  before = codec::toJson(value);
  REQUIRE(convert(value, claims, oldClaims, arena).ok());
  const auto& requests = value["items"].at(0)["spec"]["devices"]["requests"];
  CHECK(requests.at(0)["count"].asInt() == 2);
  CHECK(requests.at(1)["firstAvailable"].size() == 1);
  REQUIRE(convert(value, oldClaims, claims, arena).ok());
  CHECK(codec::toJson(value) == before);
}

TEST_CASE("versions of one form change their name") {
  codec::Arena arena;
  const TypeInfo& v1 = type("coordination/v1", "Lease");
  const TypeInfo& beta = type("coordination/v1beta1", "Lease");
  Value lease = conformed(
      arena, v1,
      R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1","spec":{"holderIdentity":"a"}})");
  REQUIRE(convert(lease, v1, beta, arena).ok());
  CHECK(lease["apiVersion"].asString() == "coordination.k8s.io/v1beta1");
  CHECK(lease["spec"]["holderIdentity"].asString() == "a");
  CHECK(!convert(lease, beta, type("core/v1", "Pod"), arena).ok());
}
