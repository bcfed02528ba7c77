#include "apiserver/flow/borrowing.h"

#include <algorithm>
#include <cmath>

namespace skiff::apiserver::flow {
namespace {
// So much of the old smoothed demand is left after a period: a peak is forgotten within about five minutes of ten-second periods.
constexpr double kDecay = 0.977;

double secondsBetween(SteadyTime from, SteadyTime to) { return std::chrono::duration<double>(to - from).count(); }

// The least that a level has: what it needs of its own, and never less than it does not lend.
double floorOf(const LevelSeats& level) { return std::max(level.lower, std::min(level.nominal, level.last.high)); }

double seatsAt(const LevelSeats& level, double fraction) {
  return std::min(double(level.upper), std::max(floorOf(level), fraction * level.target));
}
}  // namespace

void SeatDemand::change(SteadyTime now, int seats) {
  if (since_ == SteadyTime{}) started_ = since_ = now;
  if (now > since_) {
    double passed = secondsBetween(since_, now);
    sum_ += passed * seats_;
    squares_ += passed * seats_ * seats_;
    since_ = now;
  }
  seats_ = seats;
  high_ = std::max(high_, seats);
}

SeatDemand::Period SeatDemand::finish(SteadyTime now) {
  change(now, seats_);
  Period period;
  period.high = high_;
  if (double length = secondsBetween(started_, now); length > 0) {
    period.average = sum_ / length;
    period.deviation = std::sqrt(std::max(0.0, squares_ / length - period.average * period.average));
  }
  started_ = now;
  sum_ = squares_ = 0;
  high_ = seats_;
  return period;
}

std::vector<LevelSeats> nominalSeats(std::span<const LevelConfig> levels, int total) {
  double shares = 0;
  for (const LevelConfig& level : levels) shares += level.shares;
  std::vector<LevelSeats> out;
  for (const LevelConfig& level : levels) {
    LevelSeats seats;
    seats.exempt = level.exempt;
    seats.nominal = shares > 0 ? int(std::ceil(total * double(level.shares) / shares)) : 0;
    seats.lower = seats.nominal - int(std::round(seats.nominal * level.lendablePercent / 100.0));
    seats.upper = seats.nominal + total;
    if (level.borrowingLimitPercent)
      seats.upper = seats.nominal + int(std::round(seats.nominal * *level.borrowingLimitPercent / 100.0));
    seats.current = seats.nominal;
    out.push_back(seats);
  }
  return out;
}

void smoothDemand(LevelSeats& level, const SeatDemand::Period& period) {
  level.last = period;
  double envelope = std::min(period.average + period.deviation, double(period.high));
  level.smoothed = std::max(envelope, kDecay * level.smoothed + (1 - kDecay) * envelope);
}

double shareSeats(std::span<LevelSeats> levels, int total) {
  double left = total;
  for (LevelSeats& level : levels) {
    level.target = std::max(floorOf(level), level.smoothed);
    if (!level.exempt) continue;
    level.current = int(std::round(floorOf(level)));
    left -= level.current;
  }
  auto sumAt = [&](double fraction) {
    double sum = 0;
    for (const LevelSeats& level : levels)
      if (!level.exempt) sum += seatsAt(level, fraction);
    return sum;
  };
  // The sum grows with the fraction: halve the interval. 50 steps are beyond what rounding to seats can tell.
  double low = 0, high = std::max(left, 1.0);
  for (int step = 0; step < 50; ++step) {
    double middle = (low + high) / 2;
    (sumAt(middle) > left ? high : low) = middle;
  }
  for (LevelSeats& level : levels)
    if (!level.exempt) level.current = int(std::round(seatsAt(level, low)));
  return low;
}

}  // namespace skiff::apiserver::flow
