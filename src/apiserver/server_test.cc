// The whole server in process: what clients see of create, read, update, patch, delete, list and watch.
#include <doctest/doctest.h>

#include "apiserver/test_server.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

constexpr std::string_view kMaps = "/api/v1/namespaces/default/configmaps";

std::string configMap(std::string_view name, std::string_view rest = {}) {
  return concat(R"({"metadata":{"name":")", name, R"("})", rest, "}");
}
std::string at(std::string_view name) { return concat(kMaps, '/', name); }

codec::Document event(const std::string& line) {
  codec::Document document;
  if (auto parsed = codec::parseJson(line, document.arena); parsed.ok()) document.root = *parsed;
  return document;
}

}  // namespace

TEST_CASE("objects are created, read, updated and deleted") {
  TestServer server;
  auto created = server.call("POST", kMaps, configMap("a", R"(,"data":{"k":"v"})"));
  REQUIRE(created.status == 201);
  CHECK(created.json()["kind"].asString() == "ConfigMap");
  CHECK(created.json()["metadata"]["namespace"].asString() == "default");
  CHECK(!created.json()["metadata"]["uid"].asString().empty());
  std::string version = created.json()["metadata"]["resourceVersion"].str();

  CHECK(server.call("POST", kMaps, configMap("a")).status == 409);
  CHECK(server.call("GET", at("a")).json()["data"]["k"].asString() == "v");

  auto updated = server.call("PUT", at("a"), configMap("a", R"(,"data":{"k":"w"})"));
  REQUIRE(updated.status == 200);
  CHECK(updated.json()["metadata"]["resourceVersion"].asString() != version);
  CHECK(updated.json()["metadata"]["uid"] == created.json()["metadata"]["uid"]);

  auto stale = server.call("PUT", at("a"),
                           concat(R"({"metadata":{"name":"a","resourceVersion":")", version, R"("},"data":{"k":"x"}})"));
  CHECK(stale.status == 409);
  CHECK(stale.json()["reason"].asString() == "Conflict");
  CHECK(server.call("GET", at("a")).json()["data"]["k"].asString() == "w");

  // Writing what is there already spends no revision.
  auto same = server.call("PUT", at("a"), configMap("a", R"(,"data":{"k":"w"})"));
  CHECK(same.json()["metadata"]["resourceVersion"] == updated.json()["metadata"]["resourceVersion"]);

  auto deleted = server.call("DELETE", at("a"));
  CHECK(deleted.status == 200);
  CHECK(deleted.json()["status"].asString() == "Success");
  auto gone = server.call("GET", at("a"));
  CHECK(gone.status == 404);
  CHECK(gone.message() == "configmaps \"a\" not found");
}

TEST_CASE("a dry run changes nothing") {
  TestServer server;
  auto revision = server.store->revision();
  CHECK(server.call("POST", concat(kMaps, "?dryRun=All"), configMap("a")).status == 201);
  CHECK(server.call("GET", at("a")).status == 404);
  CHECK(server.store->revision() == revision);
}

TEST_CASE("names are generated from a prefix") {
  TestServer server;
  auto created = server.call("POST", kMaps, R"({"metadata":{"generateName":"job-"}})");
  REQUIRE(created.status == 201);
  std::string_view name = created.json()["metadata"]["name"].asString();
  CHECK(name.starts_with("job-"));
  CHECK(name.size() == 9);
}

TEST_CASE("an object with finalizers waits for the last one") {
  TestServer server;
  server.call("POST", kMaps, R"({"metadata":{"name":"a","finalizers":["x.io/a"]}})");
  auto deleted = server.call("DELETE", at("a"));
  CHECK(deleted.status == 200);
  CHECK(deleted.json()["metadata"]["deletionTimestamp"].isString());
  CHECK(server.call("GET", at("a")).status == 200);
  auto more = server.patch(at("a"), "application/merge-patch+json", R"({"metadata":{"finalizers":["x.io/a","x.io/b"]}})");
  CHECK(more.status == 422);
  auto last = server.patch(at("a"), "application/merge-patch+json", R"({"metadata":{"finalizers":null}})");
  CHECK(last.status == 200);
  CHECK(server.call("GET", at("a")).status == 404);
}

