// The counters of requests, and their text.
#include <doctest/doctest.h>

#include "apiserver/request_series.h"
#include "apiserver/test_server.h"
#include "rt/executor.h"

using namespace skiff;
using namespace skiff::apiserver;

TEST_CASE("metrics: equal labels share a series, also when threads meet") {
  SeriesTable table;
  SeriesKey key{.group = "apps", .version = "v1", .resource = "deployments", .subresource = "", .verb = "GET", .scope = "resource", .component = true};
  {
    std::vector<rt::Thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back("count", [&] {
        for (int n = 0; n < 1000; ++n) table.of(key).answered(n % 2 == 0 ? 200 : 404);
      });
  }
  SeriesKey other = key;
  other.dryRun = true;
  CHECK(&table.of(other) != &table.of(key));
  CHECK(table.all().size() == 2);
  uint64_t counts[2] = {};
  for (const auto& code : table.of(key).codes()) {
    if (code.status == 200) counts[0] += code.count;
    if (code.status == 404) counts[1] += code.count;
  }
  CHECK(counts[0] == 2000);
  CHECK(counts[1] == 2000);
  CHECK(table.of(key).labels("200") ==
        "code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"apps\",resource=\"deployments\",scope=\"resource\",subresource=\"\",verb=\"GET\",version=\"v1\"");
}

TEST_CASE("metrics: a full table counts the rest together") {
  SeriesTable table;
  std::string name;
  for (int i = 0; i < 7000; ++i) {
    name = concat("r", i);
    table.of({.resource = name}).answered(200);
  }
  CHECK(table.all().size() <= 6001);
}

TEST_CASE("metrics: histograms are cumulative and numbers are written as Go's are") {
  std::string out;
  MetricsText text(out);
  AtomicHistogram<2> histogram;
  constexpr std::array<double, 2> kBounds{0.5, 1e6};
  histogram.add(kBounds, 0.25, kNanos);
  histogram.add(kBounds, 3, kNanos);
  histogram.add(kBounds, 2e6, kNanos);
  text.family("x", "histogram", "X.");
  histogram.write(text, "a=\"b\"", kBounds, kNanos);
  CHECK(out ==
        "# HELP x X.\n# TYPE x histogram\nx_bucket{a=\"b\",le=\"0.5\"} 1\nx_bucket{a=\"b\",le=\"1e+06\"} 2\n"
        "x_bucket{a=\"b\",le=\"+Inf\"} 3\nx_sum{a=\"b\"} 2.00000325e+06\nx_count{a=\"b\"} 3\n");
  CHECK(metricLabel("n", "a\"\\\n") == "n=\"a\\\"\\\\\\n\"");
}

TEST_CASE("metrics: requests and watches are counted with upstream's labels") {
  TestServer server;
  server.call("GET", "/api/v1/namespaces/default/configmaps");
  server.call("GET", "/api/v1/namespaces/default/configmaps/none");
  server.call("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", R"({"metadata":{"name":"a"}})");
  server.call("GET", "/api/v1/namespaces/default/no-such-thing");
  server.call("GET", "/readyz");
  auto watch = server.start("GET", "/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=0");
  REQUIRE(server.call("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"}})").status == 201);
  CHECK(!watch->line().empty());
  std::string text = server.call("GET", "/metrics").body;
  auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  CHECK(has("apiserver_request_total{code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"configmaps\",scope=\"namespace\",subresource=\"\",verb=\"LIST\",version=\"v1\"} 1\n"));
  CHECK(has("apiserver_request_total{code=\"404\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"configmaps\",scope=\"resource\",subresource=\"\",verb=\"GET\",version=\"v1\"} 1\n"));
  CHECK(has("code=\"201\",component=\"apiserver\",dry_run=\"All\""));
  CHECK(has("apiserver_request_total{code=\"200\",component=\"\",dry_run=\"\",group=\"\",resource=\"\",scope=\"\",subresource=\"/readyz\",verb=\"GET\",version=\"\"} 1\n"));
  CHECK_FALSE(has("no-such-thing"));
  CHECK(has("apiserver_longrunning_requests{component=\"apiserver\",group=\"\",resource=\"configmaps\",scope=\"namespace\",subresource=\"\",verb=\"WATCH\",version=\"v1\"} 1\n"));
  CHECK(has("apiserver_watch_events_total{group=\"\",resource=\"configmaps\",version=\"v1\"} 1\n"));
  CHECK(has("apiserver_resource_objects{group=\"\",resource=\"configmaps\"} "));
  watch->disconnect();
}

