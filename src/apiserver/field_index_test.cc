#include "apiserver/field_index.h"

#include <doctest/doctest.h>

#include "apiserver/test_server.h"
#include "apiserver/warm_objects.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

ServedResource pods() {
  ServedResource resource;
  resource.info = resource.storage = api::findResourceByKind("", "v1", "Pod");
  resource.prefix = "/registry/pods/";
  resource.warm = std::make_shared<WarmObjects>();
  return resource;
}

struct Indexed {
  void put(std::string_view name, std::string_view node) {
    std::string key = concat("/registry/pods/", name);
    auto slash = cut(name, "/");
    std::string json = concat(R"({"kind":"Pod","apiVersion":"v1","metadata":{"namespace":")", slash->first, R"(","name":")",
                              slash->second, R"("},"spec":{"nodeName":")", node, R"("}})");
    CHECK(store->commit({.key = key, .value = SharedBytes(json)})->applied);
  }
  void remove(std::string_view name) {
    CHECK(store->commit({.key = concat("/registry/pods/", name), .remove = true})->applied);
  }
  std::string find(std::string_view node, std::string_view ns = {}) {
    std::string prefix = concat("/registry/pods/", ns);
    auto found = index.find(*store, resource, prefix, node);
    REQUIRE(found.ok());
    CHECK(found->revision == store->revision());
    std::string out;
    for (const std::string& key : found->keys) out += key.substr(std::string_view("/registry/pods/").size()) + " ";
    return out;
  }
  ServedResource resource = pods();
  std::shared_ptr<store::Store> store = TestServer::inMemory();
  FieldIndex index{"spec.nodeName"};
};

}  // namespace

TEST_CASE("an index knows who has a value, by prefix and in order, and follows what is written") {
  Indexed pods;
  pods.put("b/x", "n1");
  pods.put("a/y", "n1");
  pods.put("a/z", "n2");
  CHECK(pods.find("n1") == "a/y b/x ");
  CHECK(pods.find("n1", "a/") == "a/y ");
  CHECK(pods.find("") == "");
  CHECK(pods.find("n3") == "");
  pods.put("a/y", "n2");    // moves
  pods.put("a/y", "n3");    // and again before anybody asks
  pods.put("a/new", "n1");
  pods.put("a/z", "n2");    // stays
  pods.remove("b/x");
  pods.put("b/gone", "n1");
  pods.remove("b/gone");
  pods.put("c/none", "");
  CHECK(pods.find("n1") == "a/new ");
  CHECK(pods.find("n2") == "a/z ");
  CHECK(pods.find("n3") == "a/y ");
  CHECK(pods.find("") == "c/none ");
}

TEST_CASE("an index that missed events is made anew") {
  Indexed pods;
  pods.put("a/x", "n1");
  CHECK(pods.find("n1") == "a/x ");
  pods.put("a/x", "n2");
  pods.put("a/y", "n1");
  pods.put("a/z", "n1");
  REQUIRE(pods.store->compact(pods.store->revision() - 1).ok());
  CHECK(pods.find("n1") == "a/y a/z ");
  CHECK(pods.find("n2") == "a/x ");
}

TEST_CASE("a list by spec.nodeName is what a look at every pod gives") {
  TestServer server;
  constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";
  auto create = [&](std::string_view name, std::string_view node, std::string_view tier) {
    auto made = server.call("POST", kPods,
                            concat(R"({"metadata":{"name":")", name, R"(","labels":{"tier":")", tier,
                                   R"("}},"spec":{"nodeName":")", node, R"(","containers":[{"name":"c","image":"i"}]}})"));
    REQUIRE(made.status == 201);
    return made.json()["metadata"]["resourceVersion"].str();
  };
  auto names = [&](std::string_view query) {
    auto listed = server.call("GET", concat(kPods, "?", query));
    REQUIRE(listed.status == 200);
    std::string out;
    for (const codec::Value& item : listed.json()["items"].items()) out += item["metadata"]["name"].str() + " ";
    return out;
  };
  auto account = server.call("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})");
  create("a", "n1", "x");
  std::string past = create("b", "n1", "y");
  CHECK(names("fieldSelector=spec.nodeName%3Dn1") == "a b ");
  create("c", "n2", "x");
  create("d", "n1", "x");
  CHECK(names("fieldSelector=spec.nodeName%3Dn1") == "a b d ");
  CHECK(names("fieldSelector=spec.nodeName%3Dn1&labelSelector=tier%3Dx") == "a d ");
  CHECK(names("fieldSelector=spec.nodeName%3Dn1,metadata.name%21%3Da") == "b d ");
  CHECK(names("fieldSelector=spec.nodeName%21%3Dn1") == "c ");
  CHECK(names("fieldSelector=spec.nodeName%3Dn1&limit=2") == "a b ");
  CHECK(names("fieldSelector=spec.nodeName%3Dn1&limit=3") == "a b d ");
  CHECK(names(concat("fieldSelector=spec.nodeName%3Dn1&resourceVersionMatch=Exact&resourceVersion=", past)) == "a b ");
  auto whole = server.call("GET", concat(kPods, "?fieldSelector=spec.nodeName%3Dnone"));
  CHECK(whole.json()["items"].isList());
  CHECK(whole.json()["metadata"]["resourceVersion"].asString() == std::to_string(server.store->revision()));
  CHECK(server.call("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2").json()["items"].size() == 1);
}
