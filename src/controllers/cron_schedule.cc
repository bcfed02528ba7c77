#include "controllers/cron_schedule.h"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include "api/scalars.h"
#include "base/strings.h"

namespace skiff::controllers {

struct CronSchedule::Zone {
  cctz::time_zone zone;
};

namespace {

constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kWeekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Alias {
  std::string_view name, fields;
};
constexpr Alias kAliases[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
};

struct Field {
  int min, max;
  std::span<const std::string_view> names;  // of min, min + 1, ...
};

std::optional<int> parseValue(std::string_view text, const Field& field) {
  std::string lower = toLower(text);
  for (size_t i = 0; i < field.names.size(); ++i)
    if (lower == field.names[i]) return field.min + int(i);
  auto number = parseInt(text);
  if (!number || *number < 0 || *number > 1000) return std::nullopt;
  return int(*number);
}

// "1-5/2,10": sets the bits; *any tells of a star without a step.
template <size_t N>
bool parseField(std::string_view text, const Field& field, std::bitset<N>& bits, bool* any) {
  if (any != nullptr) *any = false;
  for (std::string_view part : split(text, ',')) {
    auto stepped = cut(part, "/");
    std::string_view range = stepped ? stepped->first : part;
    int from = field.min, to = field.max, step = 1;
    bool star = range == "*" || range == "?";
    if (!star) {
      auto ends = cut(range, "-");
      auto low = parseValue(ends ? ends->first : range, field);
      if (!low) return false;
      from = *low;
      if (ends) {
        auto high = parseValue(ends->second, field);
        if (!high) return false;
        to = *high;
      } else if (!stepped) {
        to = from;
      }
    }
    if (stepped) {
      auto number = parseInt(stepped->second);
      if (!number || *number <= 0 || *number > 1000) return false;
      step = int(*number);
    }
    if (from < field.min || to > field.max || from > to) return false;
    if (star && any != nullptr) *any = true;
    for (int i = from; i <= to; i += step) bits.set(size_t(i));
  }
  return true;
}

}  // namespace

Result<CronSchedule> CronSchedule::parse(std::string_view text, std::string_view timeZone) {
  std::string_view rest = trim(text);
  std::string zoneName(timeZone);
  for (std::string_view prefix : {"TZ=", "CRON_TZ="})
    if (rest.starts_with(prefix)) {
      auto parts = cut(rest, " ");
      if (!parts) return badRequest("schedule has a time zone only");
      zoneName = std::string(parts->first.substr(prefix.size()));
      rest = trim(parts->second);
      break;
    }
  CronSchedule out;
  auto zone = std::make_shared<Zone>();
  zone->zone = cctz::utc_time_zone();
  if (!zoneName.empty() && !cctz::load_time_zone(zoneName, &zone->zone))
    return badRequest("unknown time zone " + zoneName);
  out.zone_ = std::move(zone);

  if (rest.starts_with("@every ")) {
    auto period = api::parseDuration(trim(rest.substr(7)));
    if (!period) return badRequest(concat("failed to parse duration ", rest));
    out.every_ = std::max(seconds(1), std::chrono::floor<seconds>(*period));
    return out;
  }
  for (const Alias& alias : kAliases)
    if (rest == alias.name) rest = alias.fields;
  std::vector<std::string_view> fields;
  for (std::string_view part : splitNonEmpty(rest, ' '))
    for (std::string_view word : splitNonEmpty(part, '\t')) fields.push_back(word);
  if (fields.size() != 5)
    return badRequest(concat("expected exactly 5 fields, found ", fields.size(), ": [", rest, "]"));
  bool ok = parseField(fields[0], {0, 59, {}}, out.minutes_, nullptr) &&
            parseField(fields[1], {0, 23, {}}, out.hours_, nullptr) &&
            parseField(fields[2], {1, 31, {}}, out.days_, &out.anyDay_) &&
            parseField(fields[3], {1, 12, kMonths}, out.months_, nullptr) &&
            parseField(fields[4], {0, 6, kWeekdays}, out.weekdays_, &out.anyWeekday_);
  if (!ok) return badRequest(concat("failed to parse schedule ", rest));
  return out;
}

std::optional<WallTime> CronSchedule::next(WallTime after) const {
  auto whole = std::chrono::floor<seconds>(after);
  if (every_) return whole + *every_;
  // Absolute minutes are stepped through, so that hours that a clock change skips or repeats fall out by themselves.
  auto at = std::chrono::floor<std::chrono::minutes>(after) + std::chrono::minutes(1);
  auto limit = at + std::chrono::hours(24 * 366 * 5);
  auto atCivil = [&](const auto& civil) {
    return std::chrono::time_point_cast<std::chrono::minutes>(
        cctz::convert(cctz::civil_second(civil), zone_->zone));
  };
  while (at < limit) {
    auto civil = cctz::convert(std::chrono::time_point_cast<cctz::seconds>(at), zone_->zone);
    if (!months_.test(size_t(civil.month()))) {
      at = std::max(at + std::chrono::minutes(1), atCivil(cctz::civil_month(civil) + 1));
      continue;
    }
    bool day = days_.test(size_t(civil.day()));
    // cctz counts from Monday.
    bool weekday = weekdays_.test((size_t(cctz::get_weekday(cctz::civil_day(civil))) + 1) % 7);
    bool fits = anyDay_ || anyWeekday_ ? day && weekday : day || weekday;
    if (!fits) {
      at = std::max(at + std::chrono::minutes(1), atCivil(cctz::civil_day(civil) + 1));
      continue;
    }
    if (!hours_.test(size_t(civil.hour()))) {
      at += std::chrono::minutes(60 - civil.minute());
      continue;
    }
    if (minutes_.test(size_t(civil.minute()))) return at;
    at += std::chrono::minutes(1);
  }
  return std::nullopt;
}

std::optional<WallTime> CronSchedule::mostRecent(WallTime after, WallTime now) const {
  if (every_) {
    if (now < after + *every_) return std::nullopt;
    auto periods = (now - after) / *every_;
    return after + *every_ * periods;
  }
  // Growing windows back from now: a long outage does not walk through all that was missed.
  for (int hours : {1, 24, 24 * 32, 24 * 366, 24 * 366 * 5}) {
    WallTime from = std::max(after, now - std::chrono::hours(hours));
    std::optional<WallTime> found;
    for (auto at = next(from); at && *at <= now; at = next(*at)) found = at;
    if (found || from == after) return found;
  }
  return std::nullopt;
}

}  // namespace skiff::controllers
