// Two API servers on one etcd, in one process.
#include <doctest/doctest.h>

#include <set>

#include "apiserver/test_server.h"
#include "store/etcd/etcd_store.h"
#include "store/etcd/fake_etcd.h"

namespace skiff::apiserver {
namespace {

constexpr std::string_view kConfigMaps = "/api/v1/namespaces/default/configmaps";

std::shared_ptr<store::Store> connect(store::etcd::FakeEtcd& etcd) {
  store::EtcdOptions options;
  options.compactionInterval = {};
  auto opened = store::etcd::EtcdStore::create(std::move(options), etcd.connect());
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

ApiServerOptions named(std::string address) {
  ApiServerOptions options;
  options.advertiseAddress = std::move(address);
  return options;
}

struct Pair {
  store::etcd::FakeEtcd etcd;
  TestServer a{connect(etcd), named("192.0.2.1")};
  TestServer b{connect(etcd), named("192.0.2.2")};
};

// What follows from another server's write comes a moment later. Only a broken server makes a test wait this long.
template <class Check>
bool eventually(Check check) {
  SteadyTime deadline = Clock::real().steadyNow() + seconds(20);
  while (!check())
    if (Clock::real().steadyNow() > deadline) return false;
  return true;
}

TEST_CASE("what one server has acknowledged the other knows") {
  Pair pair;
  auto made = pair.a.call("POST", kConfigMaps, R"({"metadata":{"name":"c"}})");
  REQUIRE(made.status == 201);
  auto read = pair.b.call("GET", "/api/v1/namespaces/default/configmaps/c");
  CHECK(read.status == 200);
  CHECK(read.body == made.body);
  CHECK(pair.b.call("GET", kConfigMaps).json()["items"].size() == 1);
  // The version that one has given is the other's precondition.
  auto updated = pair.b.call("PUT", "/api/v1/namespaces/default/configmaps/c", made.body);
  CHECK(updated.status == 200);
  CHECK(pair.a.call("DELETE", "/api/v1/namespaces/default/configmaps/c").status == 200);
  CHECK(pair.b.call("POST", kConfigMaps, R"({"metadata":{"name":"c"}})").status == 201);
}

TEST_CASE("a definition made at one server is served by the other, and goes with its instances") {
  Pair pair;
  constexpr std::string_view kDefinition =
      R"({"metadata":{"name":"foos.shared.io"},"spec":{"group":"shared.io","scope":"Namespaced",)"
      R"("names":{"plural":"foos","singular":"foo","kind":"Foo","listKind":"FooList"},"versions":[{"name":"v1","served":true,)"
      R"("storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}})";
  constexpr std::string_view kDefinitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  constexpr std::string_view kFoos = "/apis/shared.io/v1/namespaces/default/foos";
  std::string foo = R"({"apiVersion":"shared.io/v1","kind":"Foo","metadata":{"name":"f"},"spec":{"x":1}})";
  REQUIRE(pair.a.call("POST", kDefinitions, std::string(kDefinition)).status == 201);
  CHECK(eventually([&] { return pair.b.call("POST", kFoos, foo).status == 201; }));
  CHECK(pair.a.call("GET", "/apis/shared.io/v1/namespaces/default/foos/f").json()["spec"]["x"].asInt() == 1);
  std::string one = concat(kDefinitions, "/foos.shared.io");
  CHECK(pair.b.call("DELETE", one).status == 200);
  CHECK(eventually([&] { return pair.a.call("GET", one).status == 404 && pair.a.call("GET", kFoos).status == 404; }));
  CHECK_FALSE(pair.etcd.get("/registry/shared.io/foos/default/f").has_value());
}

TEST_CASE("rights given at one server hold at the other") {
  Pair pair;
  UserInfo admin = pair.b.user, nobody{"nobody", "", {"system:authenticated"}, {}};
  auto readAs = [&](const UserInfo& user) {
    pair.b.user = user;
    return pair.b.call("GET", kConfigMaps).status;
  };
  CHECK(readAs(nobody) == 403);
  REQUIRE(pair.a.call("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
                      R"({"metadata":{"name":"r"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},)"
                      R"("subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"nobody"}]})").status == 201);
  CHECK(readAs(admin) == 200);  // from here on the other server has seen the binding
  CHECK(readAs(nobody) == 200);
}

TEST_CASE("services of both servers get addresses and ports of their own") {
  Pair pair;
  std::set<std::string> addresses;
  std::set<int64_t> ports;
  constexpr std::string_view kServices = "/api/v1/namespaces/default/services";
  for (int i = 0; i < 8; ++i) {
    TestServer& server = i % 2 == 0 ? pair.a : pair.b;
    auto made = server.call("POST", kServices, concat(R"({"metadata":{"name":"s)", i, R"("},"spec":{"type":"NodePort","ports":[{"port":80}]}})"));
    REQUIRE(made.status == 201);
    addresses.insert(made.json()["spec"]["clusterIP"].str());
    ports.insert(made.json()["spec"]["ports"].at(0)["nodePort"].asInt());
  }
  CHECK(addresses.size() == 8);
  CHECK(ports.size() == 8);
  std::string address = *addresses.begin();
  auto taken = pair.b.call("POST", kServices, concat(R"({"metadata":{"name":"t"},"spec":{"clusterIP":")", address, R"(","ports":[{"port":80}]}})"));
  CHECK(taken.status == 422);
  CHECK(pair.etcd.get(concat("/registry/ipaddresses/", address)).has_value());
  for (int i = 0; i < 8; ++i) CHECK(pair.b.call("DELETE", concat(kServices, "/s", i)).status == 200);
  CHECK_FALSE(pair.etcd.get(concat("/registry/ipaddresses/", address)).has_value());
}

TEST_CASE("the endpoints of the service kubernetes are the servers that live") {
  auto addresses = [](TestServer& server) {
    auto endpoints = server.call("GET", "/api/v1/namespaces/default/endpoints/kubernetes");
    std::vector<std::string> out;
    for (const codec::Value& address : endpoints.json()["subsets"].at(0)["addresses"].items()) out.push_back(address["ip"].str());
    return out;
  };
  store::etcd::FakeEtcd etcd;
  TestServer a(connect(etcd), named("192.0.2.1"));
  {
    TestServer b(connect(etcd), named("192.0.2.2"));
    CHECK(addresses(a) == std::vector<std::string>{"192.0.2.1", "192.0.2.2"});
  }
  CHECK(addresses(a) == std::vector<std::string>{"192.0.2.1"});
}

TEST_CASE("without etcd what must be new is refused, and what was known is read on") {
  Pair pair;
  REQUIRE(pair.a.call("POST", kConfigMaps, R"({"metadata":{"name":"c"}})").status == 201);
  pair.etcd.setDown(true);
  CHECK(pair.a.call("GET", "/api/v1/namespaces/default/configmaps/c").status == 503);
  CHECK(pair.a.call("POST", kConfigMaps, R"({"metadata":{"name":"d"}})").status == 503);
  CHECK(pair.a.call("GET", "/readyz").status == 500);
  CHECK(pair.a.call("GET", "/api/v1/namespaces/default/configmaps/c?resourceVersion=0").status == 200);
  pair.etcd.setDown(false);
  CHECK(pair.a.call("POST", kConfigMaps, R"({"metadata":{"name":"d"}})").status == 201);
}

}  // namespace
}  // namespace skiff::apiserver
