// The scheduler: assigns pods to nodes through the scheduling framework's extension points.
#pragma once
#include <memory>
#include <string>

#include "client/client.h"
#include "client/role.h"

namespace skiff::scheduler {

struct SchedulerOptions {
  std::shared_ptr<client::Transport> transport;
  std::string schedulerName = "default-scheduler";
  bool leaderElect = false;
  std::string identity;
};
std::unique_ptr<client::Role> createScheduler(SchedulerOptions options);

}  // namespace skiff::scheduler
