#include "base/strings.h"

#include <doctest/doctest.h>

using namespace skiff;

TEST_CASE("base64 round-trips every remainder and refuses bad text") {
  for (std::string text : {"", "a", "ab", "abc", "abcd"}) {
    CHECK(base64Decode(base64Encode(text)) == text);
    CHECK(base64UrlDecode(base64UrlEncode(text)) == text);
  }
  CHECK(base64Encode("ab") == "YWI=");
  CHECK_FALSE(base64Decode("YWI"));
  CHECK_FALSE(base64Decode("Y*I="));
}

TEST_CASE("quoted escapes as Go's %q") {
  CHECK(quoted("a\"b\n\x01") == "\"a\\\"b\\n\\x01\"");
}

TEST_CASE("percent coding round-trips") {
  CHECK(percentEncode("a b/c") == "a%20b%2Fc");
  CHECK(percentDecode("a%20b%2Fc") == "a b/c");
  CHECK(percentDecode("a+b", true) == "a b");
  CHECK_FALSE(percentDecode("a%2"));
  CHECK_FALSE(percentDecode("a%zz"));
}

TEST_CASE("UTF-8 validity refuses surrogates and overlong forms") {
  CHECK(isValidUtf8("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  CHECK_FALSE(isValidUtf8("\xed\xa0\x80"));
  CHECK_FALSE(isValidUtf8("\xc0\xaf"));
  CHECK_FALSE(isValidUtf8("\xe2\x82"));
}

TEST_CASE("split keeps empty parts, splitNonEmpty drops them") {
  CHECK(split("a,,b", ',').size() == 3);
  CHECK(splitNonEmpty("a,,b", ',').size() == 2);
}
