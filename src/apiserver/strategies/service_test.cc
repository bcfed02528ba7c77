#include <doctest/doctest.h>

#include <set>

#include "apiserver/auth/fake_cluster.h"
#include "apiserver/strategies/service_allocator.h"
#include "apiserver/strategies/service_claims.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

class CountingRng final : public Rng {
 public:
  uint64_t next() override { return n_++; }

 private:
  uint64_t n_ = 0;
};

struct Fixture {
  FakeCluster cluster;
  CountingRng rng;
  ServiceAllocator make(std::string_view cidr) { return {*parseServiceRanges(cidr), 30000, 30003, cluster, rng}; }
};

TEST_CASE("addresses are given out once, until they are free again") {
  Fixture f;
  auto allocator = f.make("10.96.0.0/29");  // .1 to .6
  codec::Arena arena;
  std::set<std::string> seen;
  for (int i = 0; i < 6; ++i) {
    auto taken = allocator.takeAddress({concat("owner", i)}, "", "IPv4");
    REQUIRE(taken.ok());
    CHECK(seen.insert(*taken).second);
  }
  CHECK(seen == std::set<std::string>{"10.96.0.1", "10.96.0.2", "10.96.0.3", "10.96.0.4", "10.96.0.5", "10.96.0.6"});
  CHECK(allocator.takeAddress({"late"}, "", "IPv4").error().message() == "range is full");
  allocator.release(*codec::parseJson(R"({"metadata":{"uid":"owner3"}})", arena));
  CHECK(allocator.takeAddress({"late"}, "", "IPv4").ok());
}

TEST_CASE("what stored services hold is taken from the start") {
  Fixture f;
  f.cluster.add("", "services", R"({"metadata":{"namespace":"a","name":"s","uid":"u"},"spec":{"clusterIPs":["10.96.0.2"],
    "ports":[{"port":80,"protocol":"TCP","nodePort":30001}]}})");
  auto allocator = f.make("10.96.0.0/29");
  CHECK(allocator.takeAddress({"other"}, "10.96.0.2", "IPv4").error().message() == "provided IP is already allocated");
  CHECK(allocator.takeAddress({"u"}, "10.96.0.2", "IPv4").ok());  // its own: a retried write
  CHECK(allocator.takePort({"other"}, 30001, "UDP").error().message() == "provided port is already allocated");
  CHECK(allocator.takePort({"u"}, 30001, "UDP").ok());
  CHECK(allocator.takePort({"u"}, 80, "TCP").error().message() ==
        "provided port is not in the valid range. The range of valid ports is 30000-30003");
  for (const char* outside : {"10.97.0.1", "10.96.0.0", "10.96.0.7"})
    CHECK(allocator.takeAddress({"u"}, outside, "IPv4").error().message() == "the provided network does not match the current range");
  CHECK(allocator.takeAddress({"u", "n", "s", true}, "10.97.0.1", "IPv4").error().message() ==
        "the provided IP (10.97.0.1) is not in the valid range. The range of valid IPs is 10.96.0.0/29");
}

TEST_CASE("the low end of a large range is left to those who ask for it") {
  Fixture f;
  auto allocator = f.make("10.96.0.0/16");
  for (int i = 0; i < 100; ++i) {
    auto ip = formats::parseIp(*allocator.takeAddress({std::to_string(i)}, "", "IPv4"));
    REQUIRE(ip.has_value());
    CHECK(ip->bytes[14] >= 1);
  }
  CHECK(*allocator.takeAddress({"dns"}, "10.96.0.10", "IPv4") == "10.96.0.10");
}

// What the servers of a store have agreed on.
class SharedClaims final : public ServiceClaims {
 public:
  Result<bool> takeAddress(std::string_view address, std::string_view, std::string_view, How how) override {
    return how == How::Take ? addresses.emplace(address).second : !addresses.contains(std::string(address));
  }
  Result<bool> takePort(int port, How how) override {
    return how == How::Take ? ports.insert(port).second : !ports.contains(port);
  }
  void releaseAddress(std::string_view address, std::string_view, std::string_view) override { addresses.erase(std::string(address)); }
  void releasePort(int port) override { ports.erase(port); }
  std::set<std::string> addresses;
  std::set<int> ports;
};

class SharedCluster final : public FakeCluster {
 public:
  ServiceClaims* serviceClaims() const override { return &claims; }
  mutable SharedClaims claims;
};

