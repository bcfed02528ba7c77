#include "dns/forwarder.h"

#include "dns/test_util.h"

using namespace skiff;
using namespace skiff::dns;

namespace {

class ManualClock final : public Clock {
 public:
  WallTime now() const override { return {}; }
  SteadyTime steadyNow() const override { return time; }
  SteadyTime time{seconds(1000)};
};

Message query(std::string_view name, uint16_t type = kA) {
  Message m;
  m.questions.push_back({nameOf(name), type, kClassIn});
  return m;
}
Message answerOf(std::string_view name, uint32_t ttl) {
  Message m = query(name);
  m.response = true;
  m.answers.push_back({nameOf(name), kA, kClassIn, ttl, "\1\2\3\4"});
  return m;
}

}  // namespace

TEST_CASE("upstreams and resolv.conf") {
  auto show = [](std::string_view text) {
    auto upstream = parseUpstream(text);
    return upstream ? concat(upstream->host, " ", upstream->port) : "-";
  };
  CHECK(show("10.0.0.1") == "10.0.0.1 53");
  CHECK(show("10.0.0.1:5353") == "10.0.0.1 5353");
  CHECK(show("::1") == "::1 53");
  CHECK(show("[fd00::1]:5353") == "fd00::1 5353");
  CHECK(show("[fd00::1]") == "fd00::1 53");
  for (auto bad : {"", "dns.google", "10.0.0.1:", "10.0.0.1:x", "10.0.0.1:70000", "[::1", "[::1]x"}) {
    CAPTURE(bad);
    CHECK((show(bad) == "-" || show(bad) == "10.0.0.1 53"));
  }
  CHECK(nameserversOf("# c\nsearch a b\nnameserver 10.0.0.1\n nameserver\tfe80::1%eth0\nnameserver nonsense\nnameserver\n") ==
        std::vector<std::string>{"10.0.0.1", "fe80::1"});
}

TEST_CASE("the cache keeps an answer as long as it may, and counts down") {
  ManualClock clock;
  AnswerCache cache(clock, {.entries = 2, .longest = seconds(30)});
  std::string key = AnswerCache::keyOf(query("a.org"));
  CHECK(key == AnswerCache::keyOf(query("A.ORG")));
  CHECK(key != AnswerCache::keyOf(query("a.org", kAAAA)));
  cache.put(key, answerOf("a.org", 10));
  clock.time += seconds(4);
  REQUIRE(cache.get(key));
  CHECK(cache.get(key)->answers[0].ttl == 6);
  clock.time += seconds(6);
  CHECK_FALSE(cache.get(key));

  cache.put(key, answerOf("a.org", 1000));
  clock.time += seconds(30);
  CHECK_FALSE(cache.get(key));

  Message failed = query("a.org");
  failed.rcode = kServFail;
  cache.put(key, failed);
  CHECK_FALSE(cache.get(key));

  Message none = query("a.org");
  none.rcode = kNxDomain;
  cache.put(key, none);
  CHECK_FALSE(cache.get(key));  // no SOA: no word on how long
  none.authority.push_back({nameOf("org"), kSOA, kClassIn, 100, soaData({.minimum = 3})});
  cache.put(key, none);
  clock.time += seconds(2);
  CHECK(cache.get(key)->rcode == kNxDomain);
  clock.time += seconds(1);
  CHECK_FALSE(cache.get(key));

  for (auto name : {"1", "2", "3"}) cache.put(AnswerCache::keyOf(query(name)), answerOf(name, 10));
  CHECK_FALSE(cache.get(AnswerCache::keyOf(query("1"))));
  CHECK(cache.get(AnswerCache::keyOf(query("3"))));
}
