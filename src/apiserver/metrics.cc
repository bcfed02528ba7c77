#include "apiserver/metrics.h"

#include <algorithm>
#include <map>
#include <set>

#include "apiserver/flow/flow_control.h"
#include "base/strings.h"

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

bool isConnect(std::string_view subresource) {
  return subresource == "exec" || subresource == "attach" || subresource == "portforward" || subresource == "proxy";
}

// Only verbs and methods of this list become labels.
std::string_view verbOf(const Exchange& exchange) {
  struct Name {
    std::string_view verb, label;
  };
  static constexpr Name kVerbs[] = {{"get", "GET"}, {"list", "LIST"}, {"watch", "WATCH"}, {"create", "POST"}, {"update", "PUT"},
                                    {"patch", "PATCH"}, {"delete", "DELETE"}, {"deletecollection", "DELETECOLLECTION"},
                                    {"post", "POST"}, {"put", "PUT"}, {"head", "HEAD"}, {"options", "OPTIONS"}};
  const RequestInfo& info = exchange.info;
  if (info.isResource && isConnect(info.subresource)) return "CONNECT";
  if (info.verb == "patch" && exchange.request().headers.get("content-type").starts_with("application/apply-patch")) return "APPLY";
  for (const Name& name : kVerbs)
    if (name.verb == info.verb) return name.label;
  return "other";
}

// Paths outside resources that are counted by name; all others together.
std::string_view knownPath(std::string_view path) {
  static constexpr std::string_view kPaths[] = {"/healthz", "/livez", "/readyz", "/metrics", "/version", "/api", "/apis"};
  for (std::string_view known : kPaths)
    if (path == known) return known;
  if (path.starts_with("/openapi/v2")) return "openapi/v2";
  return path.starts_with("/openapi/v3") ? "openapi/v3" : "";
}

}  // namespace

// Names come from what is served, never from the client's path, so that their number is bounded.
SeriesKey Metrics::keyOf(const Exchange& exchange) const {
  const RequestInfo& info = exchange.info;
  SeriesKey key;
  key.verb = verbOf(exchange);
  if (!info.isResource) key.subresource = knownPath(info.path);
  if (!exchange.resource) return key;
  const api::ResourceInfo& resource = *exchange.resource->info;
  key.component = true;
  key.group = resource.group;
  key.version = resource.version;
  key.resource = resource.plural;
  key.scope = scopeOf(info);
  if (!info.subresource.empty() && resource.subresource(info.subresource)) key.subresource = info.subresource;
  key.dryRun = isWrite(exchange) && exchange.query.has("dryRun");
  return key;
}

void Metrics::begin(const Exchange& exchange) {
  (isWrite(exchange) ? writesInFlight_ : readsInFlight_).fetch_add(1, std::memory_order_relaxed);
}

void Metrics::beginLong(Exchange& exchange, const Resources& resources) {
  const RequestInfo& info = exchange.info;
  exchange.resource = resources.current()->find(info.group, info.version, info.resource);
  if (!exchange.resource) return;
  exchange.series = &table_.of(keyOf(exchange));
  exchange.series->open.fetch_add(1, std::memory_order_relaxed);
}

