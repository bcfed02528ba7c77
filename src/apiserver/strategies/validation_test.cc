// Wrong objects and what upstream says of them: testdata/refused.txt. Each case is a name, the version and resource, the
// object, the message.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "api/convert.h"
#include "apiserver/auth/fake_cluster.h"
#include "apiserver/security.h"
#include "apiserver/strategies/declared.h"

namespace skiff::apiserver {
namespace {

std::string messageOf(const api::ResourceInfo& resource, std::string_view json) {
  auto document = codec::parseJsonDocument(json);
  REQUIRE(document.ok());
  codec::Document& owned = **document;
  api::DecodeReport report;
  auto conformed = api::conform(owned.root, *resource.type, owned.arena, report);
  if (!conformed.ok()) return conformed.error().message();
  api::applyDefaults(owned.root, *resource.type, owned.arena);
  FakeCluster cluster;
  auto strategies = makeStrategies({}, cluster);
  UserInfo user{.name = "admin", .groups = {"system:masters"}};
  owned.root.child(owned.arena, "metadata").set(owned.arena, "uid", codec::Value::string("u"));
  if (resource.namespaced) owned.root.child(owned.arena, "metadata").set(owned.arena, "namespace", codec::Value::string("NS"));
  AdmissionRequest request{.user = &user, .resource = &resource, .ns = "NS", .object = &owned.root, .arena = &owned.arena};
  StrategyContext context{request, cluster};
  Strategy& strategy = strategies->of(resource);
  strategy.applyDefaults(owned.root, owned.arena);
  strategy.prepareCreate(context);
  FieldErrors errors;
  strategy.validateCreate(context, errors);
  validateDeclared(*resource.type, owned.root, nullptr, errors);
  if (errors.empty()) return "";
  return errors.error(resource.group, resource.kind, owned.root["metadata"]["name"].asString()).message();
}

TEST_CASE("wrong objects are refused in upstream's words") {
  std::ifstream file("strategies/testdata/refused.txt");
  REQUIRE(file.good());
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    if (!line.starts_with("# ")) continue;
    std::string address, json, expected, name = line.substr(2);
    std::getline(file, address);
    std::getline(file, json);
    std::getline(file, expected);
    auto parts = split(address, ' ');
    auto slash = cut(parts[0], "/");
    const api::ResourceInfo* resource = slash ? api::findResource(slash->first, slash->second, parts[1])
                                              : api::findResource("", parts[0], parts[1]);
    REQUIRE_MESSAGE(resource != nullptr, name);
    ++cases;
    std::string message = messageOf(*resource, json);
    CHECK_MESSAGE(message == expected, name, "\n got  ", message, "\n want ", expected);
  }
  CHECK(cases > 40);
}

}  // namespace
}  // namespace skiff::apiserver
