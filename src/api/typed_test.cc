#include "api/typed.h"

#include <doctest/doctest.h>

#include "api/object.h"
#include "gen/authentication_v1.h"
#include "gen/core_v1.h"

using namespace skiff;
using namespace skiff::api;

namespace {
constexpr std::string_view kPod =
    R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","creationTimestamp":"2020-01-01T00:00:00Z",)"
    R"("labels":{"x":"y"}},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","image":"i",)"
    R"("resources":{"requests":{"cpu":"100m"}},"livenessProbe":{"httpGet":{"port":"http"},"periodSeconds":5}}],)"
    R"("terminationGracePeriodSeconds":0},"status":{}})";
}

TEST_CASE("a struct has the object's fields and gives the same JSON") {
  auto pod = fromJson<core::v1::Pod>(kPod);
  REQUIRE(pod.ok());
  CHECK(pod->metadata.labels.at("x") == "y");
  CHECK(pod->spec.volumes.at(0).emptyDir);
  CHECK(pod->spec.containers.at(0).resources.requests.at("cpu").milliValue() == 100);
  CHECK(pod->spec.containers.at(0).livenessProbe->httpGet->port.str() == "http");
  CHECK(pod->spec.terminationGracePeriodSeconds == 0);
  CHECK(!pod->spec.activeDeadlineSeconds);
  CHECK(toJson(*pod) == kPod);
}

TEST_CASE("equality is that of the JSON form") {
  auto a = *fromJson<core::v1::Pod>(kPod), b = a;
  CHECK(equal(a, b));
  b.spec.tolerations.clear();
  CHECK(equal(a, b));
  b.spec.nodeName = "n1";
  CHECK(!equal(a, b));
}

TEST_CASE("a wrong kind of value names its path") {
  auto pod = fromJson<core::v1::Pod>(R"({"spec":{"containers":[{"name":5}]}})");
  REQUIRE(!pod.ok());
  CHECK(pod.error().message() == "spec: containers: name: wrong kind of value for name");
}

TEST_CASE("wrapped lists stand as lists in JSON") {
  authentication::v1::UserInfo user;
  user.username = "u";
  user.extra["k"].items = {"a", "b"};
  CHECK(toJson(user) == R"({"username":"u","extra":{"k":["a","b"]}})");
  CHECK(fromJson<authentication::v1::UserInfo>(toJson(user))->extra["k"].items.size() == 2);
}

TEST_CASE("an object makes each form once") {
  auto object = Object::fromJson(kPod, findType("core/v1", "Pod"));
  REQUIRE(object.ok());
  CHECK((*object)->key() == "n/a");
  CHECK((*object)->json().view() == kPod);
  CHECK((*object)->json().view().data() == (*object)->json().view().data());
  auto pod = (*object)->as<core::v1::Pod>();
  REQUIRE(pod.ok());
  CHECK(pod->get() == (*object)->as<core::v1::Pod>()->get());
  CHECK((*object)->protobuf()->view().starts_with(std::string_view("k8s\0", 4)));
}
