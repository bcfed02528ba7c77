#include "proxy/ruleset.h"

#include <doctest/doctest.h>

using namespace skiff;
using namespace skiff::proxy;

namespace {

ServicePortRules web(std::vector<Target> targets) {
  ServicePortRules rules;
  rules.name = "default/web/tcp/80";
  rules.protocol = "tcp";
  rules.clusterIp = "10.96.0.20";
  rules.port = 80;
  rules.cluster = rules.external = std::move(targets);
  return rules;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a service with endpoints leads to them, one without is refused") {
  auto full = rebuildScript("t", rulesetOf({web({{"10.244.0.5", 8080}})}, "10.244.0.0/16"));
  CHECK(contains(full, "add element ip t service-ips { 10.96.0.20 . tcp . 80 : goto service-"));
  CHECK(contains(full, "dnat to 10.244.0.5:8080"));
  CHECK(contains(full, "add element ip t cluster-ips { 10.96.0.20 : goto reject-chain }"));  // other ports
  auto none = rebuildScript("t", rulesetOf({web({})}, "10.244.0.0/16"));
  CHECK(contains(none, "add element ip t no-endpoint-ips { 10.96.0.20 . tcp . 80 : goto reject-chain }"));
}

TEST_CASE("equal states need no transaction, a new endpoint touches only its service") {
  auto other = web({{"10.244.0.9", 1}});
  other.name = "default/other/tcp/80";
  other.clusterIp = "10.96.0.21";
  auto before = rulesetOf({web({{"10.244.0.5", 8080}}), other}, "10.244.0.0/16");
  CHECK(deltaScript("t", before, before).empty());
  auto after = rulesetOf({web({{"10.244.0.5", 8080}, {"10.244.0.6", 8080}}), other}, "10.244.0.0/16");
  auto script = deltaScript("t", before, after);
  CHECK(contains(script, "numgen random mod 2"));
  CHECK_FALSE(contains(script, "other"));
  CHECK_FALSE(contains(script, "element"));
}

TEST_CASE("a service that goes leaves nothing behind") {
  auto service = web({{"10.244.0.5", 8080}});
  service.affinitySeconds = 10800;
  auto before = rulesetOf({service}, "10.244.0.0/16");
  auto script = deltaScript("t", before, rulesetOf({}, "10.244.0.0/16"));
  CHECK(contains(script, "delete element ip t service-ips { 10.96.0.20 . tcp . 80 }"));
  CHECK(contains(script, "delete chain ip t service-"));
  CHECK(contains(script, "delete chain ip t endpoint-"));
  CHECK(contains(script, "delete set ip t affinity-"));
}

TEST_CASE("a node port masquerades, unless sources are to be kept") {
  auto service = web({{"10.244.0.5", 8080}});
  service.nodePort = 30080;
  auto script = rebuildScript("t", rulesetOf({service}, "10.244.0.0/16"));
  CHECK(contains(script, "service-nodeports { tcp . 30080 : goto external-"));
  CHECK(contains(script, " jump mark-for-masquerade\nadd rule ip t external-"));
  service.localOnlyExternal = true;
  service.external.clear();
  script = rebuildScript("t", rulesetOf({service}, "10.244.0.0/16"));
  CHECK(contains(script, "no-endpoint-nodeports { tcp . 30080 : drop }"));
}
