#include <doctest/doctest.h>

#include "kubelet/env.h"
#include "kubelet/test_util.h"

namespace skiff::kubelet {
namespace {

std::string expand(std::string_view text) {
  return expandVariables(text, [](std::string_view name) -> std::optional<std::string> {
    if (name == "A") return "1";
    if (name == "EMPTY") return "";
    return std::nullopt;
  });
}

std::string valueOf(const std::vector<cri::KeyValue>& env, std::string_view name) {
  for (const auto& v : env)
    if (v.key == name) return v.value;
  return "<absent>";
}

std::shared_ptr<const api::core::v1::Service> service(std::string name, std::string ip, int port, std::string portName = "") {
  auto s = std::make_shared<api::core::v1::Service>();
  s->metadata.name = std::move(name);
  s->spec.clusterIP = std::move(ip);
  s->spec.ports.resize(1);
  s->spec.ports[0].port = port;
  s->spec.ports[0].protocol = "TCP";
  s->spec.ports[0].name = std::move(portName);
  return s;
}

}  // namespace

TEST_CASE("$(VAR) is expanded, $$ escapes, the unknown stays") {
  CHECK(expand("x$(A)y") == "x1y");
  CHECK(expand("$(A)$(A)") == "11");
  CHECK(expand("[$(EMPTY)]") == "[]");
  CHECK(expand("$$(A)") == "$(A)");
  CHECK(expand("$$$(A)") == "$1");
  CHECK(expand("$(B)") == "$(B)");
  CHECK(expand("$(A") == "$(A");
  CHECK(expand("$") == "$");
  CHECK(expand("a$b") == "a$b");
  std::vector<std::string> missing;
  expandVariables("$(X)/$(Y)", [](std::string_view) { return std::nullopt; }, &missing);
  CHECK(missing == std::vector<std::string>{"X", "Y"});
}

TEST_CASE("the environment: envFrom, then env, then service links; later ones win") {
  FakeObjects objects;
  objects.maps["ns/m"].data = {{"K", "map"}, {"data-1", "odd name"}};
  objects.secrets["ns/s"].data = {{"K", "secret"}};
  objects.byNs["ns"] = {service("web-app", "10.0.0.1", 80, "http")};
  objects.byNs["default"] = {service("kubernetes", "10.96.0.1", 443)};
  Container c = containerNamed("c");
  c.envFrom.resize(2);
  c.envFrom[0].configMapRef.emplace().name = "m";
  c.envFrom[1].prefix = "P_";
  c.envFrom[1].secretRef.emplace().name = "s";
  auto plain = [](std::string name, std::string value) {
    api::core::v1::EnvVar v;
    v.name = std::move(name);
    v.value = std::move(value);
    return v;
  };
  c.env = {plain("X", "$(K)-$(P_K)"), plain("URL", "$(WEB_APP_PORT)"), plain("KUBERNETES_SERVICE_PORT", "1")};
  Pod pod = podWith({c});
  PodFacts facts{&pod, {"10.1.2.3"}, {"192.168.0.1"}, "node", {}};
  auto env = makeEnvironment(facts, c, objects);
  REQUIRE(env.ok());
  CHECK(valueOf(*env, "K") == "map");
  CHECK(valueOf(*env, "data-1") == "odd name");
  CHECK(valueOf(*env, "P_K") == "secret");
  CHECK(valueOf(*env, "X") == "map-secret");
  CHECK(valueOf(*env, "URL") == "tcp://10.0.0.1:80");
  CHECK(valueOf(*env, "WEB_APP_SERVICE_PORT_HTTP") == "80");
  CHECK(valueOf(*env, "WEB_APP_PORT_80_TCP_ADDR") == "10.0.0.1");
  CHECK(valueOf(*env, "KUBERNETES_SERVICE_HOST") == "10.96.0.1");
  CHECK(valueOf(*env, "KUBERNETES_SERVICE_PORT") == "1");

  pod.spec.enableServiceLinks = false;
  env = makeEnvironment(facts, c, objects);
  REQUIRE(env.ok());
  CHECK(valueOf(*env, "WEB_APP_SERVICE_HOST") == "<absent>");
  CHECK(valueOf(*env, "KUBERNETES_SERVICE_HOST") == "10.96.0.1");
}

TEST_CASE("missing references are errors in upstream's words, unless optional") {
  FakeObjects objects;
  objects.maps["ns/m"].data = {{"a", "1"}};
  Container c = containerNamed("c");
  c.env.resize(1);
  c.env[0].name = "X";
  auto& ref = c.env[0].valueFrom.emplace().configMapKeyRef.emplace();
  ref.name = "m";
  ref.key = "b";
  Pod pod = podWith({c});
  PodFacts facts{&pod, {}, {}, "node", {}};
  auto env = makeEnvironment(facts, c, objects);
  REQUIRE_FALSE(env.ok());
  CHECK(env.error().message() == "couldn't find key b in ConfigMap ns/m");
  c.env[0].valueFrom->configMapKeyRef->name = "other";
  CHECK(makeEnvironment(facts, c, objects).error().message() == "configmap \"other\" not found");
  c.env[0].valueFrom->configMapKeyRef->optional = true;
  env = makeEnvironment(facts, c, objects);
  REQUIRE(env.ok());
  CHECK(env->empty());
}

TEST_CASE("fields of the pod and resources") {
  Container c = containerNamed("c");
  c.resources.limits["cpu"] = *api::Quantity::parse("1250m");
  c.resources.requests["memory"] = *api::Quantity::parse("33Mi");
  Pod pod = podWith({c});
  pod.metadata.labels = {{"b", "2"}, {"a", "1"}};
  pod.metadata.annotations = {{"note", "two\nlines"}};
  PodFacts facts{&pod, {"10.1.2.3"}, {"192.168.0.1"}, "node", {{"memory", *api::Quantity::parse("1Gi")}}};
  CHECK(*fieldValue(facts, "metadata.labels['a']") == "1");
  CHECK(*fieldValue(facts, "metadata.labels['none']") == "");
  CHECK(*fieldValue(facts, "metadata.labels") == "a=\"1\"\nb=\"2\"");
  CHECK(*fieldValue(facts, "metadata.annotations") == "note=\"two\\nlines\"");
  CHECK(*fieldValue(facts, "status.podIP") == "10.1.2.3");
  CHECK(*fieldValue(facts, "spec.nodeName") == "node");
  CHECK_FALSE(fieldValue(facts, "spec.tolerations").ok());
  auto resource = [&](std::string name, std::string divisor) {
    api::core::v1::ResourceFieldSelector s;
    s.resource = std::move(name);
    if (!divisor.empty()) s.divisor = *api::Quantity::parse(divisor);
    return *resourceFieldValue(facts, s, "c");
  };
  CHECK(resource("limits.cpu", "") == "2");
  CHECK(resource("limits.cpu", "1m") == "1250");
  CHECK(resource("requests.memory", "1Mi") == "33");
  CHECK(resource("limits.memory", "1Mi") == "1024");  // none set: what the node has
}

}  // namespace skiff::kubelet
