#include "api/internal_form.h"

#include <doctest/doctest.h>

#include "api/convert.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;

namespace {
codec::Value parse(std::string_view json, codec::Arena& arena) { return codec::parseJson(json, arena).value(); }
}  // namespace

TEST_CASE("every field stands under its Go name") {
  codec::Arena arena;
  CHECK(internalText(parse(R"({"name":"http","containerPort":80,"hostIP":"::"})", arena),
                     *findType("core/v1", "ContainerPort")) ==
        R"({"Name":"http","HostPort":0,"ContainerPort":80,"Protocol":"","HostIP":"::"})");
  CHECK(internalText(parse(R"({"limits":{"cpu":"1"}})", arena), *findType("core/v1", "ResourceRequirements")) ==
        R"({"Limits":{"cpu":"1"},"Requests":null,"Claims":null})");
}

TEST_CASE("metadata is embedded and keeps its form") {
  codec::Arena arena;
  std::string text = internalText(parse(R"({"metadata":{"labels":{"a":"b"}},"spec":{"dnsPolicy":"Default"}})", arena),
                                  *findType("core/v1", "PodTemplateSpec"));
  CHECK(text.starts_with(R"({"labels":{"a":"b"},"Spec":{"Volumes":null,)"));
  CHECK(text.find(R"("DNSPolicy":"Default")") != std::string::npos);
  CHECK(text.find(R"("HostNetwork":false)") != std::string::npos);
}

TEST_CASE("a difference shows indented lines around the change") {
  codec::Arena arena;
  CHECK(internalDiff(parse(R"({"limits":{"cpu":"1"}})", arena), parse(R"({"limits":{"cpu":"2"}})", arena),
                     *findType("core/v1", "ResourceRequirements")) ==
        "@@ -1,6 +1,6 @@\n {\n  \"Limits\": {\n-  \"cpu\": \"1\"\n+  \"cpu\": \"2\"\n  },\n  \"Requests\": null,\n  \"Claims\": null\n");
}
