// Cron schedules: five fields (or @daily and its like, @every), in a time zone.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
#pragma once
#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::controllers {

class CronSchedule {
 public:
  // `timeZone` is an IANA name; "" is UTC. A TZ= or CRON_TZ= prefix of the schedule overrides it.
  static Result<CronSchedule> parse(std::string_view text, std::string_view timeZone);
  // The first time after `after`; nullopt when there is none within five years (February 30th).
  std::optional<WallTime> next(WallTime after) const;
  // The last time in (after, now]; nullopt when there is none.
  std::optional<WallTime> mostRecent(WallTime after, WallTime now) const;

 private:
  struct Zone;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool anyDay_ = false, anyWeekday_ = false;
  std::optional<seconds> every_;
  std::shared_ptr<const Zone> zone_;
};

}  // namespace skiff::controllers
