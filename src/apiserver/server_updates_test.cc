// The whole server in process: what it says of changes that it refuses, and what it writes by itself.
#include <doctest/doctest.h>

#include "apiserver/test_server.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

constexpr std::string_view kCore = "/api/v1/namespaces/default/";
constexpr std::string_view kMerge = "application/merge-patch+json", kStrategic = "application/strategic-merge-patch+json";

std::string path(std::string_view rest) { return concat(kCore, rest); }

void makePod(TestServer& server, std::string_view spec) {
  server.call("POST", path("serviceaccounts"), R"({"metadata":{"name":"default"},"automountServiceAccountToken":false})");
  auto made = server.call("POST", path("pods"), concat(R"({"metadata":{"name":"a"},"spec":{)", spec,
                                                       R"("containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"1"}}}]}})"));
  REQUIRE(made.status == 201);
}

}  // namespace

TEST_CASE("a refused change of a pod shows what differs") {
  TestServer server;
  makePod(server, "");
  auto refused = server.patch(path("pods/a"), kMerge, R"({"spec":{"restartPolicy":"Never"}})");
  CHECK(refused.status == 422);
  CHECK(refused.message().find("\n- \"RestartPolicy\": \"Always\",\n+ \"RestartPolicy\": \"Never\",\n") != std::string_view::npos);
  CHECK(refused.message().find("\n@@ -") != std::string_view::npos);
}

TEST_CASE("a pod is resized only on a node that is there") {
  TestServer server;
  makePod(server, R"("nodeName":"n1",)");
  constexpr std::string_view kMore = R"({"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"2"}}}]}})";
  auto refused = server.patch(path("pods/a/resize"), kStrategic, std::string(kMore));
  CHECK(refused.status == 403);
  CHECK(refused.message() == "pods \"a\" is forbidden: node \"n1\" not found");
  REQUIRE(server.call("POST", "/api/v1/nodes", R"({"metadata":{"name":"n1"}})").status == 201);
  CHECK(server.patch(path("pods/a/resize"), kStrategic, std::string(kMore)).status == 200);
}

TEST_CASE("what a scale owns has no time") {
  TestServer server;
  constexpr std::string_view kSets = "/apis/apps/v1/namespaces/default/replicasets";
  REQUIRE(server.call("POST", kSets,
                      R"({"metadata":{"name":"a"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":
                          {"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})").status == 201);
  REQUIRE(server.patch(concat(kSets, "/a/scale"), kMerge, R"({"spec":{"replicas":3}})").status == 200);
  auto got = server.call("GET", concat(kSets, "/a"));
  const auto managers = got.json()["metadata"]["managedFields"];
  REQUIRE(managers.size() == 2);
  for (const auto& entry : managers.items()) CHECK(entry.has("time") == (entry["subresource"].asString() != "scale"));
}

TEST_CASE("an applied scale owns the replicas of the object behind it") {
  TestServer server;
  constexpr std::string_view kSet = "/apis/apps/v1/namespaces/default/replicasets/a", kApply = "application/apply-patch+yaml";
  auto apply = [&](std::string_view query, int replicas) {
    return server.patch(concat(kSet, "/scale?", query), kApply,
                        concat(R"({"apiVersion":"autoscaling/v1","kind":"Scale","spec":{"replicas":)", replicas, "}}"));
  };
  CHECK(apply("fieldManager=one", 3).status == 404);
  REQUIRE(server.call("POST", "/apis/apps/v1/namespaces/default/replicasets?fieldManager=maker",
                      R"({"metadata":{"name":"a"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":
                          {"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})").status == 201);
  auto refused = apply("fieldManager=one", 3);
  CHECK(refused.status == 409);
  CHECK(refused.message().find("conflict with \"maker\" using apps/v1: .spec.replicas") != std::string_view::npos);
  CHECK(apply("fieldManager=one&force=true", -1).status == 422);
  auto applied = apply("fieldManager=one&force=true", 3);
  REQUIRE(applied.status == 200);
  CHECK(applied.json()["kind"].asString() == "Scale");
  CHECK(applied.json()["spec"]["replicas"].asInt() == 3);
  auto got = server.call("GET", kSet);
  CHECK(got.json()["spec"]["replicas"].asInt() == 3);
  bool owned = false;
  for (const auto& entry : got.json()["metadata"]["managedFields"].items())
    owned = owned || (entry["manager"].asString() == "one" && entry["operation"].asString() == "Apply" &&
                      entry["subresource"].asString() == "scale" && entry["fieldsV1"]["f:spec"].has("f:replicas"));
  CHECK(owned);
}

TEST_CASE("a flow schema tells whether its priority level is there") {
  TestServer server;
  constexpr std::string_view kGroup = "/apis/flowcontrol.apiserver.k8s.io/v1/";
  auto watch = server.start("GET", concat(kGroup, "flowschemas?watch=1&resourceVersion=", server.store->revision()));
  // The next condition of "d" that is not `before`.
  auto next = [&](std::string_view before) {
    for (std::string line = watch->line(); !line.empty(); line = watch->line()) {
      codec::Arena arena;
      auto event = codec::parseJson(line, arena);
      const codec::Value& object = (*event)["object"];
      std::string_view status = object["status"]["conditions"].at(0)["status"].asString();
      if (object["metadata"]["name"].asString() == "d" && !status.empty() && status != before) return std::string(status);
    }
    return std::string();
  };
  REQUIRE(server.call("POST", concat(kGroup, "flowschemas"),
                      R"({"metadata":{"name":"d"},"spec":{"matchingPrecedence":1000,"priorityLevelConfiguration":{"name":"l"}}})")
              .status == 201);
  CHECK(next("") == "True");
  REQUIRE(server.call("POST", concat(kGroup, "prioritylevelconfigurations"),
                      R"({"metadata":{"name":"l"},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":1,
                          "limitResponse":{"type":"Reject"}}}})").status == 201);
  CHECK(next("True") == "False");
  REQUIRE(server.call("DELETE", concat(kGroup, "prioritylevelconfigurations/l")).status == 200);
  CHECK(next("False") == "True");
  watch->disconnect();
}

TEST_CASE("a body that is too large is refused with a Status") {
  TestServer server;
  net::Response refused = server.server->handler().refused({413, "request entity is too large", 1000});
  codec::Arena arena;
  REQUIRE(refused.body.size() == 1);
  auto body = codec::parseJson(refused.body[0].view(), arena);
  REQUIRE(body.ok());
  CHECK((*body)["kind"].asString() == "Status");
  CHECK((*body)["reason"].asString() == "RequestEntityTooLarge");
  CHECK((*body)["message"].asString() == "Request entity too large: limit is 1000");
}
