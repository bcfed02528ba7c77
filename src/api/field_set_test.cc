#include "api/field_set.h"

#include <doctest/doctest.h>

#include "codec/json.h"

using namespace skiff::api;
using skiff::codec::Arena;
using skiff::codec::Value;

namespace {
FieldSet set(std::string_view json) {
  Arena arena;
  auto parsed = FieldSet::fromFieldsV1(*skiff::codec::parseJson(json, arena));
  REQUIRE(parsed.ok());
  return *parsed;
}
std::string text(const FieldSet& fields) {
  Arena arena;
  return skiff::codec::toJson(fields.toFieldsV1(arena));
}
}  // namespace

TEST_CASE("FieldsV1 is read and written, in order") {
  std::string json =
      R"({"f:a":{},"f:b":{".":{},"f:c":{}},"f:l":{"k:{\"n\":\"x\",\"p\":9}":{".":{},"f:n":{}},"k:{\"n\":\"x\",\"p\":80}":{},"v:\"s\"":{},"v:3":{},"i:0":{}}})";
  CHECK(text(set(json)) == json);
  CHECK(text(set(R"({"k:{ \"b\" : 1, \"a\":\"é\" }":{}})")) == R"({"k:{\"a\":\"é\",\"b\":1}":{}})");
  CHECK(text(FieldSet{}) == "{}");
}

TEST_CASE("malformed FieldsV1 is refused") {
  Arena arena;
  for (std::string_view json : {R"({"x":{}})", R"({"f":{}})", R"({"k:{":{}})", R"({"k:[]":{}})", R"({"k:{}":{}})",
                                R"({"v:":{}})", R"({"i:x":{}})", R"({"f:a":1})", R"("f:a")", R"({"q:a":{}})"})
    CHECK_FALSE(FieldSet::fromFieldsV1(*skiff::codec::parseJson(json, arena)).ok());
}

TEST_CASE("set algebra works by paths, a parent is not its children") {
  FieldSet a = set(R"({"f:a":{".":{},"f:x":{},"f:y":{}},"f:b":{}})");
  FieldSet b = set(R"({"f:a":{"f:x":{}},"f:c":{}})");
  auto with = [](FieldSet set, const FieldSet& other) { return set.add(other), set; };
  auto without = [](FieldSet set, const FieldSet& other) { return set.subtract(other), set; };
  CHECK(text(with(a, b)) == R"({"f:a":{".":{},"f:x":{},"f:y":{}},"f:b":{},"f:c":{}})");
  CHECK(with(a, b) == with(b, a));
  CHECK(text(a.intersectionWith(b)) == R"({"f:a":{"f:x":{}}})");
  CHECK(text(without(a, b)) == R"({"f:a":{".":{},"f:y":{}},"f:b":{}})");
  CHECK(text(without(a, set(R"({"f:a":{}})"))) == R"({"f:a":{"f:x":{},"f:y":{}},"f:b":{}})");
  CHECK(without(a, a).empty());
  a.subtractRecursively(set(R"({"f:a":{}})"));
  CHECK(text(a) == R"({"f:b":{}})");
}

TEST_CASE("children appended in any order are sorted and joined") {
  FieldSet fields;
  fields.append("f:b").member = true;
  fields.append("f:a").at("f:x").member = true;
  fields.append("f:b").at("f:y").member = true;
  fields.settle();
  CHECK(text(fields) == R"({"f:a":{"f:x":{}},"f:b":{".":{},"f:y":{}}})");
}

TEST_CASE("paths as conflicts show them") {
  CHECK(set(R"({"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{}}},"f:t":{"v:\"x\"":{}}}})").paths() ==
        std::vector<std::string>{".spec.ports[port=80,protocol=\"TCP\"]", ".spec.ports[port=80,protocol=\"TCP\"].name",
                                 ".spec.t[=\"x\"]"});
}

TEST_CASE("elements that others spelt differently are ours, and plain ones stay as they are") {
  Arena arena;
  auto first = [&](std::string_view json) {
    auto set = FieldSet::fromFieldsV1(Value::raw(arena.copy(json)));
    return set.ok() && !set->children.empty() ? set->children[0].element : "";
  };
  CHECK(first(R"({"k:{\"name\":\"a\"}":{}})") == R"(k:{"name":"a"})");
  CHECK(first(R"({"k:{ \"name\": \"a\" }":{}})") == R"(k:{"name":"a"})");
  CHECK(first(R"({"k:{\"port\":80,\"name\":\"a\"}":{}})") == R"(k:{"name":"a","port":80})");
  CHECK(first(R"({"v:\"a\"":{}})") == R"(v:"a")");
  CHECK(first(R"({"v: \"a\"":{}})") == R"(v:"a")");
  CHECK(first(R"({"v:\"\\u0061\"":{}})") == R"(v:"a")");
  CHECK(first(R"({"k:{\"name\":\"a\"":{}})").empty());
  CHECK(first(R"({"v:\"a":{}})").empty());
  CHECK(first(R"({"v:":{}})").empty());
  CHECK(first(R"({"k:":{}})").empty());
}

TEST_CASE("one set covers another when it has all its paths") {
  Arena arena;
  auto setOf = [&](std::string_view json) { return *FieldSet::fromFieldsV1(Value::raw(arena.copy(json))); };
  FieldSet whole = setOf(R"({"f:a":{".":{},"f:b":{}},"f:c":{}})");
  CHECK(whole.covers(whole));
  CHECK(whole.covers(setOf(R"({"f:a":{"f:b":{}}})")));
  CHECK(whole.covers({}));
  CHECK_FALSE(setOf(R"({"f:a":{"f:b":{}}})").covers(whole));
  CHECK_FALSE(whole.covers(setOf(R"({"f:c":{"f:d":{}}})")));
}
