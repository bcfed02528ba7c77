#include "apiserver/crd_storage.h"

#include <doctest/doctest.h>

#include "codec/json.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

std::string converted(std::string_view json, void (*convert)(codec::Value&, codec::Arena&)) {
  codec::Arena arena;
  auto value = codec::parseJson(json, arena);
  REQUIRE(value.ok());
  convert(*value, arena);
  return codec::toJson(*value);
}

bool same(std::string_view a, std::string_view b) {
  codec::Arena arena;
  return *codec::parseJson(a, arena) == *codec::parseJson(b, arena);
}

constexpr std::string_view kOneVersion =
    R"({"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"group":"g.io","versions":[)"
    R"({"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}},"subresources":{"status":{}},)"
    R"("additionalPrinterColumns":[{"name":"Age","type":"date","jsonPath":".x"}]}],)"
    R"("conversion":{"strategy":"Webhook","webhook":{"clientConfig":{"url":"u"},"conversionReviewVersions":["v1"]}}}})";

// As kube-apiserver 1.37 wrote it into etcd.
constexpr std::string_view kOneVersionStored =
    R"({"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1beta1","spec":{"group":"g.io","version":"v1",)"
    R"("validation":{"openAPIV3Schema":{"type":"object"}},"subresources":{"status":{}},)"
    R"("versions":[{"name":"v1","served":true,"storage":true}],)"
    R"("additionalPrinterColumns":[{"name":"Age","type":"date","JSONPath":".x"}],)"
    R"("conversion":{"strategy":"Webhook","webhookClientConfig":{"url":"u"},"conversionReviewVersions":["v1"]},)"
    R"("preserveUnknownFields":false}})";

}  // namespace

TEST_CASE("a definition is stored in the form of v1beta1 and read back") {
  CHECK(same(converted(kOneVersion, definitionToStored), kOneVersionStored));
  CHECK(same(converted(kOneVersionStored, definitionFromStored), kOneVersion));
}

TEST_CASE("what versions do not share stays with them") {
  constexpr std::string_view kTwo =
      R"({"apiVersion":"apiextensions.k8s.io/v1","spec":{"versions":[)"
      R"({"name":"v1","subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object"}}},)"
      R"({"name":"v2","schema":{"openAPIV3Schema":{"type":"object"}}}]}})";
  std::string stored = converted(kTwo, definitionToStored);
  CHECK(same(stored, R"({"apiVersion":"apiextensions.k8s.io/v1beta1","spec":{"version":"v1","preserveUnknownFields":false,)"
                     R"("validation":{"openAPIV3Schema":{"type":"object"}},)"
                     R"("versions":[{"name":"v1","subresources":{"status":{}}},{"name":"v2"}]}})"));
  CHECK(same(converted(stored, definitionFromStored), kTwo));
}

TEST_CASE("a definition from before there were several versions has one") {
  CHECK(same(converted(R"({"spec":{"version":"v1","validation":{"openAPIV3Schema":{}},"preserveUnknownFields":true}})",
                       definitionFromStored),
             R"({"apiVersion":"apiextensions.k8s.io/v1","spec":{"preserveUnknownFields":true,)"
             R"("versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{}}}]}})"));
}
