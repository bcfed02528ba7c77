#include "apiserver/registry.h"

#include <doctest/doctest.h>

#include "apiserver/auth/fake_cluster.h"
#include "base/strings.h"
#include "codec/json.h"
#include "store/engine.h"

namespace skiff::apiserver {
namespace {

struct PlainStrategies final : Strategies {
  Strategy plain;
  Strategy& of(const api::ResourceInfo&) override { return plain; }
};

struct Fixture {
  std::unique_ptr<store::Store> store = store::openStore({.inMemory = true}).value();
  Resources resources{{}};
  PlainStrategies strategies;
  FakeCluster cluster;
  Registry registry{{.store = store.get(), .resources = &resources, .strategies = &strategies, .cluster = &cluster, .clock = &Clock::real()}};

  WriteCall callFor(std::string name) {
    WriteCall call{.user = &serverUser(), .resource = resources.current()->findAny("", "configmaps"), .ns = "default", .name = std::move(name)};
    call.admit = call.tracked = false;
    return call;
  }
  void create(const std::string& name) {
    auto document = std::make_shared<codec::Document>();
    document->root = codec::parseJson(R"({"metadata":{"name":")" + name + R"(","namespace":"default"}})", document->arena).value();
    REQUIRE(registry.create(callFor(name), std::move(document)).ok());
  }
};

TEST_CASE("the last thing that is told of a key is what is there, whoever comes late") {
  Fixture f;
  std::vector<std::string> told;
  bool first = true;
  f.registry.onWritten([&](const ServedResource&, const api::ObjectPtr& object, bool removed) {
    // While one tells of the creation, another deletes it and is done before.
    if (std::exchange(first, false)) REQUIRE(f.registry.remove(f.callFor("a"), {}).ok());
    told.push_back(concat(removed ? "-" : "+", object->name()));
  });
  f.create("a");
  CHECK(join(told, " ") == "-a +a -a");
  told.clear();
  f.create("b");
  CHECK(join(told, " ") == "+b");
}

}  // namespace
}  // namespace skiff::apiserver