TEST_CASE("servers that share a range heed each other's claims") {
  SharedCluster cluster;
  CountingRng rng;
  codec::Arena arena;
  auto range = *parseServiceRanges("10.96.0.0/29");
  ServiceAllocator a(range, 30000, 30003, cluster, rng), b(range, 30000, 30003, cluster, rng);
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    CHECK(seen.insert(*a.takeAddress({concat("a", i)}, "", "IPv4")).second);
    CHECK(seen.insert(*b.takeAddress({concat("b", i)}, "", "IPv4")).second);
  }
  CHECK(a.takeAddress({"late"}, "", "IPv4").error().message() == "range is full");
  CHECK(a.takeAddress({"late"}, "10.96.0.1", "IPv4").error().message() == "provided IP is already allocated");
  CHECK(*a.takePort({"a0"}, 30001, "TCP") == 30001);
  CHECK(*a.takePort({"a0"}, 30001, "UDP") == 30001);
  CHECK_FALSE(b.takePort({"b0"}, 30001, "TCP").ok());

  // A service that the other server made is deleted here.
  auto service = *codec::parseJson(R"({"metadata":{"uid":"a0","namespace":"n","name":"s"},
    "spec":{"clusterIPs":["10.96.0.1"],"ports":[{"nodePort":30001}]}})", arena);
  b.release(service);
  CHECK_FALSE(cluster.claims.addresses.contains("10.96.0.1"));
  CHECK_FALSE(cluster.claims.ports.contains(30001));
  CHECK(*a.takePort({"late"}, 30001, "TCP") == 30001);
}

TEST_CASE("a secondary address comes from the other range and is free once its service does without it") {
  SharedCluster cluster;
  CountingRng rng;
  codec::Arena arena;
  ServiceAllocator a(*parseServiceRanges("10.96.0.0/29,fd00::/125"), 30000, 30003, cluster, rng);
  CHECK(a.families() == std::vector<std::string_view>{"IPv4", "IPv6"});
  ServiceOwner owner{"u", "n", "s"};
  REQUIRE(*a.takeAddress(owner, "10.96.0.2", "IPv4") == "10.96.0.2");
  CHECK(*a.takeAddress(owner, "fd00::2", "IPv6") == "fd00::2");
  CHECK(a.takeAddress(owner, "10.96.0.3", "IPv6").error().message() == "the provided network does not match the current range");
  Value both = *codec::parseJson(R"({"metadata":{"uid":"u"},"spec":{"clusterIPs":["10.96.0.2","fd00::2"]}})", arena);
  Value one = *codec::parseJson(R"({"metadata":{"uid":"u"},"spec":{"clusterIPs":["10.96.0.2"]}})", arena);
  a.releaseDropped(both, one);
  CHECK(cluster.claims.addresses == std::set<std::string>{"10.96.0.2"});
  CHECK(a.takeAddress({"other"}, "fd00::2", "IPv6").ok());
}

TEST_CASE("ranges are one or two, of different families") {
  CHECK(formatIp(parseServiceRanges("10.96.3.4/16")->front().address) == "10.96.0.0");
  for (std::string_view bad : {"", "10.96.0.0", "10.96.0.0/16,10.97.0.0/16", "10.96.0.0/16,fd00::/112,fd01::/112"}) {
    CAPTURE(bad);
    CHECK_FALSE(parseServiceRanges(bad).ok());
  }
}

TEST_CASE("a dry run takes and frees nothing") {
  SharedCluster cluster;
  CountingRng rng;
  codec::Arena arena;
  ServiceAllocator a(*parseServiceRanges("10.96.0.0/29"), 30000, 30003, cluster, rng);
  ServiceOwner dry{"u", "n", "s", true};
  std::string address = *a.takeAddress(dry, "", "IPv4");
  int port = *a.takePort(dry, 0, "TCP");
  CHECK(cluster.claims.addresses.empty());
  // Meanwhile another server takes the same.
  cluster.claims.addresses.insert(address);
  cluster.claims.ports.insert(port);
  a.release(*codec::parseJson(concat(R"({"metadata":{"uid":"u"},"spec":{"clusterIPs":[")", address, R"("],"ports":[{"nodePort":)", port, "}]}}"), arena));
  CHECK(cluster.claims.addresses.contains(address));
  CHECK(cluster.claims.ports.contains(port));
}

}  // namespace
}  // namespace skiff::apiserver
