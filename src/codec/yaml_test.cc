#include "codec/yaml.h"

#include <doctest/doctest.h>

#include "base/strings.h"
#include "codec/json.h"

using namespace skiff::codec;
using skiff::concat;

namespace {
std::string asJson(std::string_view yaml) {
  Arena arena;
  auto value = parseYaml(yaml, arena);
  return value.ok() ? toJson(*value) : value.error().message();
}
std::string asYaml(std::string_view json) {
  Arena arena;
  auto value = parseJson(json, arena);
  REQUIRE(value.ok());
  return toYaml(*value);
}
std::string asYamlString(std::string_view text) { return toYaml(Value::string(text)); }
std::string repeat(std::string_view part, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += part;
  return out;
}
}  // namespace

TEST_CASE("plain scalars resolve as YAML 1.1") {
  struct Row {
    std::string_view yaml, json;
  };
  for (Row row : std::initializer_list<Row>{
           {"~", "null"},          {"null", "null"},        {"", "null"},
           {"nUll", "\"nUll\""},   {"yes", "true"},         {"Off", "false"},
           {"y", "true"},          {"oN", "\"oN\""},        {"0", "0"},
           {"-12", "-12"},         {"+1", "1"},             {"007", "7"},
           {"08", "8"},            {"0o17", "15"},          {"-0x10", "-16"},
           {"0b101", "5"},         {"1_000", "1000"},       {"_1", "\"_1\""},
           {"1e3", "1000"},        {"1.5", "1.5"},          {".5", "0.5"},
           {"1.", "1"},            {".", "\".\""},          {"-", "\"-\""},
           {"0x", "\"0x\""},       {"1e400", "\"1e400\""},  {"1.2.3", "\"1.2.3\""},
           {"10Gi", "\"10Gi\""},   {"100m", "\"100m\""},    {"1:20", "\"1:20\""},
           {"'yes'", "\"yes\""},   {"\"1\"", "\"1\""},      {"2020-01-01", "\"2020-01-01\""},
           {"9223372036854775807", "9223372036854775807"},  {"-9223372036854775808", "-9223372036854775808"},
       }) {
    if (row.yaml != "-") CHECK(asJson(row.yaml) == row.json);
    if (row.yaml != "-") CHECK(asJson(concat("k: ", row.yaml)) == concat("{\"k\":", row.json, "}"));
  }
  CHECK(asJson(".inf") == "json: unsupported value: +Inf");
}

TEST_CASE("tags") {
  CHECK(asJson("!!str 12") == "\"12\"");
  CHECK(asJson("!!int 12") == "12");
  CHECK(asJson("!!float 12") == "12");
  CHECK(asJson("!!binary aGVsbG8=") == "\"hello\"");
  CHECK(asJson("!!binary YYBi") == "\"a\uFFFDb\"");
  CHECK(asJson("!!binary x") == "yaml: !!binary value contains invalid base64 data");
  CHECK(asJson("!!int abc") == "yaml: cannot decode !!str `abc` as a !!int");
  CHECK(asJson("!custom 12") == "\"12\"");
  CHECK(asJson("! 12") == "\"12\"");
}

TEST_CASE("keys become strings") {
  CHECK(asJson("1: a\ntrue: b\n2.5: c\nyes: d\n") == R"({"1":"a","true":"d","2.5":"c"})");
  CHECK(asJson("null: a") == "unsupported map key of type: %!s(<nil>), key: <nil>");
  CHECK(asJson("? [a]\n: b").starts_with("yaml: invalid map key"));
}

TEST_CASE("collections, block and flow") {
  CHECK(asJson("a:\n- b\n- c: 1\n  d: [x, {e: f}]\n") == R"({"a":["b",{"c":1,"d":["x",{"e":"f"}]}]})");
  CHECK(asJson("a: |\n  x\n   y\nb: >-\n  p\n  q\nc: |+\n  z\n\n") == R"({"a":"x\n y\n","b":"p q","c":"z\n\n"})");
  CHECK(asJson(R"({"kind": "Pod", "n": [1, 2.5, null, "\u00e4"]})") == R"({"kind":"Pod","n":[1,2.5,null,"ä"]})");
}