// As upstream: of its kinds these two leave what they own behind, and only one says so.
TEST_CASE("some kinds orphan their dependents by default") {
  constexpr std::string_view kTemplate =
      R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{"restartPolicy":"RESTART","containers":[{"name":"c","image":"i"}]}}}})";
  auto body = [&](std::string_view spec, std::string_view restart) {
    std::string text = concat(R"({"metadata":{"name":"x","finalizers":["x.io/hold"]},"spec":{)", spec, kTemplate);
    return text.replace(text.find("RESTART"), 7, restart);
  };
  struct Case {
    std::string_view path, options, finalizers;
    bool warns;
  };
  const std::string job = body("", "Never"), controller = body(R"("selector":{"a":"b"},)", "Always");
  const std::string replicaSet = body(R"("selector":{"matchLabels":{"a":"b"}},)", "Always");
  const Case cases[] = {
      {"/apis/batch/v1/namespaces/default/jobs", "", R"(["x.io/hold","orphan"])", true},
      {"/apis/batch/v1/namespaces/default/jobs", "?propagationPolicy=Background", R"(["x.io/hold"])", false},
      {"/apis/batch/v1/namespaces/default/jobs", "?orphanDependents=false", R"(["x.io/hold"])", false},
      {"/api/v1/namespaces/default/replicationcontrollers", "", R"(["x.io/hold","orphan"])", false},
      {"/apis/apps/v1/namespaces/default/replicasets", "", R"(["x.io/hold"])", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.path);
    TestServer server;
    const std::string& object = c.path.ends_with("jobs") ? job : c.path.ends_with("replicasets") ? replicaSet : controller;
    REQUIRE(server.call("POST", c.path, object).status == 201);
    auto deleted = server.call("DELETE", concat(c.path, "/x", c.options));
    CHECK(deleted.headers.get("warning").starts_with("299 - \"child pods are preserved by default") == c.warns);
    CHECK(codec::toJson(server.call("GET", concat(c.path, "/x")).json()["metadata"]["finalizers"]) == c.finalizers);
  }
}

TEST_CASE("preconditions of a deletion are checked") {
  TestServer server;
  server.call("POST", kMaps, configMap("a"));
  auto refused = server.call("DELETE", at("a"), R"({"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"x"}})");
  CHECK(refused.status == 409);
  CHECK(server.call("GET", at("a")).status == 200);
}

TEST_CASE("patches of every kind are applied") {
  TestServer server;
  server.call("POST", kMaps, configMap("a", R"(,"data":{"k":"v"})"));
  CHECK(server.patch(at("a"), "application/merge-patch+json", R"({"data":{"m":"1"}})").json()["data"]["m"].asString() == "1");
  CHECK(server.patch(at("a"), "application/json-patch+json", R"([{"op":"replace","path":"/data/k","value":"j"}])")
            .json()["data"]["k"].asString() == "j");
  CHECK(server.patch(at("a"), "application/strategic-merge-patch+json", R"({"data":{"s":"2"}})").json()["data"]["s"].asString() == "2");
  auto applied = server.patch(concat(at("b"), "?fieldManager=me"), "application/apply-patch+yaml",
                              "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\ndata:\n  k: v\n");
  CHECK(applied.status == 201);
  const codec::Value& owner = applied.json()["metadata"]["managedFields"].at(0);
  CHECK(owner["manager"].asString() == "me");
  CHECK(owner["operation"].asString() == "Apply");
  auto conflict = server.patch(concat(at("b"), "?fieldManager=you"), "application/apply-patch+yaml",
                               "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\ndata:\n  k: w\n");
  CHECK(conflict.status == 409);
  CHECK(server.patch(at("a"), "application/json", "{}").status == 415);
}

