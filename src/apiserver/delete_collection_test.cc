#include <doctest/doctest.h>

#include "apiserver/test_server.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

constexpr std::string_view kMaps = "/api/v1/namespaces/default/configmaps";
constexpr int kCount = 50;

std::string nameOf(int i) { return concat("m", 100 + i); }

void createAll(TestServer& server) {
  for (int i = 0; i < kCount; ++i) {
    std::string_view group = i % 2 == 0 ? "even" : "odd";
    REQUIRE(server.call("POST", kMaps, concat(R"({"metadata":{"name":")", nameOf(i), R"(","labels":{"group":")", group,
                                              R"("}}})")).status == 201);
  }
}

size_t left(TestServer& server) { return server.call("GET", kMaps).json()["items"].size(); }

}  // namespace

TEST_CASE("the objects of a collection that are selected go, and are answered in order") {
  TestServer server;
  createAll(server);
  auto dry = server.call("DELETE", concat(kMaps, "?dryRun=All"));
  CHECK(dry.status == 200);
  CHECK(left(server) == kCount);
  auto deleted = server.call("DELETE", concat(kMaps, "?labelSelector=group%3Deven"));
  REQUIRE(deleted.status == 200);
  REQUIRE(deleted.json()["items"].size() == kCount / 2);
  for (int i = 0; i < kCount / 2; ++i)
    CHECK(deleted.json()["items"].at(size_t(i))["metadata"]["name"].asString() == nameOf(2 * i));
  CHECK(left(server) == kCount / 2);
  CHECK(server.call("DELETE", kMaps).json()["items"].size() == kCount / 2);
  CHECK(left(server) == 0);
}

TEST_CASE("an object that cannot go ends the deletion with the first error in order") {
  TestServer server;
  createAll(server);
  std::string uid = server.call("GET", concat(kMaps, '/', nameOf(0))).json()["metadata"]["uid"].str();
  auto refused = server.call("DELETE", kMaps, concat(R"({"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":")",
                                                     uid, R"("}})"));
  CHECK(refused.status == 409);
  CHECK(refused.message().find(concat('"', nameOf(1), '"')) != std::string_view::npos);
  CHECK(server.call("GET", concat(kMaps, '/', nameOf(0))).status == 404);
  CHECK(left(server) == kCount - 1);
}