TEST_CASE("metrics: writes, the process and deprecated APIs are told of") {
  TestServer server;
  REQUIRE(server.call("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"}})").status == 201);
  REQUIRE(server.call("DELETE", "/api/v1/namespaces/default/configmaps/a").status == 200);
  server.call("GET", "/api/v1/namespaces/default/endpoints");
  std::string text = server.call("GET", "/metrics").body;
  auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  CHECK(has("etcd_request_duration_seconds_count{group=\"\",operation=\"create\",resource=\"configmaps\"} "));
  CHECK(has("etcd_request_duration_seconds_count{group=\"\",operation=\"delete\",resource=\"configmaps\"} 1\n"));
  CHECK(has("apiserver_admission_step_admission_duration_seconds_count{operation=\"CREATE\",rejected=\"false\",type=\"admit\"} "));
  CHECK(has("apiserver_admission_controller_admission_duration_seconds_count{name=\"ValidatingAdmissionWebhook\",operation=\"CREATE\",rejected=\"false\",type=\"validate\"} "));
  CHECK(has("apiserver_requested_deprecated_apis{group=\"\",removed_release=\"\",resource=\"endpoints\",subresource=\"\",version=\"v1\"} 1\n"));
  CHECK(has("etcd_requests_total{group=\"\",operation=\"delete\",resource=\"configmaps\"} 1\n"));
  CHECK(has("apiserver_watch_cache_events_received_total{group=\"\",resource=\"configmaps\"} "));
  CHECK(has("apiserver_audit_event_total 0\n"));
  CHECK(has("version_info{binary=\"1.37.2\","));
  CHECK(has("process_network_receive_bytes_total "));
  CHECK(has("process_resident_memory_bytes "));
  CHECK(has("kubernetes_build_info{build_date="));
}

TEST_CASE("component status: checks, uptime and flags") {
  ApiServerOptions options;
  options.flags = {{"a-flag", "1"}, {"b-flag", ""}};
  TestServer server(options);
  REQUIRE(server.call("GET", "/readyz").status == 200);
  std::string slis = server.call("GET", "/metrics/slis").body;
  CHECK(slis.find("kubernetes_healthcheck{name=\"ping\",type=\"readyz\"} 1\n") != std::string::npos);
  CHECK(slis.find("kubernetes_healthchecks_total{name=\"ping\",status=\"success\",type=\"readyz\"} 1\n") != std::string::npos);
  CHECK(slis.find("livez") == std::string::npos);
  auto status = server.call("GET", "/statusz");
  CHECK(status.body.starts_with("\napiserver statusz\nWarning: "));
  CHECK(status.body.find("\nUp:  0 hr 00 min 0") != std::string::npos);
  CHECK(server.call("GET", "/flagz").body.ends_with("purposes only.\na-flag=1\nb-flag=\n"));
  auto structured = server.call("GET", "/statusz", "", {{"accept", "application/json;v=v1alpha1;g=config.k8s.io;as=Statusz"}});
  CHECK(structured.json()["kind"].asString() == "Statusz");
  CHECK(structured.json()["paths"].size() == 7);
  CHECK(structured.headers.get("content-type") == "application/json;g=config.k8s.io;v=v1alpha1;as=Statusz");
}
