#include "api/scalars.h"

#include <doctest/doctest.h>

#include "api/scalar_text.h"

using namespace skiff;
using namespace skiff::api;

TEST_CASE("durations read and print as Go's") {
  using std::chrono::nanoseconds;
  const std::pair<int64_t, const char*> cases[] = {{0, "0s"},
                                                   {1, "1ns"},
                                                   {1500, "1.5\xC2\xB5s"},
                                                   {2'000'000, "2ms"},
                                                   {90'000'000'000, "1m30s"},
                                                   {3'600'000'000'000, "1h0m0s"},
                                                   {-1'500'000'000, "-1.5s"}};
  for (const auto& [count, text] : cases) {
    CHECK(formatDuration(nanoseconds(count)) == text);
    CHECK(parseDuration(text) == nanoseconds(count));
  }
  CHECK(parseDuration("1h30m") == std::chrono::minutes(90));
  CHECK(parseDuration(".5s") == std::chrono::milliseconds(500));
  for (const char* bad : {"", "1", "s", "1x", "-", "99999999999h"}) CHECK(!parseDuration(bad));
}

TEST_CASE("percentages are scaled up or down") {
  CHECK(scaledValue(IntOrString::of("25%"), 10, true) == 3);
  CHECK(scaledValue(IntOrString::of("25%"), 10, false) == 2);
  CHECK(scaledValue(IntOrString::of(7), 10, false) == 7);
  CHECK(!scaledValue(IntOrString::of("7"), 10, false));
}

TEST_CASE("times become canonical or name what is wrong") {
  codec::Arena arena;
  CHECK(canonicalTime("2020-01-01T01:00:00.9+01:00", arena)->asString() == "2020-01-01T00:00:00Z");
  CHECK(canonicalTime("0001-01-01T00:00:00Z", arena)->isNull());
  CHECK(canonicalTime("0001-01-01T00:00:00.04Z", arena)->isNull());
  CHECK(
      canonicalTime("yesterday", arena).error().message() ==
      R"(parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006")");
  CHECK(canonicalTime("2020-13-01T00:00:00Z", arena).error().message() ==
        R"(parsing time "2020-13-01T00:00:00Z": month out of range)");
  CHECK(
      canonicalMicroTime("2020-01-01T00:00:00Z", arena).error().message() ==
      R"(parsing time "2020-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000")");
  CHECK(canonicalMicroTime("2020-01-01T00:00:00.000001Z", arena)->asString() ==
        "2020-01-01T00:00:00.000001Z");
  CHECK(canonicalBase64("***", arena).error().message() == "illegal base64 data at input byte 0");
  CHECK(canonicalBase64("YQ=", arena).error().message() == "illegal base64 data at input byte 3");
  CHECK(canonicalBase64("YQ\n==", arena)->asString() == "YQ==");
  // Bits that belong to no byte: Go takes them and writes none.
  CHECK(canonicalBase64("YR==", arena)->asString() == "YQ==");
  CHECK(canonicalBase64("oup=", arena)->asString() == "ouo=");
  CHECK(canonicalBase64("ouo=\r\n", arena)->asString() == "ouo=");
}