void Metrics::end(const Exchange& exchange, int status, std::chrono::duration<double> took) {
  (isWrite(exchange) ? writesInFlight_ : readsInFlight_).fetch_sub(1, std::memory_order_relaxed);
  Series& series = exchange.series ? *exchange.series : table_.of(keyOf(exchange));
  series.answered(status);
  if (exchange.series) {
    series.open.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  series.durations.add(kDurationBounds, took.count(), kNanos);
  if (!exchange.resource && !exchange.info.isResource && exchange.info.path.empty()) return;
  double waited = std::chrono::duration<double>(exchange.seat.waited()).count();
  series.sli.add(kSliBounds, std::max(0.0, took.count() - waited), kNanos);
  if (!isWrite(exchange)) series.responses.add(kResponseBounds, double(exchange.answerBytes), 1);
  if (exchange.deprecated && exchange.resource) {
    // The tables of built-in types live as long as the program; custom ones say nothing.
    static constexpr std::string_view kNever;
    const api::ResourceInfo& resource = *exchange.resource->info;
    series.removedRelease.store(exchange.resource->custom || !resource.type ? &kNever : &resource.type->removedIn, std::memory_order_relaxed);
  }
}

void Metrics::authenticated(const Exchange&, bool success, std::chrono::duration<double> took) {
  (success ? authenticated_ : unauthenticated_).add(kAuthBounds, took.count(), kNanos);
}

void Metrics::authorized(bool allowed, std::chrono::duration<double> took) {
  (allowed ? allowed_ : denied_).add(kAuthBounds, took.count(), kNanos);
}

void Metrics::writeRequests(MetricsText& text) const {
  std::vector<const Series*> all = table_.all();
  text.family("apiserver_request_total", "counter", "Requests by verb, resource and status code.");
  for (const Series* series : all)
    for (const Series::Code& code : series->codes())
      if (uint64_t count = code.count.load(); count > 0) text.sample(series->labels(std::to_string(code.status.load())), double(count));
  text.family("apiserver_request_duration_seconds", "histogram", "Time from request to answer.");
  for (const Series* series : all)
    if (series->durations.count() > 0) series->durations.write(text, series->labelsWithDryRun(), kDurationBounds, kNanos);
  text.family("apiserver_request_sli_duration_seconds", "histogram", "Time from request to answer without the time spent in queues.");
  for (const Series* series : all)
    if (!series->dryRun() && series->sli.count() > 0) series->sli.write(text, series->plainLabels(), kSliBounds, kNanos);
  text.family("apiserver_response_sizes", "histogram", "Bytes of answers to reads.");
  for (const Series* series : all)
    if (series->responses.count() > 0) series->responses.write(text, series->plainLabels(), kResponseBounds, 1);
  std::set<std::string> deprecated;
  for (const Series* series : all)
    if (const std::string_view* release = series->removedRelease.load()) deprecated.insert(series->deprecationLabels(*release));
  text.family("apiserver_requested_deprecated_apis", "gauge", "Deprecated APIs that were asked.");
  for (const std::string& labels : deprecated) text.sample(labels, 1);
  text.family("apiserver_current_inflight_requests", "gauge", "Requests that are being handled.");
  text.sample("request_kind=\"mutating\"", double(writesInFlight_.load()));
  text.sample("request_kind=\"readOnly\"", double(readsInFlight_.load()));
}

void Metrics::writeWatches(MetricsText& text) const {
  std::vector<const Series*> all = table_.all();
  text.family("apiserver_longrunning_requests", "gauge", "Watches and streams that are open.");
  for (const Series* series : all)
    if (int64_t open = series->open.load(); open > 0) text.sample(series->plainLabels(), double(open));
  // A resource's watches of all scopes are one sample.
  std::map<std::string, uint64_t> events;
  for (const Series* series : all)
    if (uint64_t count = series->events.load(); count > 0) events[series->resourceLabels()] += count;
  text.family("apiserver_watch_events_total", "counter", "Events sent to watches.");
  for (const auto& [labels, count] : events) text.sample(labels, double(count));
  text.family("apiserver_watch_events_sizes", "histogram", "Bytes of events sent to watches.");
  std::string last;
  for (const Series* series : all)
    if (series->eventSizes.count() > 0 && series->resourceLabels() != std::exchange(last, series->resourceLabels()))
      series->eventSizes.write(text, series->resourceLabels(), kWatchEventBounds, 1);
}

void Metrics::writeSecurity(MetricsText& text) const {
  text.family("authentication_attempts", "counter", "Requests whose caller was sought, by result.");
  if (uint64_t n = unauthenticated_.count()) text.sample("result=\"failure\"", double(n));
  if (uint64_t n = authenticated_.count()) text.sample("result=\"success\"", double(n));
  text.family("authentication_duration_seconds", "histogram", "Time to find who asks, by result.");
  if (unauthenticated_.count()) unauthenticated_.write(text, "result=\"failure\"", kAuthBounds, kNanos);
  if (authenticated_.count()) authenticated_.write(text, "result=\"success\"", kAuthBounds, kNanos);
  text.family("authorization_attempts_total", "counter", "Requests whose permission was asked, by result.");
  if (uint64_t n = allowed_.count()) text.sample("result=\"allowed\"", double(n));
  if (uint64_t n = denied_.count()) text.sample("result=\"denied\"", double(n));
  text.family("authorization_duration_seconds", "histogram", "Time to find whether a request is permitted, by result.");
  if (allowed_.count()) allowed_.write(text, "result=\"allowed\"", kAuthBounds, kNanos);
  if (denied_.count()) denied_.write(text, "result=\"denied\"", kAuthBounds, kNanos);
}

void Metrics::writeStore(MetricsText& text, const store::Store& store, const Resources& resources) const {
  ResourceMapPtr map = resources.current();
  std::map<std::string, double> objects;
  for (const ServedGroup& group : map->groups())
    for (const ServedVersion& version : group.versions)
      for (const ServedPtr& resource : version.resources)
        if (resource->stored())
          objects.try_emplace(concat("group=\"", group.name, "\",resource=\"", resource->info->plural, "\""),
                              double(store.count(resource->prefix, store::prefixEnd(resource->prefix))));
  text.family("apiserver_resource_objects", "gauge", "Objects in the store.");
  for (const auto& [labels, count] : objects) text.sample(labels, count);
  store::Store::Stats stats = store.stats();
  text.family("apiserver_storage_size_bytes", "gauge", "Size of the store on disk.");
  text.sample("storage_cluster_id=\"embedded\"", double(stats.diskBytes));
  text.gauge("skiff_store_keys", "Live keys of the store.", double(stats.keys));
  text.counter("skiff_store_commits_total", "Writes that were committed.", double(stats.commits));
  text.counter("skiff_store_syncs_total", "Times the store was synced to disk.", double(stats.syncs));
}

void Metrics::write(std::string& out, const store::Store& store, const Resources& resources) const {
  MetricsText text(out);
  writeRequests(text);
  writeWatches(text);
  writeSecurity(text);
  writeStore(text, store, resources);
}

}  // namespace skiff::apiserver
