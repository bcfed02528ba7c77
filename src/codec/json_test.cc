#include "codec/json.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/strings.h"

using namespace skiff::codec;
using skiff::concat;

namespace {
std::string roundTrip(std::string_view text) {
  Arena arena;
  auto value = parseJson(text, arena);
  return value.ok() ? toJson(*value) : value.error().message();
}
std::string errorOf(std::string_view text) {
  Arena arena;
  auto value = parseJson(text, arena);
  return value.ok() ? "accepted" : value.error().message();
}
std::vector<std::string> duplicatesOf(std::string_view text) {
  Arena arena;
  std::vector<std::string> duplicates;
  REQUIRE(parseJson(text, arena, {.duplicates = &duplicates}).ok());
  return duplicates;
}
std::string repeat(std::string_view part, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += part;
  return out;
}
}  // namespace

TEST_CASE("values of every kind survive") {
  for (std::string_view text :
       {"null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "0.5",
        "\"\"", "\"text\"", "[]", "{}", "[1,[2,[3]],{\"a\":{\"b\":[]}}]", "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\""})
    CHECK(roundTrip(text) == text);
  CHECK(roundTrip(" [ 1 ,\t2 ]\r\n") == "[1,2]");
  CHECK(roundTrip("{ \"a\" : 1 , \"b\" : [ ] }") == R"({"a":1,"b":[]})");
}

TEST_CASE("integers that fit stay integers, others become doubles") {
  Arena arena;
  CHECK(parseJson("9223372036854775807", arena)->isInt());
  CHECK(parseJson("9223372036854775808", arena)->isDouble());
  CHECK(parseJson("1.0", arena)->isDouble());
  CHECK(parseJson("1e2", arena)->asDouble() == 100);
  CHECK(parseJson("-0", arena)->isInt());
  CHECK(parseJson("1e-400", arena)->asDouble() == 0);
  CHECK(errorOf("1e400") == "json: cannot unmarshal number 1e400 into Go value of type float64");
}

TEST_CASE("syntax errors read as Go's") {
  CHECK(errorOf("") == "unexpected end of JSON input");
  CHECK(errorOf("{\"a\":") == "unexpected end of JSON input");
  CHECK(errorOf("\"abc") == "unexpected end of JSON input");
  CHECK(errorOf("[") == "unexpected end of JSON input");
  CHECK(errorOf("-") == "invalid character ' ' in numeric literal");
  CHECK(errorOf("[1.") == "invalid character ' ' after decimal point in numeric literal");
  CHECK(errorOf("tru") == "invalid character ' ' in literal true (expecting 'e')");
  CHECK(errorOf("\"\\u00") == "invalid character ' ' in \\u hexadecimal character escape");
  CHECK(errorOf("\"\\") == "invalid character ' ' in string escape code");
  CHECK(errorOf("[1e999,}") == "invalid character '}' looking for beginning of value");
  CHECK(errorOf("}") == "invalid character '}' looking for beginning of value");
  CHECK(errorOf("[1,]") == "invalid character ']' looking for beginning of value");
  CHECK(errorOf("{,}") == "invalid character ',' looking for beginning of object key string");
  CHECK(errorOf("{\"a\":1,}") == "invalid character '}' looking for beginning of object key string");
  CHECK(errorOf("{\"a\" 1}") == "invalid character '1' after object key");
  CHECK(errorOf("{\"a\":1 \"b\"}") == "invalid character '\"' after object key:value pair");
  CHECK(errorOf("[1 2]") == "invalid character '2' after array element");
  CHECK(errorOf("1 2") == "invalid character '2' after top-level value");
  CHECK(errorOf("01") == "invalid character '1' after top-level value");
  CHECK(errorOf("trux") == "invalid character 'x' in literal true (expecting 'e')");
  CHECK(errorOf("-x") == "invalid character 'x' in numeric literal");
  CHECK(errorOf("1.x") == "invalid character 'x' after decimal point in numeric literal");
  CHECK(errorOf("1ex") == "invalid character 'x' in exponent of numeric literal");
  CHECK(errorOf("\"a\nb\"") == "invalid character '\\n' in string literal");
  CHECK(errorOf("\"\\x\"") == "invalid character 'x' in string escape code");
  CHECK(errorOf("\"\\u12g4\"") == "invalid character 'g' in \\u hexadecimal character escape");
  CHECK(errorOf("'a'") == "invalid character '\\'' looking for beginning of value");
  CHECK(errorOf("\xC3\xA4") == "invalid character 'Ã' looking for beginning of value");
  CHECK(errorOf(std::string_view("\0", 1)) == "invalid character '\\x00' looking for beginning of value");
}

