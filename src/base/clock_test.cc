#include "base/clock.h"

#include <doctest/doctest.h>

using namespace skiff;

TEST_CASE("RFC 3339 times round-trip and honour offsets") {
  auto time = parseRfc3339("2026-11-22T10:20:30.5+02:00");
  REQUIRE(time);
  CHECK(formatRfc3339(*time) == "2026-11-22T08:20:30Z");
  CHECK(formatRfc3339Micro(*time) == "2026-11-22T08:20:30.500000Z");
  CHECK_FALSE(parseRfc3339("2026-02-30T00:00:00Z"));
  CHECK_FALSE(parseRfc3339("2026-11-22"));
  CHECK_FALSE(parseRfc3339("2026-11-22T10:20:30"));
}

TEST_CASE("a uid is a version 4 UUID") {
  auto uid = newUid();
  REQUIRE(uid.size() == 36);
  CHECK(uid[14] == '4');
  CHECK(std::string("89ab").find(uid[19]) != std::string::npos);
}
