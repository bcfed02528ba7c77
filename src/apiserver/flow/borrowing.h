// How many seats each priority level has now: what idle levels do not need is lent to those in demand.
// The rules are those of https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#seats-borrowing
#pragma once
#include <span>
#include <vector>

#include "apiserver/flow/config.h"
#include "base/clock.h"

namespace skiff::apiserver::flow {

// Seats that a level had in use or waited for, over a time.
class SeatDemand {
 public:
  void change(SteadyTime now, int seats);
  void peak(int seats) { high_ = std::max(high_, seats); }
  struct Period {
    double average = 0, deviation = 0;
    int high = 0;
  };
  Period finish(SteadyTime now);  // and starts the next one

 private:
  SteadyTime since_{}, started_{};
  int seats_ = 0, high_ = 0;
  double sum_ = 0, squares_ = 0;  // of seats over seconds
};

struct LevelSeats {
  bool exempt = false;
  int nominal = 0, lower = 0, upper = 0;
  // Of demand.
  double smoothed = 0;
  SeatDemand::Period last;
  // Made by shareSeats().
  double target = 0;
  int current = 0;
};

// Each level's bounds from its shares of all.
std::vector<LevelSeats> nominalSeats(std::span<const LevelConfig> levels, int total);
// Takes a period's demand into the smoothed one: at once when it grows, slowly when it falls.
void smoothDemand(LevelSeats& level, const SeatDemand::Period& period);
// Sets target and current; returns the fraction of its target that every level in need gets.
double shareSeats(std::span<LevelSeats> levels, int total);

}  // namespace skiff::apiserver::flow
