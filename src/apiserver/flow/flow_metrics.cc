#include "apiserver/flow/flow_metrics.h"

#include <functional>

#include "apiserver/metrics_text.h"
#include "base/strings.h"

namespace skiff::apiserver::flow {
namespace {

#define NAME(tail) "apiserver_flowcontrol_" tail

struct Row {
  std::string labels;
  FlowStats stats;
};

std::vector<Row> rowsOf(const FlowMetricsInput& input) {
  std::vector<Row> rows;
  for (const auto& one : input.stats) {
    Row row;
    one.level->read([&] { row.stats = *one.stats; });
    const FlowStats& stats = row.stats;
    if (stats.dispatched + stats.queueFull + stats.timedOut + stats.noSeat + stats.cancelled == 0 && stats.waiting == 0) continue;
    row.labels = concat(metricLabel("flow_schema", stats.schema), ",", metricLabel("priority_level", stats.level));
    rows.push_back(std::move(row));
  }
  return rows;
}

void writeLevels(const FlowMetricsInput& input, MetricsText& text) {
  auto family = [&](std::string_view name, std::string_view help, const std::function<double(const FlowMetricsInput::Level&)>& value) {
    text.family(name, "gauge", help);
    for (const auto& level : input.levels) text.sample(metricLabel("priority_level", level.level->name()), value(level));
  };
  family(NAME("nominal_limit_seats"), "Seats of a priority level by its shares.", [](auto& l) { return l.seats.nominal; });
  family(NAME("lower_limit_seats"), "Seats that a priority level never lends.", [](auto& l) { return l.seats.lower; });
  family(NAME("upper_limit_seats"), "Seats that a priority level may have with all it borrows.", [](auto& l) { return l.seats.upper; });
  family(NAME("current_limit_seats"), "Seats of a priority level now.", [](auto& l) { return l.seats.current; });
  family(NAME("target_seats"), "Seats that a priority level was meant to get when seats were last shared.",
         [](auto& l) { return l.seats.target; });
  family(NAME("demand_seats_average"), "Seats in use or waited for in the last period, on average.",
         [](auto& l) { return l.seats.last.average; });
  family(NAME("demand_seats_stdev"), "Standard deviation of the seats in use or waited for in the last period.",
         [](auto& l) { return l.seats.last.deviation; });
  family(NAME("demand_seats_high_watermark"), "The most seats in use or waited for in the last period.",
         [](auto& l) { return l.seats.last.high; });
  family(NAME("demand_seats_smoothed"), "Demand for seats, smoothed.", [](auto& l) { return l.seats.smoothed; });
  family(NAME("current_r"), "Virtual time of a priority level in seat-seconds.", [](auto& l) { return l.level->report().virtualTime; });
  text.gauge(NAME("seat_fair_frac"), "Fraction of its target that each priority level in need got.", input.fairFraction);
}

void writeCounts(const std::vector<Row>& rows, MetricsText& text) {
  auto family = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    text.family(name, type, help);
    for (const Row& row : rows) text.sample(row.labels, double(value(row.stats)));
  };
  family(NAME("dispatched_requests_total"), "counter", "Requests that got their seats.", [](auto& s) { return s.dispatched; });
  family(NAME("current_inqueue_requests"), "gauge", "Requests that wait in queues.", [](auto& s) { return s.waiting; });
  family(NAME("current_inqueue_seats"), "gauge", "Seats that are waited for.", [](auto& s) { return s.waitingSeats; });
  family(NAME("current_executing_requests"), "gauge", "Requests that have seats.", [](auto& s) { return s.executing; });
  family(NAME("current_executing_seats"), "gauge", "Seats in use.", [](auto& s) { return s.executingSeats; });
  text.family(NAME("rejected_requests_total"), "counter", "Requests that got no seats, by reason.");
  for (const Row& row : rows) {
    auto reason = [&](std::string_view name, uint64_t count) {
      if (count > 0) text.sample(concat(row.labels, ",", metricLabel("reason", name)), double(count));
    };
    reason("cancelled", row.stats.cancelled);
    reason("concurrency-limit", row.stats.noSeat);
    reason("queue-full", row.stats.queueFull);
    reason("time-out", row.stats.timedOut);
  }
}

void writeTallies(const std::vector<Row>& rows, MetricsText& text) {
  text.family(NAME("request_execution_seconds"), "histogram", "Time that requests held their seats.");
  for (const Row& row : rows) text.histogram(row.labels, kWaitBuckets, row.stats.executed.counts, row.stats.executed.sum);
  text.family(NAME("request_wait_duration_seconds"), "histogram", "Time that requests waited in queues.");
  for (const Row& row : rows) {
    const FlowStats& stats = row.stats;
    if (stats.waited.sum > 0)
      text.histogram(concat("execute=\"true\",", row.labels), kWaitBuckets, stats.waited.counts, stats.waited.sum);
    if (stats.timedOut + stats.cancelled > 0)
      text.histogram(concat("execute=\"false\",", row.labels), kWaitBuckets, stats.rejectedWaits.counts, stats.rejectedWaits.sum);
  }
  text.family(NAME("request_queue_length_after_enqueue"), "histogram", "Length of a queue as seen by each request that joins it.");
  for (const Row& row : rows) text.histogram(row.labels, kLengthBuckets, row.stats.queueLength.counts, row.stats.queueLength.sum);
  text.family(NAME("work_estimated_seats"), "histogram", "Seats that requests were estimated to take.");
  for (const Row& row : rows) text.histogram(row.labels, kSeatBuckets, row.stats.seats.counts, row.stats.seats.sum);
}

#undef NAME

}  // namespace

void writeFlowMetrics(const FlowMetricsInput& input, std::string& out) {
  MetricsText text(out);
  std::vector<Row> rows = rowsOf(input);
  writeLevels(input, text);
  writeCounts(rows, text);
  writeTallies(rows, text);
}

}  // namespace skiff::apiserver::flow