TEST_CASE("a list comes in pages of one state") {
  TestServer server;
  for (std::string_view name : {"a", "b", "c"}) server.call("POST", kMaps, configMap(name));
  auto first = server.call("GET", concat(kMaps, "?limit=2"));
  REQUIRE(first.json()["items"].size() == 2);
  CHECK(first.json()["metadata"]["remainingItemCount"].asInt() == 1);
  std::string token = first.json()["metadata"]["continue"].str();
  REQUIRE(!token.empty());
  server.call("DELETE", at("c"));
  auto second = server.call("GET", concat(kMaps, "?limit=2&continue=", token));
  REQUIRE(second.json()["items"].size() == 1);
  CHECK(second.json()["items"].at(0)["metadata"]["name"].asString() == "c");
  CHECK(!second.json()["metadata"].has("continue"));
  CHECK(second.json()["metadata"]["resourceVersion"] == first.json()["metadata"]["resourceVersion"]);
  CHECK(!first.json()["items"].at(0).has("kind"));
  CHECK(server.call("GET", concat(kMaps, "?limit=2&continue=zzz")).status == 400);
}

TEST_CASE("a page of a forgotten state is Expired and tells how to go on") {
  TestServer server;
  for (std::string_view name : {"a", "b"}) server.call("POST", kMaps, configMap(name));
  auto first = server.call("GET", concat(kMaps, "?limit=1"));
  server.call("POST", kMaps, configMap("c"));
  REQUIRE(server.store->compact(server.store->revision()).ok());
  auto expired = server.call("GET", concat(kMaps, "?limit=1&continue=", first.json()["metadata"]["continue"].asString()));
  CHECK(expired.status == 410);
  CHECK(expired.json()["reason"].asString() == "Expired");
  std::string token = expired.json()["metadata"]["continue"].str();
  auto next = server.call("GET", concat(kMaps, "?continue=", token));
  CHECK(next.status == 200);
  CHECK(next.json()["items"].size() == 2);
}

TEST_CASE("selectors choose objects") {
  TestServer server;
  server.call("POST", kMaps, R"({"metadata":{"name":"a","labels":{"x":"1"}}})");
  server.call("POST", kMaps, R"({"metadata":{"name":"b","labels":{"x":"2"}}})");
  CHECK(server.call("GET", concat(kMaps, "?labelSelector=x%3D1")).json()["items"].size() == 1);
  CHECK(server.call("GET", concat(kMaps, "?fieldSelector=metadata.name%3Db")).json()["items"].size() == 1);
  CHECK(server.call("GET", concat(kMaps, "?fieldSelector=metadata.name%21%3Db")).json()["items"].size() == 1);
  CHECK(server.call("GET", concat(kMaps, "?fieldSelector=data.x%3Db")).status == 400);
}

TEST_CASE("a watch tells what enters and leaves its selection") {
  TestServer server;
  server.call("POST", kMaps, R"({"metadata":{"name":"old","labels":{"x":"1"}}})");
  auto watch = server.start("GET", concat(kMaps, "?watch=1&labelSelector=x%3D1"));
  auto first = event(watch->line());
  CHECK(first.root["type"].asString() == "ADDED");
  CHECK(first.root["object"]["metadata"]["name"].asString() == "old");

  server.call("POST", kMaps, configMap("a"));
  server.patch(at("a"), "application/merge-patch+json", R"({"metadata":{"labels":{"x":"1"}}})");
  CHECK(event(watch->line()).root["type"].asString() == "ADDED");
  server.patch(at("a"), "application/merge-patch+json", R"({"data":{"k":"v"}})");
  CHECK(event(watch->line()).root["type"].asString() == "MODIFIED");
  auto left = server.patch(at("a"), "application/merge-patch+json", R"({"metadata":{"labels":{"x":"2"}}})");
  auto gone = event(watch->line());
  CHECK(gone.root["type"].asString() == "DELETED");
  CHECK(gone.root["object"]["metadata"]["resourceVersion"] == left.json()["metadata"]["resourceVersion"]);
  server.call("DELETE", at("old"));
  auto deleted = event(watch->line());
  CHECK(deleted.root["type"].asString() == "DELETED");
  CHECK(deleted.root["object"]["metadata"]["name"].asString() == "old");
  watch->disconnect();
}

