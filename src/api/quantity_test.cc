#include "api/quantity.h"

#include <doctest/doctest.h>

using skiff::api::canonicalQuantity;
using skiff::api::Quantity;

TEST_CASE("quantities are answered as the API server answers them") {
  // Recorded with upstream's parser.
  const std::pair<const char*, const char*> cases[] = {
      {"1000m", "1"},
      {"1e-3", "1e-3"},
      {"1e3", "1e3"},
      {"1E", "1E"},
      {"1.5Gi", "1536Mi"},
      {"1.1Ki", "1126400m"},
      {"0.1Mi", "104857600m"},
      {"1000Ki", "1000Ki"},
      {"1024Ki", "1Mi"},
      {"0.1n", "1n"},
      {"1.0000000001", "1000000001n"},
      {"-1.0000000001", "-1000000001n"},
      {"8Ei", "9223372036854775807"},
      {"9Ei", "9223372036854775807"},
      {"100E", "100E"},
      {"1e-10", "1e-9"},
      {".5", "500m"},
      {"-1.5Gi", "-1536Mi"},
      {"100000k", "100M"},
      {"0Mi", "0"},
      {"-0", "0"},
      {"1e2", "100"},
      {"1234e-1", "123400e-3"},
      {"10e-1", "1"},
      {"3000000000000", "3T"},
      {"99999999999999999999", "99999999999999999999"},
      {"0.5Ki", "512"},
      // The sender's spelling stays when only the spelling differs.
      {"12E6", "12E6"},
      {"+5", "+5"},
      {"000123", "000123"},
      {"1.", "1."},
      {"1e+3", "1e+3"},
      {"1e30", "1e30"},
  };
  for (const auto& [in, out] : cases) {
    CAPTURE(in);
    CHECK(canonicalQuantity(in) == out);
  }
}

TEST_CASE("a text that is no quantity is refused in upstream's words") {
  using skiff::api::quantityParseError;
  for (const char* bad : {"", "1x", "1.2.3", "1e3m"}) {
    CHECK(quantityParseError(bad).starts_with("quantities must match the regular expression"));
    CHECK(!Quantity::parse(bad));
  }
  for (const char* bad : {"1ee", "1e", "1Kii", "5m5", "1i"})
    CHECK(quantityParseError(bad) == "unable to parse quantity's suffix");
}

TEST_CASE("arithmetic is exact and readings round away from zero") {
  auto q = [](const char* text) { return *Quantity::parse(text); };
  CHECK((q("100m") + q("0.9")).str() == "1");
  CHECK((q("1Gi") - q("1Mi")).str() == "1023Mi");
  CHECK(q("1500u").milliValue() == 2);
  CHECK(q("100m").value() == 1);
  CHECK(q("100E").value() == INT64_MAX);
  CHECK(q("1Gi") > q("1G"));
  CHECK(q("1000m") == q("1"));
  CHECK(q("1500u").roundedUpToMilli().str() == "2m");
  // Nothing greater than this can be held: it may not overflow on its way up.
  CHECK(q("170141183460469231731687303715884102863n").roundedUpToMilli().saturated());
  CHECK(Quantity::ofMilli(250).str() == "250m");
}
