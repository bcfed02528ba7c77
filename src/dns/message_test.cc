#include "dns/message.h"

#include <random>

#include "dns/test_util.h"

using namespace skiff;
using namespace skiff::dns;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (int value : values) out += static_cast<char>(value);
  return out;
}
const std::string kOneQuestion = bytes({0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0});

Message sample() {
  Message m;
  m.id = 0x1234;
  m.response = m.authoritative = true;
  m.questions.push_back({nameOf("www.Example.com"), kA, kClassIn});
  m.answers.push_back({nameOf("www.example.com"), kCNAME, kClassIn, 60, nameData(nameOf("host.example.com"))});
  m.answers.push_back({nameOf("host.example.com"), kA, kClassIn, 60, std::string("\1\2\3\4")});
  m.authority.push_back({nameOf("example.com"), kSOA, kClassIn, 5,
                         soaData({.primary = nameOf("ns.example.com"), .mailbox = nameOf("m.example.com"), .minimum = 7})});
  m.additional.push_back({nameOf("_a._tcp.example.com"), kSRV, kClassIn, 5, srvData(1, 2, 3, nameOf("t.example.com"))});
  m.edns = Edns{.udpSize = 1232, .dnssecOk = true};
  return m;
}

}  // namespace

TEST_CASE("names: text, labels, case, zones") {
  CHECK(nameOf("a.b.c").text() == "a.b.c.");
  CHECK(nameOf("").isRoot());
  CHECK(nameOf(".").text() == ".");
  CHECK_FALSE(Name::parse("a..b"));
  CHECK_FALSE(Name::parse(std::string(64, 'x')));
  CHECK(Name::parse(std::string(63, 'x')));
  std::string longest;
  for (int i = 0; i < 126; ++i) longest += "a.";
  CHECK(Name::parse(longest + "a"));
  CHECK_FALSE(Name::parse(longest + "aa"));
  CHECK(nameOf("A.b") == nameOf("a.B"));
  CHECK(nameOf("a.b.c").isUnder(nameOf("B.c")));
  CHECK(nameOf("b.c").isUnder(nameOf("b.c")));
  CHECK_FALSE(nameOf("xb.c").isUnder(nameOf("b.c")));
  CHECK(nameOf("b.c").isUnder(Name()));
  // A label that holds what looks like the zone's wire form is not under the zone.
  Name odd;
  REQUIRE(odd.append(std::string("x\1b\1c")));
  CHECK_FALSE(odd.isUnder(nameOf("b.c")));
}

TEST_CASE("a message survives the wire, compressed") {
  Message m = sample();
  std::string packet = encodeMessage(m, 512);
  auto back = decodeMessage(packet);
  REQUIRE(back);
  CHECK(back->id == m.id);
  CHECK(back->response);
  CHECK(back->authoritative);
  CHECK_FALSE(back->truncated);
  CHECK(back->questions[0].name.text() == "www.Example.com.");
  CHECK(showSections(0, back->answers, {}, back->additional) == showSections(0, m.answers, {}, m.additional));
  CHECK(back->authority[0].data == m.authority[0].data);
  CHECK(soaMinimum(back->authority[0]) == 7U);
  REQUIRE(back->edns);
  CHECK(back->edns->udpSize == 1232);
  CHECK(back->edns->dnssecOk);
  CHECK(encodeMessage(*back, 512) == packet);
  size_t plain = 0;
  for (const auto* section : {&m.answers, &m.authority, &m.additional})
    for (const Record& r : *section) plain += r.name.wire().size() + 11 + r.data.size();
  CHECK(packet.size() < plain);
}

TEST_CASE("extended codes need EDNS") {
  Message m;
  m.response = true;
  m.rcode = kBadVers;
  m.edns = Edns{};
  CHECK(decodeMessage(encodeMessage(m, 512))->rcode == kBadVers);
}

TEST_CASE("what does not fit is left out whole, and TC says so") {
  Message m = sample();
  m.additional.clear();
  for (int i = 0; i < 100; ++i) m.answers.push_back({nameOf("host.example.com"), kA, kClassIn, 60, std::string("\1\2\3\4")});
  for (size_t limit = 64; limit <= 2000; limit += 7) {
    std::string packet = encodeMessage(m, limit);
    CHECK(packet.size() <= limit);
    auto back = decodeMessage(packet);
    REQUIRE(back);
    CHECK(back->truncated == (back->answers.size() + back->authority.size() < m.answers.size() + m.authority.size()));
    CHECK(back->edns);
  }
  m = sample();
  size_t whole = encodeMessage(m, 512).size();
  auto back = decodeMessage(encodeMessage(m, whole - 1));
  CHECK(back->additional.empty());
  CHECK_FALSE(back->truncated);
}

TEST_CASE("hostile packets are refused") {
  std::string packet = encodeMessage(sample(), 512);
  for (size_t size = 0; size < packet.size(); ++size) CHECK_FALSE(decodeMessage(std::string_view(packet).substr(0, size)));

  auto question = [](std::string name) { return decodeMessage(kOneQuestion + name + bytes({0, 1, 0, 1})).has_value(); };
  CHECK(question(bytes({1, 'a', 0})));
  CHECK_FALSE(question(bytes({0xC0, 12})));              // to itself
  CHECK_FALSE(question(bytes({1, 'a', 0xC0, 12})));      // around
  CHECK_FALSE(question(bytes({0xC0, 14, 0xC0, 12})));    // forward, then back
  CHECK_FALSE(question(bytes({0xC0, 0xFF})));            // past the end
  CHECK_FALSE(question(bytes({0xC0})));
  CHECK_FALSE(question(bytes({0x40, 'a', 0})));          // reserved label types
  CHECK_FALSE(question(bytes({0x80, 'a', 0})));
  CHECK_FALSE(question(bytes({63, 'a', 0})));            // a label past the end
  std::string tooLong;
  for (int i = 0; i < 128; ++i) tooLong += bytes({1, 'a'});
  CHECK_FALSE(question(tooLong + '\0'));

  // Counts that promise more than there is, and data that runs over its length.
  CHECK_FALSE(decodeMessage(bytes({0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0})));
  CHECK_FALSE(decodeMessage(bytes({0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, /* . CNAME IN */ 0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 1, 1, 'a', 0})));
  CHECK_FALSE(decodeMessage(bytes({0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0xFF, 0xFF, 1})));
  // Two OPT records.
  std::string opt = bytes({0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0});
  CHECK(decodeMessage(bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}) + opt));
  CHECK_FALSE(decodeMessage(bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}) + opt + opt));
}

TEST_CASE("any damage to a packet is either refused or read within bounds") {
  std::mt19937 random(1);
  std::string packet = encodeMessage(sample(), 512);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = packet;
    for (unsigned n = random() % 4 + 1; n > 0; --n) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (random() % 4 == 0) damaged.resize(random() % damaged.size());
    auto message = decodeMessage(damaged);
    if (!message) continue;
    // What was read can be written and read again.
    std::string again = encodeMessage(*message, kMaxTcpBytes);
    CHECK(decodeMessage(again).has_value());
  }
}
