#include "apiserver/profiling.h"

#include "apiserver/pprof.h"
#include "base/log.h"
#include "base/read_file.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

constexpr std::string_view kRoot = "/debug/pprof", kFlags = "/debug/flags";
constexpr int64_t kDefaultSeconds = 30, kMaxSeconds = 60;
constexpr std::string_view kBusy = "Could not enable CPU profiling: cpu profiling already in use\n";

net::Response plain(const Exchange& exchange, int status, std::string text, std::string_view type = "text/plain; charset=utf-8") {
  net::Response response;
  response.status = status;
  response.headers = exchange.headers(std::string(type));
  response.headers.set("x-content-type-options", "nosniff");
  response.body.emplace_back(std::move(text));
  return response;
}

void serveIndex(Exchange& exchange) {
  std::string page = "<html>\n<head><title>/debug/pprof/</title></head>\n<body>\n/debug/pprof/<br>\n<ul>\n";
  for (std::string_view name : {"cmdline", "goroutine?debug=1", "profile", "symbol"})
    page += concat("<li><a href='", name, "'>", name.substr(0, name.find('?')), "</a></li>\n");
  page += "</ul>\ngoroutine: the stacks of all threads; profile: processor time for ?seconds=30, at most 60\n</body>\n</html>\n";
  exchange.respond(plain(exchange, 200, std::move(page), "text/html; charset=utf-8"));
}

void serveCommandLine(Exchange& exchange) {
  std::string text = readFile("/proc/self/cmdline").valueOr({});
  while (text.ends_with('\0')) text.pop_back();
  exchange.respond(plain(exchange, 200, std::move(text)));
}

// "0x1+0x2" as the query or the body: a name each.
void serveSymbols(Exchange& exchange) {
  constexpr size_t kMaxAddresses = 10'000;
  const net::Request& request = exchange.request();
  std::string_view asked = request.method == "POST" ? request.body.view() : std::string_view(request.query);
  std::string out = "num_symbols: 1\n";
  rt::Symbols symbols;
  size_t count = 0;
  for (std::string_view word : splitNonEmpty(asked, '+')) {
    if (++count > kMaxAddresses) break;
    std::string text(trim(word));
    uintptr_t address = std::strtoul(text.c_str(), nullptr, 16);
    if (rt::Symbols::Name name = symbols.nameOf(address); !name.text.empty()) {
      char hex[24];
      std::snprintf(hex, sizeof hex, "%#lx ", address);
      out += concat(std::string_view(hex), name.text, "\n");
    }
  }
  exchange.respond(plain(exchange, 200, std::move(out)));
}

// PUT /debug/flags/v: the verbosity that --v sets.
void serveVerbosity(Exchange& exchange) {
  if (exchange.request().method != "PUT") return exchange.respond(plain(exchange, 406, "unsupported http method\n", "text/plain"));
  std::string_view text = exchange.request().body.view();
  auto level = parseInt(text);
  if (!level || *level < 0)
    return exchange.respond(plain(exchange, 400, concat("strconv.ParseUint: parsing ", quoted(text), ": invalid syntax\n"), "text/plain"));
  log::setLevel(*level >= 4 ? log::Level::Debug : log::Level::Info);
  exchange.respond(plain(exchange, 200, concat("successfully set klog.logging.verbosity to ", text, "\n"), "text/plain"));
}

void respondProfile(Exchange& exchange, std::string_view name, std::vector<SharedBytes> body) {
  net::Response response;
  response.headers = exchange.headers("application/octet-stream");
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("content-disposition", concat("attachment; filename=\"", name, "\""));
  response.body = std::move(body);
  exchange.respond(std::move(response));
}

int64_t nanosNow(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock.now().time_since_epoch()).count();
}

}  // namespace

Profiling::Profiling(bool enabled, const Clock& clock)
    : enabled_(enabled), clock_(clock), worker_(rt::Executor::create({.name = "profiler", .maxThreads = 1, .maxQueue = 4})) {}

void Profiling::stop() {
  stopping_ = true;
  worker_->stop();
}

bool Profiling::serve(const ExchangePtr& exchange) {
  std::string_view path = exchange->request().path;
  if (!enabled_ || !path.starts_with("/debug/")) return false;
  if (path == kRoot) {
    net::Response response = plain(*exchange, 302, "<a href=\"/debug/pprof/\">Found</a>.\n\n", "text/html; charset=utf-8");
    response.headers.set("location", "/debug/pprof/");
    exchange->respond(std::move(response));
    return true;
  }
  if (path == concat(kFlags, "/v")) return serveVerbosity(*exchange), true;
  if (path == kFlags || path == concat(kFlags, "/"))
    return exchange->respond(plain(*exchange, 200, "flags:\nv\n")), true;
  if (!path.starts_with(concat(kRoot, "/"))) return false;
  std::string name(path.substr(kRoot.size() + 1));
  if (name.empty()) return serveIndex(*exchange), true;
  if (name == "cmdline") return serveCommandLine(*exchange), true;
  serveProfile(exchange, name);
  return true;
}

void Profiling::serveProfile(const ExchangePtr& exchange, const std::string& name) {
  UniqueFunction<void()> task;
  if (name == "profile") task = [this, exchange] { cpu(*exchange); };
  else if (name == "goroutine") task = [this, exchange] { threads(*exchange); };
  else if (name == "symbol") task = [exchange] { serveSymbols(*exchange); };
  else return exchange->respond(plain(*exchange, 404, "Unknown profile\n"));
  if (!worker_->submit(std::move(task))) exchange->respond(plain(*exchange, 500, std::string(kBusy)));
}

void Profiling::cpu(Exchange& exchange) {
  auto asked = parseInt(exchange.query.get("seconds"));
  int64_t seconds = asked && *asked > 0 ? *asked : kDefaultSeconds;
  if (seconds > kMaxSeconds)
    return exchange.respond(plain(exchange, 400, concat("profile duration exceeds the limit of ", kMaxSeconds, " seconds\n")));
  ProfileForm form{.values = {{"samples", "count", 1}, {"cpu", "nanoseconds", std::chrono::nanoseconds(rt::CpuProfile::kPeriod).count()}},
                   .timeNanos = nanosNow(clock_)};
  auto profile = rt::profileCpu(std::chrono::seconds(seconds), [this] { return stopping_.load(); });
  if (!profile) return exchange.respond(plain(exchange, 500, std::string(kBusy)));
  form.durationNanos = nanosNow(clock_) - form.timeNanos;
  rt::Symbols symbols;
  respondProfile(exchange, "profile", encodeProfile(profile->samples, form, symbols));
}

// Threads are what we have of goroutines.
void Profiling::threads(Exchange& exchange) {
  auto stacks = rt::stacksOfThreads();
  if (!stacks) return exchange.respond(plain(exchange, 500, std::string(kBusy)));
  std::map<rt::Stack, uint64_t> samples;
  for (const rt::ThreadStack& thread : *stacks) ++samples[thread.stack];
  rt::Symbols symbols;
  if (auto debug = parseInt(exchange.query.get("debug")); debug && *debug > 0)
    return exchange.respond(plain(exchange, 200, profileText("goroutine", samples, symbols)));
  ProfileForm form{.values = {{"goroutine", "count", 1}}, .timeNanos = nanosNow(clock_)};
  respondProfile(exchange, "goroutine", encodeProfile(samples, form, symbols));
}

}  // namespace skiff::apiserver