TEST_CASE("a watch from a revision gives what came after it, and bookmarks end the initial events") {
  TestServer server;
  auto a = server.call("POST", kMaps, configMap("a"));
  server.call("POST", kMaps, configMap("b"));
  auto watch = server.start("GET", concat(kMaps, "?watch=1&resourceVersion=", a.json()["metadata"]["resourceVersion"].asString()));
  CHECK(event(watch->line()).root["object"]["metadata"]["name"].asString() == "b");
  watch->disconnect();

  auto marked = server.start("GET", concat(kMaps, "?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"));
  CHECK(event(marked->line()).root["type"].asString() == "ADDED");
  CHECK(event(marked->line()).root["type"].asString() == "ADDED");
  auto mark = event(marked->line());
  CHECK(mark.root["type"].asString() == "BOOKMARK");
  CHECK(mark.root["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"].asString() == "true");
  marked->disconnect();
}

TEST_CASE("a watch of a forgotten revision ends with an ERROR event") {
  TestServer server;
  server.call("POST", kMaps, configMap("a"));
  server.call("POST", kMaps, configMap("b"));
  REQUIRE(server.store->compact(server.store->revision()).ok());
  auto watch = server.start("GET", concat(kMaps, "?watch=1&resourceVersion=1"));
  auto error = event(watch->line());
  CHECK(error.root["type"].asString() == "ERROR");
  CHECK(error.root["object"]["code"].asInt() == 410);
  CHECK(watch->wait());
}

TEST_CASE("answers take the form that is asked for") {
  TestServer server;
  server.call("POST", kMaps, configMap("a"));
  auto table = server.call("GET", kMaps, "", {{"accept", "application/json;as=Table;v=v1;g=meta.k8s.io"}});
  CHECK(table.json()["kind"].asString() == "Table");
  CHECK(table.json()["rows"].at(0)["cells"].at(0).asString() == "a");
  auto partial = server.call("GET", kMaps, "", {{"accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}});
  CHECK(partial.json()["kind"].asString() == "PartialObjectMetadataList");
  auto yaml = server.call("GET", at("a"), "", {{"accept", "application/yaml"}});
  CHECK(yaml.body.find("kind: ConfigMap") != std::string::npos);
  auto protobuf = server.call("GET", at("a"), "", {{"accept", "application/vnd.kubernetes.protobuf"}});
  CHECK(protobuf.body.starts_with(std::string_view("k8s\0", 4)));
  auto back = server.call("PUT", at("a"), protobuf.body, {{"content-type", "application/vnd.kubernetes.protobuf"}});
  CHECK(back.status == 200);
  CHECK(server.call("GET", kMaps, "", {{"accept", "text/html"}}).status == 406);
}

TEST_CASE("unknown fields warn, are ignored or refused") {
  TestServer server;
  std::string body = R"({"metadata":{"name":"a"},"frob":1})";
  CHECK(server.call("POST", concat(kMaps, "?dryRun=All"), body).headers.get("warning") == "299 - \"unknown field \\\"frob\\\"\"");
  CHECK(!server.call("POST", concat(kMaps, "?dryRun=All&fieldValidation=Ignore"), body).headers.has("warning"));
  CHECK(server.call("POST", concat(kMaps, "?dryRun=All&fieldValidation=Strict"), body).status == 400);
}

TEST_CASE("hostile bodies get a clear refusal") {
  TestServer server;
  CHECK(server.call("POST", kMaps, "{bad").status == 400);
  CHECK(server.call("POST", kMaps, "").status == 400);
  CHECK(server.call("POST", kMaps, std::string(100000, '[')).status == 400);
  CHECK(server.call("POST", kMaps, std::string_view("k8s\0\xff\xff\xff", 7).data(),
                    {{"content-type", "application/vnd.kubernetes.protobuf"}}).status == 400);
  CHECK(server.call("PATCH", at("none"), "{", {{"content-type", "application/merge-patch+json"}}).status == 400);
  CHECK(server.call("GET", "/api/v1/namespaces/%ff/configmaps/%00").status == 404);
}

TEST_CASE("custom resources are served as soon as they are defined, and go with their definition") {
  TestServer server;
  constexpr std::string_view kDefinitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  auto defined = server.call("POST", kDefinitions, R"({
    "metadata":{"name":"foos.example.com"},
    "spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"foos","kind":"Foo"},"versions":[{"name":"v1",
      "served":true,"storage":true,"subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas",
      "statusReplicasPath":".status.replicas"}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
        "spec":{"type":"object","required":["size"],"properties":{"size":{"type":"integer","minimum":1},
        "replicas":{"type":"integer","default":2}}},"status":{"type":"object","properties":{"replicas":{"type":"integer"}}}}}}}]}})");
  REQUIRE_MESSAGE(defined.status == 201, defined.body);
  auto definition = server.call("GET", concat(kDefinitions, "/foos.example.com"));
  CHECK(definition.json()["status"]["conditions"].size() == 2);
  CHECK(definition.json()["spec"]["names"]["singular"].asString() == "foo");

  std::string_view foos = "/apis/example.com/v1/namespaces/default/foos";
  CHECK(server.call("GET", foos).json()["kind"].asString() == "FooList");
  auto invalid = server.call("POST", foos, R"({"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"a"},"spec":{"size":0}})");
  CHECK(invalid.status == 422);
  CHECK(invalid.message() == "Foo.example.com \"a\" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1");
  auto created = server.call("POST", foos,
                             R"({"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"a"},"spec":{"size":3,"frob":1},"status":{"replicas":9}})");
  REQUIRE_MESSAGE(created.status == 201, created.body);
  CHECK(created.json()["spec"]["replicas"].asInt() == 2);
  CHECK(!created.json()["spec"].has("frob"));
  CHECK(!created.json().has("status"));
  CHECK(created.json()["metadata"]["generation"].asInt() == 1);

  auto scaled = server.patch(concat(foos, "/a/scale"), "application/merge-patch+json", R"({"spec":{"replicas":5}})");
  CHECK(scaled.json()["spec"]["replicas"].asInt() == 5);
  auto status = server.patch(concat(foos, "/a/status"), "application/merge-patch+json", R"({"spec":{"size":9},"status":{"replicas":1}})");
  CHECK(status.json()["spec"]["size"].asInt() == 3);
  CHECK(status.json()["status"]["replicas"].asInt() == 1);
  CHECK(status.json()["metadata"]["generation"].asInt() == 2);

  CHECK(server.call("DELETE", concat(kDefinitions, "/foos.example.com")).status == 200);
  // Instances are deleted by a worker; a watch of the definition tells when all is over.
  auto watch = server.start("GET", concat(kDefinitions, "?watch=1&fieldSelector=metadata.name%3Dfoos.example.com"));
  for (std::string line = watch->line(); !line.empty(); line = watch->line())
    if (event(line).root["type"].asString() == "DELETED") break;
  watch->disconnect();
  CHECK(server.call("GET", concat(kDefinitions, "/foos.example.com")).status == 404);
  // The event is out a moment before the worker has taken the resource off the map.
  int code = 200;
  for (int i = 0; i < 100000 && code == 200; ++i) code = server.call("GET", foos).status;
  CHECK(code == 404);
  CHECK(server.store->count("/registry/example.com/foos/", "/registry/example.com/foos0") == 0);
}

