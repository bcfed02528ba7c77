// apiserver_flowcontrol_*: seats of the priority levels, and what became of the requests of each flow schema.
#pragma once
#include <string>
#include <vector>

#include "apiserver/flow/priority_level.h"

namespace skiff::apiserver::flow {

struct FlowMetricsInput {
  struct Level {
    const PriorityLevel* level;
    LevelSeats seats;
  };
  struct Stats {
    const FlowStats* stats;
    const PriorityLevel* level;  // whose lock guards them
  };
  std::vector<Level> levels;
  std::vector<Stats> stats;
  double fairFraction = 0;
};
void writeFlowMetrics(const FlowMetricsInput& input, std::string& out);

}  // namespace skiff::apiserver::flow