TEST_CASE("anchors, aliases and merge keys") {
  CHECK(asJson("a: &x {k: 1}\nb: *x\nc: &s text\nd: *s") == R"({"a":{"k":1},"b":{"k":1},"c":"text","d":"text"})");
  CHECK(asJson("base: &x {b: 1, c: 2}\nuse:\n  <<: *x\n  c: 3\n") ==
        R"({"base":{"b":1,"c":2},"use":{"b":1,"c":3}})");
  CHECK(asJson("<<: [{a: 1}, {a: 2, b: 3}]\nc: 4") == R"({"a":1,"b":3,"c":4})");
  CHECK(asJson("\"<<\": {a: 1}") == R"({"\u003c\u003c":{"a":1}})");
  CHECK(asJson("<<: 1") == "yaml: map merge requires map or sequence of maps as the value");
  CHECK(asJson("a: *x") == "yaml: unknown anchor 'x' referenced");
  CHECK(asJson("a: &x [*x]") == "yaml: anchor 'x' value contains itself");
}

TEST_CASE("an alias is a copy of its own") {
  Arena arena;
  Value root = *parseYaml("a: &x {k: [1]}\nb: *x", arena);
  root.find("b")->find("k")->push(arena, Value::integer(2));
  CHECK(toJson(root) == R"({"a":{"k":[1]},"b":{"k":[1,2]}})");
}

TEST_CASE("an alias bomb is refused") {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i)
    bomb += concat("a", i, ": &a", i, " [", repeat(concat("*a", i - 1, ","), 9), "*a", i - 1, "]\n");
  CHECK(asJson(bomb) == "yaml: document contains excessive aliasing");
  Arena arena;
  CHECK_FALSE(parseYaml(bomb, arena).ok());
  CHECK(arena.bytes() < 64 << 20);
}

TEST_CASE("hostile depth ends in an error") {
  for (std::string_view part : {"[", "{a: ", "- ", "? ", "[{"}) {
    std::string text = repeat(part, 20000);
    CHECK(asJson(text).starts_with("yaml: "));
  }
}

TEST_CASE("duplicate keys: the last wins, with lines reported") {
  Arena arena;
  std::vector<std::string> duplicates;
  auto value = parseYaml("a: 1\nb: 2\na: 3\n", arena, &duplicates);
  REQUIRE(value.ok());
  CHECK(toJson(*value) == R"({"a":3,"b":2})");
  CHECK(duplicates == std::vector<std::string>{"line 3: key \"a\" already set in map"});
  duplicates.clear();
  REQUIRE(parseYaml("x:\n- a: 1\n  a:\n    k: 1\n    l: 2\n", arena, &duplicates).ok());
  CHECK(duplicates == std::vector<std::string>{"line 4: key \"a\" already set in map"});
}

TEST_CASE("errors name the line") {
  CHECK(asJson("a: b: c") == "yaml: mapping values are not allowed in this context");
  CHECK(asJson("x: 1\na: b: c") == "yaml: line 2: mapping values are not allowed in this context");
  CHECK(asJson("k: new\nline\n") == "yaml: line 3: could not find expected ':'");
  CHECK(asJson("a:\n\tb: 1") == "yaml: line 2: found character that cannot start any token");
}

TEST_CASE("no prefix of a document crashes") {
  std::string text =
      "a: &x !!str \"q\\u00e4\"\nb: [1, {c: *x}, 'z']\n? d\n: |+\n  text\n\n---\n%TAG ! tag:x,1:\n--- !y\n- >-\n fold\n ed\n...\n";
  for (size_t i = 0; i <= text.size(); ++i) {
    Arena arena;
    auto value = parseYaml(std::string(text.substr(0, i)), arena);
    if (value.ok()) CHECK(parseJson(toJson(*value), arena).ok());
  }
}

TEST_CASE("a stream of documents leaves out empty ones") {
  auto documents = parseYamlStream("# first\n---\na: 1\n---\n---\n- b\n...\n---\n# end\n");
  REQUIRE(documents.ok());
  REQUIRE(documents->size() == 2);
  CHECK(toJson((*documents)[0]->root) == R"({"a":1})");
  CHECK(toJson((*documents)[1]->root) == R"(["b"])");
  CHECK(parseYamlStream("")->empty());
  CHECK_FALSE(parseYamlStream("a: 1\n---\n[").ok());
}

