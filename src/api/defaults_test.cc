#include <doctest/doctest.h>

#include "api/convert.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;

namespace {
codec::Value defaulted(codec::Arena& arena, const char* package, const char* kind,
                       std::string_view json) {
  auto value = codec::parseJson(json, arena);
  REQUIRE(value.ok());
  DecodeReport report;
  const TypeInfo& type = *findType(package, kind);
  REQUIRE(conform(*value, type, arena, report).ok());
  applyDefaults(*value, type, arena);
  // Defaulting must leave a canonical tree: conforming it again changes nothing.
  auto before = codec::toJson(*value);
  REQUIRE(conform(*value, type, arena, report).ok());
  CHECK(codec::toJson(*value) == before);
  applyDefaults(*value, type, arena);
  CHECK(codec::toJson(*value) == before);
  return *value;
}
}  // namespace

TEST_CASE("a pod template is filled in") {
  codec::Arena arena;
  auto d = defaulted(arena, "apps/v1", "Deployment",
                     R"({"spec":{"template":{"spec":{"hostNetwork":true,"containers":[
      {"name":"a","image":"nginx","ports":[{"containerPort":80}],"livenessProbe":{"httpGet":{"port":80}}},
      {"name":"b","image":"r:5000/nginx","imagePullPolicy":"Never"},{"name":"c","image":"nginx:1"}],"volumes":[{"name":"v"}]}}}})");
  CHECK(codec::toJson(d["spec"]["strategy"]) ==
        R"({"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}})");
  CHECK(d["spec"]["replicas"].asInt() == 1);
  const auto& spec = d["spec"]["template"]["spec"];
  CHECK(spec["restartPolicy"].asString() == "Always");
  CHECK(spec["securityContext"].isMap());
  CHECK(codec::toJson(spec["volumes"]) == R"([{"name":"v","emptyDir":{}}])");
  CHECK(!spec.has("enableServiceLinks"));  // of pods only
  const auto& a = spec["containers"].at(0);
  CHECK(codec::toJson(a["ports"]) == R"([{"containerPort":80,"protocol":"TCP"}])");
  CHECK(
      codec::toJson(a["livenessProbe"]) ==
      R"({"httpGet":{"path":"/","port":80,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3})");
  CHECK(a["imagePullPolicy"].asString() == "Always");
  CHECK(spec["containers"].at(1)["imagePullPolicy"].asString() == "Never");
  CHECK(spec["containers"].at(2)["imagePullPolicy"].asString() == "IfNotPresent");
}

TEST_CASE("a pod's requests follow its limits and are kept to the thousandth") {
  codec::Arena arena;
  auto pod = defaulted(arena, "core/v1", "Pod",
                       R"({"spec":{"hostNetwork":true,"containers":[{"name":"a","image":"i",
      "ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1500u","memory":"1Gi"},"requests":{"cpu":"1m"}}}]}})");
  const auto& c = pod["spec"]["containers"].at(0);
  CHECK(codec::toJson(c["resources"]) ==
        R"({"limits":{"cpu":"2m","memory":"1Gi"},"requests":{"cpu":"1m","memory":"1Gi"}})");
  CHECK(c["ports"].at(0)["hostPort"].asInt() == 80);
  CHECK(pod["spec"]["enableServiceLinks"].asBool());
}

TEST_CASE("defaults that depend on other fields") {
  codec::Arena arena;
  auto service = defaulted(
      arena, "core/v1", "Service",
      R"({"spec":{"type":"NodePort","ports":[{"port":80},{"port":1,"targetPort":"x"}]}})");
  CHECK(
      codec::toJson(service["spec"]["ports"]) ==
      R"([{"protocol":"TCP","port":80,"targetPort":80},{"protocol":"TCP","port":1,"targetPort":"x"}])");
  CHECK(service["spec"]["externalTrafficPolicy"].asString() == "Cluster");
  CHECK(!defaulted(arena, "core/v1", "Service", R"({"spec":{}})")["spec"].has(
      "externalTrafficPolicy"));

  auto job =
      defaulted(arena, "batch/v1", "Job",
                R"({"spec":{"parallelism":2,"template":{"metadata":{"labels":{"a":"b"}}}}})");
  CHECK(!job["spec"].has("completions"));
  CHECK(job["metadata"]["labels"]["a"].asString() == "b");

  auto secret =
      defaulted(arena, "core/v1", "Secret", R"({"stringData":{"a":"b"},"data":{"c":"ZA=="}})");
  CHECK(codec::toJson(secret["data"]) == R"({"a":"Yg==","c":"ZA=="})");
  CHECK(secret["type"].asString() == "Opaque");

  auto hpa = defaulted(arena, "autoscaling/v2", "HorizontalPodAutoscaler",
                       R"({"spec":{"behavior":{"scaleUp":{"selectPolicy":"Min"}}}})");
  CHECK(hpa["spec"]["behavior"]["scaleUp"]["selectPolicy"].asString() == "Min");
  CHECK(hpa["spec"]["behavior"]["scaleUp"]["policies"].size() == 2);

  auto range = defaulted(
      arena, "core/v1", "LimitRange",
      R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"min":{"memory":"1Mi"}}]}})");
  CHECK(codec::toJson(range["spec"]["limits"].at(0)["defaultRequest"]) ==
        R"({"cpu":"2","memory":"1Mi"})");
}

TEST_CASE("every default in the tables is JSON that fits its field") {
  codec::Arena arena;
  for (const auto& gv : builtinGroupVersions())
    for (const TypeInfo* type : gv.types)
      for (const auto& field : type->fields) {
        if (field.defaultJson.empty()) continue;
        CAPTURE(type->name);
        CAPTURE(field.json);
        auto value = codec::parseJson(field.defaultJson, arena);
        REQUIRE(value.ok());
        codec::Value object = codec::Value::map();
        object.append(arena, field.json, *value);
        DecodeReport report;
        CHECK(conform(object, *type, arena, report).ok());
      }
}