TEST_CASE("an autoscaler has one form in each version") {
  TestServer server;
  auto created = server.call("POST", "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
                             R"({"metadata":{"name":"h"},"spec":{"maxReplicas":3,"targetCPUUtilizationPercentage":50,
                             "scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"}}})");
  REQUIRE_MESSAGE(created.status == 201, created.body);
  CHECK(created.json()["apiVersion"].asString() == "autoscaling/v1");
  CHECK(created.json()["spec"]["targetCPUUtilizationPercentage"].asInt() == 50);
  auto v2 = server.call("GET", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h");
  CHECK(v2.json()["spec"]["metrics"].at(0)["resource"]["target"]["averageUtilization"].asInt() == 50);
}

TEST_CASE("many writers of one object all succeed") {
  TestServer server;
  server.call("POST", kMaps, configMap("a"));
  std::vector<std::shared_ptr<TestWriter>> writers;
  auto pool = rt::Executor::create({.name = "test", .maxThreads = 8, .maxQueue = 100});
  std::atomic<int> good = 0;
  for (int i = 0; i < 32; ++i)
    pool->submit([&, i] {
      auto answer = server.patch(at("a"), "application/merge-patch+json", concat(R"({"data":{"k)", i, R"(":"v"}})"));
      good += answer.status == 200;
    });
  pool->stop();
  CHECK(good == 32);
  CHECK(server.call("GET", at("a")).json()["data"].size() == 32);
}
