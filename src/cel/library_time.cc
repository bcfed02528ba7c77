// Timestamps and durations.
#include <chrono>

#include "api/scalars.h"
#include "base/clock.h"
#include "base/strings.h"
#include "cel/library.h"

namespace skiff::cel {
namespace {

using Args = std::span<const Value>;
using std::chrono::floor;

Value toTimestamp(Context& context, Args args) {
  if (args[0].is(Kind::Timestamp)) return args[0];
  if (args[0].is(Kind::Int)) return Value::timestamp(args[0].asInt(), 0);
  return args[0].is(Kind::String) ? parseTimestamp(context, args[0].asText()) : context.noOverload();
}

Value toDuration(Context& context, Args args) {
  if (args[0].is(Kind::Duration)) return args[0];
  if (args[0].is(Kind::Int)) return Value::duration(args[0].asInt());
  return args[0].is(Kind::String) ? parseDurationText(context, args[0].asText()) : context.noOverload();
}

// "UTC", "+02:00", "-08:30". Names of places need a time zone database, which this library does without.
std::optional<std::chrono::seconds> zoneOffset(std::string_view zone) {
  if (zone.empty() || zone == "UTC" || zone == "Z") return std::chrono::seconds(0);
  bool negative = zone.starts_with('-');
  if (negative || zone.starts_with('+')) zone.remove_prefix(1);
  auto parts = cut(zone, ":");
  if (!parts) return std::nullopt;
  auto hours = parseInt(parts->first), minutes = parseInt(parts->second);
  if (!hours || !minutes || *hours > 14 || *minutes > 59 || *hours < 0 || *minutes < 0) return std::nullopt;
  std::chrono::seconds offset{*hours * 3600 + *minutes * 60};
  return negative ? -offset : offset;
}

struct Moment {
  std::chrono::year_month_day date;
  std::chrono::sys_days day;
  std::chrono::hh_mm_ss<std::chrono::seconds> time;
};

// The field of a timestamp in a zone; durations have hours and below of their own.
template <class Field>
Value field(Context& context, Args args, Field get) {
  if (!args[0].is(Kind::Timestamp) || (args.size() == 2 && !args[1].is(Kind::String))) return context.noOverload();
  auto offset = zoneOffset(args.size() == 2 ? args[1].asText() : "");
  if (!offset) return context.fail(concat("unknown time zone ", args[1].asText()));
  std::chrono::sys_seconds moment{std::chrono::seconds(args[0].asInt()) + *offset};
  auto day = floor<std::chrono::days>(moment);
  return Value::integer(get(Moment{std::chrono::year_month_day(day), day, std::chrono::hh_mm_ss(moment - day)}));
}

Value getFullYear(Context& c, Args a) { return field(c, a, [](const Moment& m) { return int64_t(int(m.date.year())); }); }
Value getMonth(Context& c, Args a) { return field(c, a, [](const Moment& m) { return int64_t(unsigned(m.date.month())) - 1; }); }
Value getDate(Context& c, Args a) { return field(c, a, [](const Moment& m) { return int64_t(unsigned(m.date.day())); }); }
Value getDayOfMonth(Context& c, Args a) {
  return field(c, a, [](const Moment& m) { return int64_t(unsigned(m.date.day())) - 1; });
}
Value getDayOfWeek(Context& c, Args a) {
  return field(c, a, [](const Moment& m) { return int64_t(std::chrono::weekday(m.day).c_encoding()); });
}
Value getDayOfYear(Context& c, Args a) {
  return field(c, a, [](const Moment& m) {
    return int64_t((m.day - std::chrono::sys_days(m.date.year() / 1 / 1)).count());
  });
}
Value getHours(Context& c, Args a) {
  if (a[0].is(Kind::Duration) && a.size() == 1) return Value::integer(a[0].asInt() / 3'600'000'000'000);
  return field(c, a, [](const Moment& m) { return int64_t(m.time.hours().count()); });
}
Value getMinutes(Context& c, Args a) {
  if (a[0].is(Kind::Duration) && a.size() == 1) return Value::integer(a[0].asInt() / 60'000'000'000);
  return field(c, a, [](const Moment& m) { return int64_t(m.time.minutes().count()); });
}
Value getSeconds(Context& c, Args a) {
  if (a[0].is(Kind::Duration) && a.size() == 1) return Value::integer(a[0].asInt() / 1'000'000'000);
  return field(c, a, [](const Moment& m) { return int64_t(m.time.seconds().count()); });
}
Value getMilliseconds(Context& c, Args a) {
  if (a[0].is(Kind::Duration) && a.size() == 1) return Value::integer(a[0].asInt() / 1'000'000 % 1000);
  return field(c, a, [&](const Moment&) { return int64_t(a[0].nanos() / 1'000'000); });
}

constexpr std::string_view kOfTime = "timestamp -> int | timestamp string -> int";
constexpr std::string_view kOfTimeOrDuration = "timestamp -> int | timestamp string -> int | duration -> int";

constexpr Function kFunctions[] = {
    {"timestamp", Style::Global, 1, 1, toTimestamp, "timestamp -> timestamp | string -> timestamp | int -> timestamp"},
    {"duration", Style::Global, 1, 1, toDuration, "duration -> duration | string -> duration"},
    {"getFullYear", Style::Member, 1, 2, getFullYear, kOfTime},
    {"getMonth", Style::Member, 1, 2, getMonth, kOfTime},
    {"getDate", Style::Member, 1, 2, getDate, kOfTime},
    {"getDayOfMonth", Style::Member, 1, 2, getDayOfMonth, kOfTime},
    {"getDayOfWeek", Style::Member, 1, 2, getDayOfWeek, kOfTime},
    {"getDayOfYear", Style::Member, 1, 2, getDayOfYear, kOfTime},
    {"getHours", Style::Member, 1, 2, getHours, kOfTimeOrDuration},
    {"getMinutes", Style::Member, 1, 2, getMinutes, kOfTimeOrDuration},
    {"getSeconds", Style::Member, 1, 2, getSeconds, kOfTimeOrDuration},
    {"getMilliseconds", Style::Member, 1, 2, getMilliseconds, kOfTimeOrDuration},
};

// Digits of a fraction without the zeros at their end, with the dot; "" for none.
std::string fraction(int64_t nanos) {
  if (nanos == 0) return {};
  std::string digits = std::to_string(nanos);
  digits.insert(0, 9 - digits.size(), '0');
  digits.erase(digits.find_last_not_of('0') + 1);
  return "." + digits;
}

}  // namespace

std::span<const Function> timeFunctions() { return kFunctions; }

Value parseTimestamp(Context& context, std::string_view text) {
  std::optional<WallTime> time = parseRfc3339(text);
  if (!time) return context.fail(concat("parsing time ", quoted(text), " as \"2006-01-02T15:04:05Z07:00\": cannot parse"));
  auto seconds = floor<std::chrono::seconds>(*time);
  auto nanos = std::chrono::nanoseconds(*time - seconds).count();
  return Value::timestamp(seconds.time_since_epoch().count(), int32_t(nanos));
}

Value parseDurationText(Context& context, std::string_view text) {
  auto duration = api::parseDuration(text);
  if (!duration) return context.fail(concat("time: invalid duration ", quoted(text)));
  return Value::duration(duration->count());
}

std::string formatTimestamp(const Value& timestamp) {
  std::string text = formatRfc3339(WallTime(std::chrono::seconds(timestamp.asInt())));
  text.insert(text.size() - 1, fraction(timestamp.nanos()));
  return text;
}

std::string formatDuration(int64_t nanos) {
  bool negative = nanos < 0;
  uint64_t magnitude = negative ? 0 - uint64_t(nanos) : uint64_t(nanos);
  return concat(negative ? "-" : "", magnitude / 1'000'000'000, fraction(int64_t(magnitude % 1'000'000'000)), "s");
}

}  // namespace skiff::cel