TEST_CASE("strings: escapes, surrogates, invalid bytes") {
  auto text = [](std::string_view json) {
    Arena arena;
    auto value = parseJson(json, arena);
    REQUIRE(value.ok());
    return value->str();
  };
  CHECK(text(R"("\u00e4\u20AC\ud83d\ude00")") == "ä€😀");
  CHECK(text(R"("a\/b")") == "a/b");
  CHECK(text(R"("\ud800x")") == "\uFFFDx");
  CHECK(text(R"("\ud800\ud83d\ude00")") == "\uFFFD😀");
  CHECK(text(R"("\udc00\u0041")") == "\uFFFDA");
  CHECK(text("\"plain text, long enough for words: ä€😀 end\"") == "plain text, long enough for words: ä€😀 end");
  CHECK(text("\"a\xFFz\"") == "a\uFFFDz");
  CHECK(text("\"\xC0\x80\"") == "\uFFFD\uFFFD");            // overlong
  CHECK(text("\"\xED\xA0\x80\"") == "\uFFFD\uFFFD\uFFFD");  // a surrogate, encoded
  CHECK(text("\"\xE2\x82\"") == "\uFFFD\uFFFD");            // cut off
  CHECK(text("\"long prefix of a string \\n and \xF0\x9F\"") == "long prefix of a string \n and \uFFFD\uFFFD");
}

TEST_CASE("duplicate keys: the last value in the first place, paths in order") {
  CHECK(roundTrip(R"({"a":1,"b":2,"a":{"c":3}})") == R"({"a":{"c":3},"b":2})");
  CHECK(duplicatesOf(R"({"a":1,"a":2,"b":{"c":1,"c":1,"c":2}})") == std::vector<std::string>{"a", "b.c"});
  CHECK(duplicatesOf(R"({"s":{"x":[{},{"y":[1,{"n":1,"n":2}]}]}})") == std::vector<std::string>{"s.x[1].y[1].n"});
  CHECK(duplicatesOf(R"({"a":{"k":1},"b":{"k":1}})").empty());
  CHECK(duplicatesOf(R"({"ab":1,"ba":1,"":1,"b":2})").empty());
  CHECK(duplicatesOf(R"({"":1,"":1})") == std::vector<std::string>{""});
}

TEST_CASE("duplicate keys in large maps") {
  std::string text = "{";
  for (int i = 0; i < 3000; ++i) text += concat("\"key", i, "\":", i, ",");
  CHECK(duplicatesOf(text + "\"other\":1}").empty());
  CHECK(duplicatesOf(text + "\"key2999\":1,\"key7\":1}") == std::vector<std::string>{"key2999", "key7"});
  std::string many = "{" + repeat("\"a\":1,", 10) + "\"b\":1}";
  CHECK(duplicatesOf(many) == std::vector<std::string>{"a"});
}

