#include "client/node_selector.h"

#include <doctest/doctest.h>

#include "api/typed.h"

namespace skiff::client {
namespace {

bool wants(std::string_view spec) {
  auto pod = api::fromJson<api::core::v1::Pod>(std::string("{\"spec\":") + std::string(spec) + "}");
  auto node = api::fromJson<api::core::v1::Node>(R"({"metadata":{"name":"n","labels":{"zone":"a","cores":"8"}}})");
  REQUIRE(pod.ok());
  REQUIRE(node.ok());
  return matchesNodeAffinity(pod->spec, *node);
}

bool wantsTerms(std::string terms) {
  return wants(R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[)" + terms + "]}}}}");
}

bool requires_(std::string requirement) { return wantsTerms(R"({"matchExpressions":[)" + requirement + "]}"); }

}  // namespace

TEST_CASE("a pod that says nothing takes any node; its selector must fit") {
  CHECK(wants("{}"));
  CHECK(wants(R"({"nodeSelector":{"zone":"a"}})"));
  CHECK_FALSE(wants(R"({"nodeSelector":{"zone":"b"}})"));
  CHECK_FALSE(wants(R"({"nodeSelector":{"none":""}})"));
}

TEST_CASE("one of the terms must fit, with all of its requirements") {
  CHECK(requires_(R"({"key":"zone","operator":"In","values":["b","a"]})"));
  CHECK_FALSE(requires_(R"({"key":"none","operator":"In","values":["a"]})"));
  CHECK(requires_(R"({"key":"none","operator":"NotIn","values":["a"]})"));
  CHECK(requires_(R"({"key":"none","operator":"DoesNotExist"})"));
  CHECK(requires_(R"({"key":"zone","operator":"Exists"})"));
  CHECK(requires_(R"({"key":"cores","operator":"Gt","values":["7"]})"));
  CHECK_FALSE(requires_(R"({"key":"cores","operator":"Lt","values":["8"]})"));
  CHECK_FALSE(requires_(R"({"key":"zone","operator":"Gt","values":["7"]})"));
  CHECK_FALSE(requires_(R"({"key":"zone","operator":"Exists"},{"key":"none","operator":"Exists"})"));
  CHECK(wantsTerms(R"({"matchFields":[{"key":"metadata.name","operator":"In","values":["m"]}]},
                     {"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]})"));
  CHECK_FALSE(wantsTerms("{}"));
  CHECK_FALSE(wantsTerms(""));
}

}  // namespace skiff::client
