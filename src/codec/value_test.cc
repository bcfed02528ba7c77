#include "codec/value.h"

#include <doctest/doctest.h>

#include "codec/json.h"

using namespace skiff::codec;

TEST_CASE("a map keeps order, finds by key, replaces and erases") {
  Arena arena;
  Value map;
  map.set(arena, "b", Value::integer(1));
  map.set(arena, "a", Value::string("x"));
  map.set(arena, "b", Value::integer(2));
  CHECK(toJson(map) == R"({"b":2,"a":"x"})");
  CHECK(map["b"].asInt() == 2);
  CHECK(map["none"].isNull());
  CHECK(map["none"]["deeper"].isNull());
  CHECK(map.find("none") == nullptr);
  CHECK(map.erase("b"));
  CHECK_FALSE(map.erase("b"));
  CHECK(toJson(map) == R"({"a":"x"})");
  map.child(arena, "list").push(arena, Value::boolean(true));
  CHECK(toJson(map) == R"({"a":"x","list":[true]})");
}

TEST_CASE("keys are copied by set") {
  Arena arena;
  Value map;
  std::string key = "key-on-the-heap-not-in-the-arena";
  map.set(arena, key, Value::null());
  key.assign(key.size(), '?');
  CHECK(map.has("key-on-the-heap-not-in-the-arena"));
}

TEST_CASE("a list grows, inserts and erases") {
  Arena arena;
  Value list;
  for (int i = 0; i < 1000; ++i) list.push(arena, Value::integer(i));
  REQUIRE(list.size() == 1000);
  for (int i = 0; i < 1000; ++i) REQUIRE(list.at(size_t(i)).asInt() == i);
  list.eraseAt(0);
  list.insertAt(arena, 0, Value::integer(-7));
  list.insertAt(arena, 1000, Value::integer(-8));
  CHECK(list.at(0).asInt() == -7);
  CHECK(list.at(1).asInt() == 1);
  CHECK(list.at(1000).asInt() == -8);
  CHECK(list.at(1001).isNull());
}

TEST_CASE("growth wastes at most a constant factor") {
  Arena arena;
  Value list = Value::list();
  for (int i = 0; i < 100000; ++i) list.push(arena, Value::null());
  CHECK(arena.bytes() < 100000 * sizeof(Value) * 8);
  Value exact = Value::list();
  Arena small(64);
  exact.reserve(small, 100);
  for (int i = 0; i < 100; ++i) exact.push(small, Value::null());
  CHECK(small.bytes() <= 100 * sizeof(Value) + 64);
}

TEST_CASE("a clone owns all of its bytes") {
  std::string text = R"({"a":[1,{"b":"some text here"}],"c":{"d":null}})";
  auto copy = [&] {
    Arena arena;
    std::string own = text;
    auto value = parseJson(own, arena, {.copyStrings = false});
    REQUIRE(value.ok());
    auto document = cloneDocument(*value);
    own.assign(own.size(), '?');
    return document;
  }();
  CHECK(toJson(copy->root) == text);
}

TEST_CASE("an arena moves with its blocks") {
  Arena from;
  Value value = Value::text(from, "hello");
  Arena to = std::move(from);
  CHECK(value.asString() == "hello");
  std::memset(from.allocate(100), 'x', 100);
  CHECK(value.asString() == "hello");
  CHECK(to.bytes() > 0);
}

TEST_CASE("equality ignores map order and the kind of number") {
  auto same = [](std::string_view a, std::string_view b) {
    Arena arena;
    return *parseJson(a, arena) == *parseJson(b, arena);
  };
  CHECK(same(R"({"a":1,"b":[1,2]})", R"({"b":[1.0,2],"a":1})"));
  CHECK_FALSE(same("[1,2]", "[2,1]"));
  CHECK_FALSE(same("[1]", "[1,1]"));
  CHECK_FALSE(same(R"({"a":1})", R"({"b":1})"));
  CHECK_FALSE(same(R"({"a":{"b":[{}]}})", R"({"a":{"b":[[]]}})"));
  CHECK_FALSE(same("null", "false"));
  CHECK_FALSE(same("\"1\"", "1"));
}

TEST_CASE("equality of large maps in different order") {
  Arena arena;
  Value a = Value::map(), b = Value::map();
  for (int i = 0; i < 5000; ++i) a.append(arena, arena.copy(std::to_string(i)), Value::integer(i));
  for (int i = 4999; i >= 0; --i) b.append(arena, arena.copy(std::to_string(i)), Value::integer(i));
  CHECK(a == b);
  b.set(arena, "17", Value::integer(0));
  CHECK_FALSE(a == b);
}
