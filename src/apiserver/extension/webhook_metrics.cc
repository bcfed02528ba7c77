#include "apiserver/extension/webhook_metrics.h"

#include <algorithm>

#include "apiserver/request_series.h"
#include "base/strings.h"

namespace skiff::apiserver::extension {
namespace {

// Codes beyond it are told as it.
constexpr int kMaxCode = 600;

}  // namespace

void WebhookMetrics::count(Counts& counts, std::string labels) {
  if (auto found = counts.find(labels); found != counts.end()) ++found->second;
  else if (counts.size() < kMaxSeries) counts.emplace(std::move(labels), 1);
}

void WebhookMetrics::called(const Call& call) {
  std::string name = metricLabel("name", call.name), type = metricLabel("type", call.type == WebhookType::Mutating ? "admit" : "validating");
  std::string operation = metricLabel("operation", operationName(call.operation));
  std::string code = std::to_string(std::min(call.code, kMaxCode));
  bool rejected = call.failed ? !call.failedOpen : call.code != 200;
  std::string shared = concat(name, ",", operation, ",rejected=\"", rejected ? "true" : "false", "\",", type);
  std::lock_guard lock(mutex_);
  if (durations_.contains(shared) || durations_.size() < kMaxSeries) durations_[shared].add(kBounds, call.took.count(), kNanos);
  count(requests_, concat(metricLabel("code", code), ",", shared));
  if (call.failedOpen) count(failedOpen_, concat(name, ",", type));
  if (rejected)
    count(rejections_, concat("error_type=\"", call.failed ? "calling_webhook_error" : "no_error", "\",", name, ",", operation, ",",
                              metricLabel("rejection_code", code), ",", type));
}

void WebhookMetrics::writeCounts(MetricsText& text, std::string_view name, std::string_view help, const Counts& counts) {
  if (counts.empty()) return;
  text.family(name, "counter", help);
  for (const auto& [labels, value] : counts) text.sample(labels, double(value));
}

void WebhookMetrics::write(std::string& out) const {
  MetricsText text(out);
  std::lock_guard lock(mutex_);
  if (!durations_.empty())
    text.family("apiserver_admission_webhook_admission_duration_seconds", "histogram", "Time of calls of admission webhooks.");
  for (const auto& [labels, durations] : durations_) durations.write(text, labels, kBounds, kNanos);
  writeCounts(text, "apiserver_admission_webhook_fail_open_count", "Calls that failed and did not stop the request.", failedOpen_);
  writeCounts(text, "apiserver_admission_webhook_rejection_count", "Requests that a webhook, or a failed call of it, refused.", rejections_);
  writeCounts(text, "apiserver_admission_webhook_request_total", "Calls of admission webhooks by the code of their verdict.", requests_);
}

}  // namespace skiff::apiserver::extension