TEST_CASE("the writer's form is kubectl's") {
  CHECK(asYaml(R"({"kind":"Pod","apiVersion":"v1","metadata":{"labels":{},"name":"a"},"spec":{"containers":[{"name":"c","args":[],"ports":[{"containerPort":80}]}],"x":null}})") ==
        R"(apiVersion: v1
kind: Pod
metadata:
  labels: {}
  name: a
spec:
  containers:
  - args: []
    name: c
    ports:
    - containerPort: 80
  x: null
)");
  CHECK(asYaml("[[1,2],[{\"a\":1,\"b\":2}]]") == "- - 1\n  - 2\n- - a: 1\n    b: 2\n");
}

TEST_CASE("strings are quoted when they would be read as something else") {
  for (std::string_view text : {"true", "yes", "n", "null", "~", "", "1", "0x1F", "1.5", "1e3", ".5", "2020-01-01",
                                "2020-01-01T00:00:00Z", "1:20", ".inf", "08"})
    CHECK(asYamlString(text) == concat('"', text, "\"\n"));
  for (std::string_view text : {"a: b", "#a", "- a", "[a]", "{a", "*a", "&a", "!a", "|", "%x", "@x", "`x", "  lead",
                                "trail ", "a:", "? a", "-", "---"})
    CHECK(asYamlString(text) == concat('\'', text, "'\n"));
  for (std::string_view text : {"a", "1.2.3", "10Gi", "a:b", "http://x:80/p?q=1#f", "a#b", "nUll", "-a", "2020-13-01",
                                "<<", "a'b", "äö€", "a\\b", "1,000"})
    CHECK(asYamlString(text) == concat(text, '\n'));
  CHECK(asYamlString("it's: x") == "'it''s: x'\n");
  CHECK(asYamlString("tab\there") == "\"tab\\there\"\n");
  CHECK(asYamlString("\x01") == "\"\\x01\"\n");
  CHECK(asYamlString("😀") == "\"\\U0001F600\"\n");
  CHECK(asYamlString("a\xFF") == "a\uFFFD\n");
}

TEST_CASE("multi-line strings are literal blocks with their chomping mark") {
  CHECK(asYaml(R"({"a":"x\ny","b":"x\ny\n","c":"x\n\n","d":" x\ny"})") ==
        "a: |-\n  x\n  y\nb: |\n  x\n  y\nc: |+\n  x\n\nd: |2-\n   x\n  y\n");
  CHECK(asYaml(R"({"a":"x \ny"})") == "a: \"x \\ny\"\n");
  CHECK(asYaml(R"({"a":"x\n\n"})") == "a: |+\n  x\n\n");
}

TEST_CASE("long plain lines fold at 80 columns") {
  std::string text = repeat("word ", 30) + "end";
  std::string yaml = asYaml(concat("{\"k\":\"", text, "\"}"));
  CHECK(yaml == concat("k: ", repeat("word ", 15), "word\n  ", repeat("word ", 14), "end\n"));
  CHECK(asJson(yaml) == concat("{\"k\":\"", text, "\"}"));
}

TEST_CASE("keys in natural order") {
  CHECK(asYaml(R"({"a10":1,"a2":1,"B":1,"a":1,"_":1,"1":1,"a02":1,"a-b":1})") ==
        "_: 1\n\"1\": 1\nB: 1\na: 1\na-b: 1\na2: 1\na02: 1\na10: 1\n");
}

TEST_CASE("numbers as go-yaml prints them") {
  CHECK(asYaml("[1,-1,1.5,0.1,0.0000001,1500000.5,1e21,1e-5,true]") ==
        "- 1\n- -1\n- 1.5\n- 0.1\n- 1e-07\n- 1.5000005e+06\n- 1e+21\n- 1e-05\n- true\n");
}

TEST_CASE("what is written is read back") {
  std::string json =
      R"({"":"","a b":["x: y","#","multi\nline\n","\ttab","  "," \n x","end\n\n\n","'","\"","\\","ü",[],{},[[]],[{}],{"k":[{"z":1}]}],"deep":{"n":-1.25,"t":"true","u":null}})";
  Arena arena;
  Value value = *parseJson(json, arena);
  auto again = parseYaml(toYaml(value), arena);
  REQUIRE(again.ok());
  CHECK(*again == value);
}

TEST_CASE("a deep tree is written without recursion") {
  std::string json = repeat("[", 5000) + repeat("]", 5000);
  CHECK(asYaml(json).size() > 5000);
}
