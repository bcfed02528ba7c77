// The tables under /debug/api_priority_and_fairness/.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "apiserver/flow/priority_level.h"

namespace skiff::apiserver::flow {

// `what`: dump_priority_levels, dump_queues or dump_requests; nullopt when it is none of them.
std::optional<std::string> dumpTable(std::string_view what, std::span<const std::shared_ptr<PriorityLevel>> levels, bool details,
                                     const Clock& clock);

}  // namespace skiff::apiserver::flow
