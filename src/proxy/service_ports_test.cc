#include "proxy/service_ports.h"

#include <doctest/doctest.h>

#include "api/typed.h"

namespace skiff::proxy {
namespace {

size_t rulesFor(std::string_view service) {
  auto made = api::fromJson<api::core::v1::Service>(service);
  REQUIRE(made.ok());
  return rulesOf({std::make_shared<const api::core::v1::Service>(*made)}, {}, "node").size();
}

}  // namespace

TEST_CASE("a headless service has no rules: one without an address would spoil those of all others") {
  CHECK(rulesFor(R"({"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"port":80}]}})") == 1);
  CHECK(rulesFor(R"({"spec":{"clusterIP":"None","clusterIPs":["None"],"ports":[{"port":80}]}})") == 0);
  CHECK(rulesFor(R"({"spec":{"clusterIP":"fd00::1","clusterIPs":["fd00::1"],"ports":[{"port":80}]}})") == 0);
  CHECK(rulesFor(R"({"spec":{"ports":[{"port":80}]}})") == 0);
}

}  // namespace skiff::proxy