TEST_CASE("depth is limited and needs no stack") {
  CHECK(errorOf(repeat("[", 1000000)) == "exceeded max depth");
  CHECK(errorOf(repeat("{\"a\":", 1000000)) == "exceeded max depth");
  CHECK(errorOf(repeat("[", 10001) + repeat("]", 10001)) == "exceeded max depth");
  std::string deep = repeat("[{\"a\":", 5000) + "1" + repeat("}]", 5000);
  CHECK(roundTrip(deep) == deep);
  Arena arena;
  JsonOptions deeper{.maxDepth = 2000000};
  std::string million = repeat("[", 1000000) + repeat("]", 1000000);
  auto value = parseJson(million, arena, deeper);
  REQUIRE(value.ok());
  CHECK(toJson(*value) == million);
  CHECK(value->clone(arena) == *value);
}

TEST_CASE("no prefix of a document crashes or is accepted") {
  std::string text =
      R"({"kind":"Pod","n":-1.5e+3,"l":[true,false,null,{}],"s":"a\u00e4\ud83d\ude00\n€","e":{"x":[[]]}})";
  REQUIRE(errorOf(text) == "accepted");
  for (size_t i = 0; i < text.size(); ++i) CHECK(errorOf(std::string(text.substr(0, i))) != "accepted");
}

TEST_CASE("any changed byte is accepted or refused, never more") {
  std::string text = R"({"a":[1,"x\u0041y",{"b":null}],"c":-1.25})";
  for (size_t i = 0; i < text.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[i] = char(byte);
      Arena arena;
      auto value = parseJson(changed, arena, {.copyStrings = false});
      if (!value.ok()) continue;
      std::string once = toJson(*value);
      REQUIRE(roundTrip(once) == once);
    }
  }
}

TEST_CASE("the writer escapes as Go") {
  auto written = [](std::string_view text) { return toJson(Value::string(text)); };
  CHECK(written("<a> & \"b\"\\") == R"("\u003ca\u003e \u0026 \"b\"\\")");
  CHECK(written("\x01\x1f\x7f\b\f\n\r\t") == "\"\\u0001\\u001f\x7f\\b\\f\\n\\r\\t\"");
  CHECK(written("\u2028\u2029\u2030") == "\"\\u2028\\u2029\u2030\"");
  CHECK(written("a\xFF" "b\xE2\x82") == R"("a\ufffdb\ufffd\ufffd")");
  CHECK(written(std::string_view("\0", 1)) == R"("\u0000")");
}

TEST_CASE("doubles are written as Go") {
  CHECK(formatJsonDouble(0.1) == "0.1");
  CHECK(formatJsonDouble(5) == "5");
  CHECK(formatJsonDouble(-0.0) == "-0");
  CHECK(formatJsonDouble(100) == "100");
  CHECK(formatJsonDouble(123.456) == "123.456");
  CHECK(formatJsonDouble(1e20) == "100000000000000000000");
  CHECK(formatJsonDouble(123456789012345680000.0) == "123456789012345680000");
  CHECK(formatJsonDouble(1e21) == "1e+21");
  CHECK(formatJsonDouble(1.5e300) == "1.5e+300");
  CHECK(formatJsonDouble(0.000001) == "0.000001");
  CHECK(formatJsonDouble(1.5e-7) == "1.5e-7");
  CHECK(formatJsonDouble(1e-10) == "1e-10");
  CHECK(formatJsonDouble(-2.5e-8) == "-2.5e-8");
  CHECK(formatJsonDouble(0.3333333333333333) == "0.3333333333333333");
  CHECK(formatJsonDouble(std::numeric_limits<double>::infinity()) == "null");
}

TEST_CASE("indented and sorted forms") {
  Arena arena;
  Value value = *parseJson(R"({"b":[],"a":{"d":[1,{"z":1,"y":2}],"c":{}}})", arena);
  CHECK(toJsonSorted(value) == R"({"a":{"c":{},"d":[1,{"y":2,"z":1}]},"b":[]})");
  CHECK(toJsonIndented(value, 2) == R"({
  "a": {
    "c": {},
    "d": [
      1,
      {
        "y": 2,
        "z": 1
      }
    ]
  },
  "b": []
})");
}
