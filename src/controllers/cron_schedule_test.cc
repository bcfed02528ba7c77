#include "controllers/cron_schedule.h"

#include <doctest/doctest.h>

namespace skiff::controllers {
namespace {

std::string nextAfter(std::string_view schedule, std::string_view after, std::string_view zone = "") {
  auto parsed = CronSchedule::parse(schedule, zone);
  if (!parsed.ok()) return parsed.error().message();
  auto next = parsed->next(*parseRfc3339(after));
  return next ? formatRfc3339(*next) : "never";
}

TEST_CASE("the next time of a schedule") {
  CHECK(nextAfter("*/15 * * * *", "2026-11-22T10:07:30Z") == "2026-11-22T10:15:00Z");
  CHECK(nextAfter("0 0 * * *", "2026-11-22T00:00:00Z") == "2026-11-23T00:00:00Z");
  CHECK(nextAfter("30 9 * * MON-FRI", "2026-11-20T12:00:00Z") == "2026-11-23T09:30:00Z");
  CHECK(nextAfter("0 12 1 jan *", "2026-11-22T10:00:00Z") == "2027-01-01T12:00:00Z");
  CHECK(nextAfter("5-10/5,40 3 * * ?", "2026-11-22T03:05:00Z") == "2026-11-22T03:10:00Z");
  CHECK(nextAfter("@hourly", "2026-11-22T10:00:00Z") == "2026-11-22T11:00:00Z");
  CHECK(nextAfter("@every 90s", "2026-11-22T10:00:00Z") == "2026-11-22T10:01:30Z");
  CHECK(nextAfter("0 0 30 2 *", "2026-11-22T10:00:00Z") == "never");
  // Day of month and day of week: either, when both are given.
  CHECK(nextAfter("0 0 13 * 5", "2026-11-22T10:00:00Z") == "2026-11-27T00:00:00Z");
}

TEST_CASE("bad schedules are refused") {
  for (auto bad : {"", "* * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "a * * * *", "5-1 * * * *", "@every x"})
    CHECK_FALSE(CronSchedule::parse(bad, "").ok());
  CHECK(CronSchedule::parse("* * * * *", "Nowhere/Atall").error().message() == "unknown time zone Nowhere/Atall");
}

TEST_CASE("the most recent time, without walking through all that was missed") {
  auto schedule = *CronSchedule::parse("*/5 * * * *", "");
  auto at = [&](std::string_view after, std::string_view now) {
    auto found = schedule.mostRecent(*parseRfc3339(after), *parseRfc3339(now));
    return found ? formatRfc3339(*found) : "none";
  };
  CHECK(at("2026-11-22T10:00:00Z", "2026-11-22T10:04:59Z") == "none");
  CHECK(at("2026-11-22T10:00:00Z", "2026-11-22T10:12:00Z") == "2026-11-22T10:10:00Z");
  CHECK(at("2020-01-01T00:00:00Z", "2026-11-22T10:12:00Z") == "2026-11-22T10:10:00Z");
}

}  // namespace
}  // namespace skiff::controllers
