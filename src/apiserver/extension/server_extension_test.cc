// Dynamic admission through the whole server: from the request to what is stored.
#include <doctest/doctest.h>

#include "apiserver/test_server.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

constexpr std::string_view kAdmission = "/apis/admissionregistration.k8s.io/v1/";
constexpr std::string_view kDeployments = "/apis/apps/v1/namespaces/default/deployments";
constexpr std::string_view kMatch = R"("matchConstraints":{"resourceRules":[{"operations":["CREATE","UPDATE"],"apiGroups":["apps"],
  "apiVersions":["v1"],"resources":["deployments"]}]})";

std::string deployment(std::string_view name, int replicas) {
  return concat(R"({"metadata":{"name":")", name, R"("},"spec":{"replicas":)", replicas,
                R"(,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},)",
                R"("spec":{"containers":[{"name":"c","image":"i"}]}}}})");
}

}  // namespace

TEST_CASE("a validating policy guards creation and update") {
  TestServer server;
  auto policy = server.call("POST", concat(kAdmission, "validatingadmissionpolicies"),
                            concat(R"j({"metadata":{"name":"p"},"spec":{)j", kMatch,
                                   R"j(,"validations":[{"expression":"object.spec.replicas <= 5","message":"too many"}]}})j"));
  REQUIRE(policy.status == 201);
  CHECK(server.call("POST", kDeployments, deployment("before", 9)).status == 201);
  REQUIRE(server.call("POST", concat(kAdmission, "validatingadmissionpolicybindings"),
                      R"({"metadata":{"name":"b"},"spec":{"policyName":"p","validationActions":["Deny"]}})").status == 201);
  auto refused = server.call("POST", kDeployments, deployment("web", 6));
  CHECK(refused.status == 422);
  CHECK(refused.message() ==
        "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: too many");
  CHECK(server.call("POST", kDeployments, deployment("web", 5)).status == 201);
  CHECK(server.patch(concat(kDeployments, "/web"), "application/merge-patch+json", R"({"spec":{"replicas":6}})").status == 422);
  CHECK(server.call("DELETE", concat(kAdmission, "validatingadmissionpolicybindings/b")).status == 200);
  CHECK(server.patch(concat(kDeployments, "/web"), "application/merge-patch+json", R"({"spec":{"replicas":6}})").status == 200);
}

TEST_CASE("what a mutating policy adds is defaulted, stored and owned") {
  TestServer server;
  REQUIRE(server.call("POST", concat(kAdmission, "mutatingadmissionpolicies"),
                      concat(R"j({"metadata":{"name":"p"},"spec":{)j", kMatch,
                             R"j(,"reinvocationPolicy":"Never","mutations":[{"patchType":"ApplyConfiguration","applyConfiguration":{"expression":
                             "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{initContainers: [Object.spec.template.spec.initContainers{name: 'init', image: 'x'}]}}}}"}}]}})j"))
              .status == 201);
  REQUIRE(server.call("POST", concat(kAdmission, "mutatingadmissionpolicybindings"),
                      R"({"metadata":{"name":"b"},"spec":{"policyName":"p"}})").status == 201);
  auto created = server.call("POST", kDeployments, deployment("web", 1));
  REQUIRE(created.status == 201);
  auto stored = server.call("GET", concat(kDeployments, "/web"));
  const auto& init = stored.json()["spec"]["template"]["spec"]["initContainers"];
  REQUIRE(init.size() == 1);
  CHECK(init.at(0)["name"].asString() == "init");
  CHECK(init.at(0)["terminationMessagePolicy"].asString() == "File");
}

TEST_CASE("a custom resource is checked by the rules of its definition") {
  TestServer server;
  REQUIRE(server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                      R"j({"metadata":{"name":"foos.example.com"},"spec":{"group":"example.com","scope":"Namespaced",
    "names":{"plural":"foos","singular":"foo","kind":"Foo","listKind":"FooList"},"versions":[{"name":"v1","served":true,"storage":true,
    "schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"size":{"type":"integer"}},
    "x-kubernetes-validations":[{"rule":"self.size > 0"},{"rule":"self.size >= oldSelf.size","message":"may only grow"}]}}}}}]}})j")
              .status == 201);
  constexpr std::string_view kFoos = "/apis/example.com/v1/namespaces/default/foos";
  auto refused = server.call("POST", kFoos, R"({"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"a"},"spec":{"size":0}})");
  CHECK(refused.status == 422);
  CHECK(refused.message() == "Foo.example.com \"a\" is invalid: spec: Invalid value: failed rule: self.size > 0");
  CHECK(server.call("POST", kFoos, R"({"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"a"},"spec":{"size":2}})").status == 201);
  auto shrunk = server.patch(concat(kFoos, "/a"), "application/merge-patch+json", R"({"spec":{"size":1}})");
  CHECK(shrunk.status == 422);
  CHECK(shrunk.message().ends_with("spec: Invalid value: may only grow"));
}

TEST_CASE("webhooks whose conditions do not compile are refused") {
  TestServer server;
  auto refused = server.call("POST", concat(kAdmission, "validatingwebhookconfigurations"),
                             R"j({"metadata":{"name":"w"},"webhooks":[{"name":"w.example.com","clientConfig":{"url":"https://x.example.com/"},
    "sideEffects":"None","admissionReviewVersions":["v1"],"matchConditions":[{"name":"m","expression":"oops.x == 1"}]}]})j");
  CHECK(refused.status == 422);
  CHECK(refused.message().find("webhooks[0].matchConditions[0].expression: Invalid value: \"oops.x == 1\": compilation failed: ERROR: "
                               "<input>:1:1: undeclared reference to 'oops' (in container '')") != std::string::npos);
}
