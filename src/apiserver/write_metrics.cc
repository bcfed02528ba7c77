#include "apiserver/write_metrics.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::apiserver {

bool WriteMetrics::callsOut(std::string_view plugin) { return std::ranges::find(kPlugins, plugin) != kPlugins.end(); }

void WriteMetrics::step(Operation operation, Step step, bool rejected, std::chrono::duration<double> took) {
  steps_.at(operation, step, rejected).add(kBounds, took.count(), kNanos);
}

void WriteMetrics::plugin(std::string_view name, Operation operation, Step step, bool rejected, std::chrono::duration<double> took) {
  auto at = std::ranges::find(kPlugins, name);
  if (at != kPlugins.end()) plugins_[size_t(at - kPlugins.begin())].at(operation, step, rejected).add(kBounds, took.count(), kNanos);
}

void WriteMetrics::committed(std::string_view operation, const api::ResourceInfo& resource, std::chrono::duration<double> took) {
  commits_.of({.group = resource.group, .resource = resource.plural, .verb = operation}).durations.add(kDurationBounds, took.count(), kNanos);
}

void WriteMetrics::event(const api::ResourceInfo& resource) {
  events_.of({.group = resource.group, .resource = resource.plural}).watchEvent(0);
}

void WriteMetrics::writeFamily(MetricsText& text, std::string_view name, const Family& family) {
  for (size_t i = 0; i < family.of.size(); ++i) {
    if (family.of[i].count() == 0) continue;
    std::string labels = concat("operation=\"", operationName(Operation(i / 4)), "\",rejected=\"", i % 2 ? "true" : "false", "\",type=\"",
                                i / 2 % 2 ? "validate" : "admit", "\"");
    if (!name.empty()) labels = concat(metricLabel("name", name), ",", labels);
    family.of[i].write(text, labels, kBounds, kNanos);
  }
}

void WriteMetrics::write(std::string& out) const {
  MetricsText text(out);
  text.family("apiserver_admission_step_admission_duration_seconds", "histogram", "Time of all admission plug-ins of a write, by step.");
  writeFamily(text, "", steps_);
  text.family("apiserver_admission_controller_admission_duration_seconds", "histogram",
              "Time of the admission plug-ins that may call out, by name.");
  for (size_t i = 0; i < kPlugins.size(); ++i) writeFamily(text, kPlugins[i], plugins_[i]);
  text.family("etcd_request_duration_seconds", "histogram", "Time until a write to the store is durable.");
  std::vector<const Series*> commits = commits_.all(), events = events_.all();
  for (const Series* series : commits) series->durations.write(text, series->commitLabels(), kDurationBounds, kNanos);
  text.family("etcd_requests_total", "counter", "Writes to the store, by operation.");
  for (const Series* series : commits) text.sample(series->commitLabels(), double(series->durations.count()));
  // Watches are served from the store's own events: both families count the same.
  for (std::string_view family : {"apiserver_storage_events_received_total", "apiserver_watch_cache_events_received_total"}) {
    text.family(family, "counter", "Events of the store, by resource.");
    for (const Series* series : events) text.sample(series->storageLabels(), double(series->events.load()));
  }
}

}  // namespace skiff::apiserver
