#include "apiserver/flow/debug_dump.h"

#include <algorithm>
#include <cstdio>

#include "apiserver/exchange.h"
#include "base/strings.h"

namespace skiff::apiserver::flow {
namespace {

using Row = std::vector<std::string>;

// Cells end in a comma and are filled up to their column's width with blanks; the last one is left as it is.
std::string align(const std::vector<Row>& rows) {
  constexpr size_t kMinWidth = 8;
  std::vector<size_t> widths(rows.front().size(), kMinWidth);
  for (const Row& row : rows)
    for (size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + 2);
  std::string out;
  for (const Row& row : rows) {
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      std::string cell = row[i] + ",";
      cell.resize(widths[i], ' ');
      out += cell;
    }
    out += row.back();
    out += '\n';
  }
  return out;
}

std::string yesNo(bool value) { return value ? "true" : "false"; }

std::string seatSeconds(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.8fss", value);
  return text;
}

std::vector<Row> levelRows(std::span<const std::shared_ptr<PriorityLevel>> levels) {
  std::vector<Row> rows{{"PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests",
                         "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests"}};
  for (const auto& level : levels) {
    auto report = level->report();
    rows.push_back({level->name(), std::to_string(report.activeQueues), yesNo(report.waiting + report.executing == 0),
                    yesNo(report.stopped), std::to_string(report.waiting), std::to_string(report.executing),
                    std::to_string(report.dispatched), std::to_string(report.rejected), std::to_string(report.timedOut),
                    std::to_string(report.cancelled)});
  }
  return rows;
}

std::vector<Row> queueRows(std::span<const std::shared_ptr<PriorityLevel>> levels) {
  std::vector<Row> rows{{"PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR",
                         "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum"}};
  for (const auto& level : levels)
    for (const auto& queue : level->report().queues)
      rows.push_back({level->name(), std::to_string(queue.index), std::to_string(queue.waiting), std::to_string(queue.executing),
                      std::to_string(queue.seats), seatSeconds(queue.next), std::to_string(queue.waitingSeats),
                      std::to_string(queue.waitingSeats), seatSeconds(queue.waitingWork)});
  return rows;
}

void describe(const Exchange& exchange, const FlowSchema& schema, PriorityLevel::SeatReport& report) {
  const RequestInfo& info = exchange.info;
  if (schema.config.distinguisher == Distinguisher::ByUser) report.distinguisher = exchange.user.name;
  if (schema.config.distinguisher == Distinguisher::ByNamespace) report.distinguisher = info.ns;
  report.details = {exchange.user.name, info.verb, info.path, info.ns, info.name, info.version, info.resource, info.subresource};
}

std::vector<Row> requestRows(std::span<const std::shared_ptr<PriorityLevel>> levels, bool details, const Clock& clock) {
  Row head{"PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher", "ArriveTime",
           "InitialSeats", "FinalSeats", "AdditionalLatency", "StartTime"};
  if (details)
    head.insert(head.end(), {"UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource"});
  std::vector<Row> rows{std::move(head)};
  WallTime now = clock.now();
  SteadyTime steady = clock.steadyNow();
  auto when = [&](SteadyTime time) { return formatRfc3339Micro(now - std::chrono::duration_cast<microseconds>(steady - time)); };
  for (const auto& level : levels)
    for (auto& request : level->report(describe).requests) {
      Row row{level->name(), request.schema, std::to_string(request.queue), std::to_string(request.index), request.distinguisher,
              when(request.arrived), std::to_string(request.seats), "0", "0s",
              request.seated ? when(request.started) : "0001-01-01T00:00:00Z"};
      if (details) row.insert(row.end(), request.details.begin(), request.details.end());
      rows.push_back(std::move(row));
    }
  return rows;
}

}  // namespace

std::optional<std::string> dumpTable(std::string_view what, std::span<const std::shared_ptr<PriorityLevel>> levels, bool details,
                                     const Clock& clock) {
  if (what == "dump_priority_levels") return align(levelRows(levels));
  if (what == "dump_queues") return align(queueRows(levels));
  if (what == "dump_requests") return align(requestRows(levels, details, clock));
  return std::nullopt;
}

}  // namespace skiff::apiserver::flow
