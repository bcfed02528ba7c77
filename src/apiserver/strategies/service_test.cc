#include <doctest/doctest.h>

#include <set>

#include "apiserver/auth/fake_cluster.h"
#include "apiserver/strategies/service_allocator.h"

namespace skiff::apiserver {
namespace {

class CountingRng final : public Rng {
 public:
  uint64_t next() override { return n_++; }

 private:
  uint64_t n_ = 0;
};

struct Fixture {
  FakeCluster cluster;
  CountingRng rng;
  ServiceAllocator make(std::string_view cidr) { return {*formats::parseCidr(cidr), 30000, 30003, cluster, rng}; }
};

TEST_CASE("addresses are given out once, until they are free again") {
  Fixture f;
  auto allocator = f.make("10.96.0.0/29");  // .1 to .6
  std::set<std::string> seen;
  for (int i = 0; i < 6; ++i) {
    auto taken = allocator.takeAddress(concat("owner", i), "");
    REQUIRE(taken.ok());
    CHECK(seen.insert(*taken).second);
  }
  CHECK(seen == std::set<std::string>{"10.96.0.1", "10.96.0.2", "10.96.0.3", "10.96.0.4", "10.96.0.5", "10.96.0.6"});
  CHECK(allocator.takeAddress("late", "").error().message() == "range is full");
  allocator.release("owner3");
  CHECK(allocator.takeAddress("late", "").ok());
}

TEST_CASE("what stored services hold is taken from the start") {
  Fixture f;
  f.cluster.add("", "services", R"({"metadata":{"namespace":"a","name":"s","uid":"u"},"spec":{"clusterIPs":["10.96.0.2"],
    "ports":[{"port":80,"protocol":"TCP","nodePort":30001}]}})");
  auto allocator = f.make("10.96.0.0/29");
  CHECK(allocator.takeAddress("other", "10.96.0.2").error().message() == "provided IP is already allocated");
  CHECK(allocator.takeAddress("u", "10.96.0.2").ok());  // its own: a retried write
  CHECK(allocator.takePort("other", 30001, "UDP").error().message() == "provided port is already allocated");
  CHECK(allocator.takePort("u", 30001, "UDP").ok());
  CHECK(allocator.takePort("u", 80, "TCP").error().message() ==
        "provided port is not in the valid range. The range of valid ports is 30000-30003");
  CHECK(allocator.takeAddress("u", "10.97.0.1").error().message() ==
        "the provided network does not match the current range");
}

TEST_CASE("the low end of a large range is left to those who ask for it") {
  Fixture f;
  auto allocator = f.make("10.96.0.0/16");
  for (int i = 0; i < 100; ++i) {
    auto ip = formats::parseIp(*allocator.takeAddress(std::to_string(i), ""));
    REQUIRE(ip.has_value());
    CHECK(ip->bytes[14] >= 1);
  }
  CHECK(*allocator.takeAddress("dns", "10.96.0.10") == "10.96.0.10");
}

}  // namespace
}  // namespace skiff::apiserver
