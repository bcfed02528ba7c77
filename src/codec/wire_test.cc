#include "codec/wire.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/strings.h"

using namespace skiff::codec;
using namespace std::string_literals;

namespace {
std::string varint(uint64_t value) {
  std::string out;
  writeVarint(out, value);
  return out;
}
bool readsWhole(std::string_view bytes) {
  WireReader reader(bytes);
  while (reader.next()) {
  }
  return !reader.failed();
}
}  // namespace

TEST_CASE("varints as the encoding guide shows them") {
  CHECK(varint(0) == "\0"s);
  CHECK(varint(1) == "\x01");
  CHECK(varint(127) == "\x7f");
  CHECK(varint(150) == "\x96\x01");
  CHECK(varint(uint64_t(-2)) == "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST_CASE("every field type is read back") {
  std::string out;
  writeVarintField(out, 1, 150);
  writeBytesField(out, 2, "testing");
  out += "\x1d\x01\x00\x00\x80"s;                      // field 3, fixed32
  out += "\x21\x02\x00\x00\x00\x00\x00\x00\x80"s;      // field 4, fixed64
  writeVarintField(out, 536870911, uint64_t(-1));
  CHECK(out.substr(0, 12) == "\x08\x96\x01\x12\x07testing");
  WireReader reader(out);
  REQUIRE(reader.next());
  CHECK(reader.field() == 1);
  CHECK(reader.type() == WireType::Varint);
  CHECK(reader.varint() == 150);
  REQUIRE(reader.next());
  CHECK(reader.field() == 2);
  CHECK(reader.type() == WireType::Bytes);
  CHECK(reader.bytes() == "testing");
  REQUIRE(reader.next());
  CHECK(reader.type() == WireType::Fixed32);
  CHECK(reader.varint() == 0x80000001);
  REQUIRE(reader.next());
  CHECK(reader.type() == WireType::Fixed64);
  CHECK(reader.varint() == 0x8000000000000002);
  REQUIRE(reader.next());
  CHECK(reader.field() == 536870911);
  CHECK(reader.varint() == uint64_t(-1));
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.failed());
}

TEST_CASE("nested messages get their lengths, short and long") {
  for (size_t size : {0, 1, 125, 126, 127, 128, 200, 16381, 16382, 16383, 16384, 70000}) {
    std::string body(size, 'x'), out = "before";
    size_t outer = beginMessage(out, 1);
    writeVarintField(out, 1, 7);
    size_t inner = beginMessage(out, 2);
    out += body;
    endMessage(out, inner);
    endMessage(out, outer);

    std::string innerBytes, expected = "before";
    writeVarintField(innerBytes, 1, 7);
    writeBytesField(innerBytes, 2, body);
    writeBytesField(expected, 1, innerBytes);
    CHECK(out == expected);
  }
}

TEST_CASE("malformed input fails and stays failed") {
  auto fails = [](std::string_view bytes) { return !readsWhole(bytes); };
  CHECK(fails("\x08"));                                            // no value
  CHECK(fails("\x08\x80"));                                        // varint cut off
  CHECK(fails("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));  // over 64 bits
  CHECK(fails("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
  CHECK(fails("\x12\x05" "abcd"));
  CHECK(fails("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));  // length that wraps around
  CHECK(fails("\x1d\x01\x02\x03"));
  CHECK(fails("\x21\x01\x02\x03\x04\x05\x06\x07"));
  CHECK(fails("\x0b"));      // group
  CHECK(fails("\x0e"s));    // type 6
  CHECK(fails("\x00\x01"s));  // field 0
  CHECK(fails("\x80\x80\x80\x80\x10\x01"));  // field number too large
  WireReader reader("\x0b\x08\x01");
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.next());
  CHECK(reader.failed());
  CHECK(readsWhole(""));
}

TEST_CASE("a message cut at any byte is whole at field ends only") {
  std::string out;
  std::vector<size_t> ends = {0};
  writeVarintField(out, 1, 300), ends.push_back(out.size());
  writeBytesField(out, 2, "abc"), ends.push_back(out.size());
  out += "\x1d\x01\x02\x03\x04", ends.push_back(out.size());
  for (size_t i = 0; i <= out.size(); ++i)
    CHECK(readsWhole(std::string_view(out).substr(0, i)) == (std::ranges::count(ends, i) > 0));
}
