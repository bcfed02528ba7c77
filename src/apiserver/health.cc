#include "apiserver/health.h"

#include <sys/utsname.h>

#include "apiserver/metrics_text.h"
#include "apiserver/status.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr std::string_view kEndpoints[] = {"/healthz", "/livez", "/readyz"};
constexpr std::string_view kKeyServices = "kms-providers";
// "shutdown" fails while the server stops, so that load balancers look elsewhere; only readiness asks it.
constexpr std::string_view kChecks[] = {"ping", "log", "etcd", kKeyServices, "shutdown"};

std::string_view endpointOf(std::string_view path) {
  for (std::string_view endpoint : kEndpoints)
    if (path == endpoint || (path.starts_with(endpoint) && path[endpoint.size()] == '/')) return endpoint;
  return {};
}

}  // namespace

bool isHealthPath(std::string_view path) { return !endpointOf(path).empty(); }

std::vector<std::string_view> Health::checksOf(std::string_view endpoint) const {
  std::vector<std::string_view> checks;
  for (std::string_view check : kChecks) {
    if (check == "shutdown" && endpoint != "/readyz") continue;
    // A server that cannot reach its keys is not helped by a restart, which is what a failing /livez asks for.
    if (check == kKeyServices && (!keyServices_ || endpoint == "/livez")) continue;
    checks.push_back(check);
  }
  return checks;
}

bool Health::passes(std::string_view check, bool storeAnswers) const {
  if (check == kKeyServices) return keyServices_().ok();
  if (check == "shutdown") return !stopping_;
  if (check == "etcd") return storeAnswers;
  return true;  // the embedded store is in this process: when it is broken, its writes say so
}

bool Health::run(std::string_view endpoint, std::string_view check, bool storeAnswers) {
  static_assert(std::size(kEndpoints) == kEndpointCount && std::size(kChecks) <= kMaxChecks);
  bool pass = passes(check, storeAnswers);
  Counts& counts = counts_[size_t(std::ranges::find(kEndpoints, endpoint) - std::begin(kEndpoints))]
                          [size_t(std::ranges::find(kChecks, check) - std::begin(kChecks))];
  (pass ? counts.success : counts.error).fetch_add(1, std::memory_order_relaxed);
  counts.good.store(pass, std::memory_order_relaxed);
  return pass;
}

std::string Health::slis() const {
  std::string out;
  MetricsText text(out);
  auto each = [&](auto visit) {
    for (size_t i = 0; i < kEndpointCount; ++i)
      for (size_t j = 0; j < std::size(kChecks); ++j) {
        const Counts& counts = counts_[i][j];
        // As upstream: what was never asked is not told.
        if (counts.success + counts.error > 0)
          visit(concat(metricLabel("name", kChecks[j])), concat(metricLabel("type", kEndpoints[i].substr(1))), counts);
      }
  };
  text.family("kubernetes_healthcheck", "gauge", "Result of each health check: 1 is good.");
  each([&](const std::string& name, const std::string& type, const Counts& counts) {
    text.sample(concat(name, ",", type), counts.good ? 1 : 0);
  });
  text.family("kubernetes_healthchecks_total", "counter", "Results of each health check.");
  each([&](const std::string& name, const std::string& type, const Counts& counts) {
    if (counts.error > 0) text.sample(concat(name, ",status=\"error\",", type), double(counts.error));
    if (counts.success > 0) text.sample(concat(name, ",status=\"success\",", type), double(counts.success));
  });
  return out;
}

void Health::serve(Exchange& exchange, bool storeAnswers) {
  std::string_view path = exchange.request().path;
  std::string_view endpoint = endpointOf(path);
  std::vector<std::string_view> checks = checksOf(endpoint);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.size() > endpoint.size()) {
    std::string_view one = path.substr(endpoint.size() + 1);
    if (std::ranges::find(checks, one) == checks.end()) return exchange.text(404, "404 page not found\n");
    return run(endpoint, one, storeAnswers) ? exchange.text(200, "ok") : exchange.text(500, concat("internal server error: ", one, " failed\n"));
  }
  std::vector<std::string> excluded = exchange.query.all("exclude");
  std::string report;
  bool good = true;
  for (std::string_view check : checks) {
    if (std::ranges::find(excluded, check) != excluded.end()) {
      report += concat("[+]", check, " excluded: ok\n");
      continue;
    }
    bool pass = run(endpoint, check, storeAnswers);
    good &= pass;
    report += pass ? concat("[+]", check, " ok\n") : concat("[-]", check, " failed: reason withheld\n");
  }
  std::string_view name = endpoint.substr(1);
  if (!good) return exchange.text(500, concat(report, name, " check failed\n"));
  if (!exchange.query.has("verbose")) return exchange.text(200, "ok");
  exchange.text(200, concat(report, name, " check passed\n"));
}

std::vector<std::string> Health::paths() const {
  std::vector<std::string> out;
  for (std::string_view endpoint : kEndpoints) {
    out.emplace_back(endpoint);
    for (std::string_view check : checksOf(endpoint)) out.push_back(concat(endpoint, '/', check));
  }
  return out;
}

void serveVersion(Exchange& exchange) {
  codec::Arena arena;
  Value out = Value::map();
  auto set = [&](std::string_view key, std::string_view value) { out.set(arena, key, Value::string(value)); };
  utsname machine{};
  uname(&machine);
  std::string_view arch = std::string_view(machine.machine) == "aarch64" ? "arm64" : "amd64";
  std::string platform = concat("linux/", arch);
  set("major", "1");
  set("minor", "37");
  set("emulationMajor", "1");
  set("emulationMinor", "37");
  set("minCompatibilityMajor", "1");
  set("minCompatibilityMinor", "36");
  set("gitVersion", "v1.37.2+skiff");
  set("gitCommit", "unknown");
  set("gitTreeState", "clean");
  set("buildDate", "1970-01-01T00:00:00Z");
  set("goVersion", "none");
  set("compiler", "gcc");
  set("platform", platform);
  net::Response response;
  response.headers = exchange.headers("application/json");
  auto body = encodeDocument(out, nullptr, Format::Json, true);
  if (!body.ok()) return exchange.fail(body.error());
  response.body.push_back(std::move(body).value());
  exchange.respond(std::move(response));
}

}  // namespace skiff::apiserver
