#include "apiserver/metrics.h"

#include <unistd.h>

#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

bool isWrite(const Exchange& exchange) {
  const std::string& method = exchange.request().method;
  return method != "GET" && method != "HEAD";
}

std::string_view scopeOf(const RequestInfo& info) {
  if (!info.isResource) return "";
  if (!info.name.empty() || info.verb == "create") return "resource";
  return info.ns.empty() ? "cluster" : "namespace";
}

// Names come from what is served, never from the client's path, so that their number is bounded.
std::string labels(const Exchange& exchange) {
  const RequestInfo& info = exchange.info;
  bool known = exchange.resource != nullptr;
  return concat("group=\"", known ? info.group : "", "\",resource=\"", known ? info.resource : "", "\",scope=\"",
                known ? scopeOf(info) : "", "\",subresource=\"", known ? info.subresource : "", "\",verb=\"",
                known ? info.verb : "other", "\",version=\"", known ? info.version : "", "\"");
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += concat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

}  // namespace

void Metrics::begin(const Exchange& exchange) {
  std::lock_guard lock(mutex_);
  ++(isWrite(exchange) ? writesInFlight_ : readsInFlight_);
}

void Metrics::end(const Exchange& exchange, int status, std::chrono::duration<double> took) {
  std::string names = labels(exchange);
  std::string dryRun = exchange.query.has("dryRun") ? "All" : "";
  std::lock_guard lock(mutex_);
  --(isWrite(exchange) ? writesInFlight_ : readsInFlight_);
  ++requests_[concat("code=\"", status, "\",dry_run=\"", dryRun, "\",", names)];
  if (exchange.info.verb == "watch") return;
  Histogram& histogram = durations_[concat("dry_run=\"", dryRun, "\",", names)];
  ++histogram.count;
  histogram.sum += took.count();
  for (size_t i = 0; i < kBuckets.size(); ++i)
    if (took.count() <= kBuckets[i]) ++histogram.counts[i];
}

std::string Metrics::text(const store::Store& store, size_t watches) const {
  std::string out;
  std::lock_guard lock(mutex_);
  head(out, "apiserver_request_total", "counter", "Counter of apiserver requests broken out by verb, resource and code.");
  for (const auto& [names, count] : requests_) out += concat("apiserver_request_total{", names, "} ", count, "\n");
  head(out, "apiserver_request_duration_seconds", "histogram", "Response latency distribution in seconds.");
  for (const auto& [names, histogram] : durations_) {
    for (size_t i = 0; i < kBuckets.size(); ++i)
      out += concat("apiserver_request_duration_seconds_bucket{", names, ",le=\"", codec::formatJsonDouble(kBuckets[i]),
                    "\"} ", histogram.counts[i], "\n");
    out += concat("apiserver_request_duration_seconds_bucket{", names, ",le=\"+Inf\"} ", histogram.count, "\n");
    out += concat("apiserver_request_duration_seconds_sum{", names, "} ", codec::formatJsonDouble(histogram.sum), "\n");
    out += concat("apiserver_request_duration_seconds_count{", names, "} ", histogram.count, "\n");
  }
  head(out, "apiserver_current_inflight_requests", "gauge", "Requests that are being handled.");
  out += concat("apiserver_current_inflight_requests{request_kind=\"mutating\"} ", writesInFlight_, "\n");
  out += concat("apiserver_current_inflight_requests{request_kind=\"readOnly\"} ", readsInFlight_, "\n");
  head(out, "apiserver_longrunning_requests", "gauge", "Watches that are open.");
  out += concat("apiserver_longrunning_requests{verb=\"WATCH\"} ", watches, "\n");
  store::Store::Stats stats = store.stats();
  head(out, "apiserver_storage_size_bytes", "gauge", "Size of the store on disk.");
  out += concat("apiserver_storage_size_bytes{storage_cluster_id=\"embedded\"} ", stats.diskBytes, "\n");
  head(out, "skiff_store_keys", "gauge", "Live keys of the store.");
  out += concat("skiff_store_keys ", stats.keys, "\n");
  head(out, "skiff_store_commits_total", "counter", "Writes that were committed.");
  out += concat("skiff_store_commits_total ", stats.commits, "\n");
  head(out, "skiff_store_syncs_total", "counter", "Times the store was synced to disk.");
  out += concat("skiff_store_syncs_total ", stats.syncs, "\n");
  return out;
}

}  // namespace skiff::apiserver
