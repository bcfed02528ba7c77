#include "apiserver/component_status.h"

#include <ctime>

#include "apiserver/negotiate.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr std::string_view kWarning =
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging "
    "purposes only.\n";
constexpr std::string_view kPaths[] = {"/flagz", "/healthz", "/livez", "/metrics", "/readyz", "/statusz", "/version"};
constexpr std::string_view kBinary = "1.37.2", kEmulated = "1.37";

std::string dateText(WallTime time) {
  std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a %b %e %H:%M:%S UTC %Y", &parts);
  return text;
}

// The version of a structured form that the client accepts: "v1alpha1", "v1beta1"; "" for text.
std::string_view structured(const Exchange& exchange, std::string_view kind) {
  std::string_view accept = exchange.request().headers.get("accept");
  for (std::string_view clause : splitNonEmpty(accept, ',')) {
    if (!trim(clause).starts_with("application/json") || clause.find(concat("as=", kind)) == std::string_view::npos) continue;
    for (std::string_view version : {"v1beta1", "v1alpha1"})
      if (clause.find(concat("v=", version)) != std::string_view::npos) return version;
  }
  return {};
}

}  // namespace

std::string ComponentStatus::statusText() const {
  int64_t up = std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_).count();
  char uptime[64];
  std::snprintf(uptime, sizeof uptime, "%d hr %02d min %02d sec", int(up / 3600), int(up / 60 % 60), int(up % 60));
  return concat("\napiserver statusz\n", kWarning, "\nStarted:  ", dateText(started_), "\nUp:  ", uptime,
                "\nGo version:  none\nBinary version:  ", kBinary, "\nEmulation version:  ", kEmulated,
                "\nPaths:  ", join(kPaths, " "));
}

std::string ComponentStatus::flagsText() const {
  std::string out = concat("\napiserver flagz\n", kWarning);
  for (const auto& [name, value] : flags_) out += concat(name, "=", value, "\n");
  return out;
}

Value ComponentStatus::document(std::string_view kind, std::string_view version, codec::Arena& arena) const {
  Value out = Value::map();
  out.set(arena, "kind", Value::string(kind));
  out.set(arena, "apiVersion", Value::text(arena, concat("config.k8s.io/", version)));
  out.child(arena, "metadata").set(arena, "name", Value::string("apiserver"));
  if (kind == "Flagz") {
    Value flags = Value::map();
    for (const auto& [name, value] : flags_) flags.set(arena, name, Value::string(value));
    out.set(arena, "flags", flags);
    return out;
  }
  out.set(arena, "startTime", Value::text(arena, formatRfc3339(started_)));
  out.set(arena, "uptimeSeconds", Value::integer(std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_).count()));
  out.set(arena, "goVersion", Value::string("none"));
  out.set(arena, "binaryVersion", Value::string(kBinary));
  out.set(arena, "emulationVersion", Value::string(kEmulated));
  Value paths = Value::list();
  for (std::string_view path : kPaths) paths.push(arena, Value::string(path));
  out.set(arena, "paths", paths);
  return out;
}

bool ComponentStatus::serve(Exchange& exchange) const {
  std::string_view path = exchange.info.path;
  if (path != "/statusz" && path != "/flagz") return false;
  std::string_view kind = path == "/statusz" ? "Statusz" : "Flagz";
  std::string_view version = structured(exchange, kind);
  net::Response response;
  if (version.empty()) {
    response.headers = exchange.headers("text/plain; charset=utf-8");
    response.body.emplace_back(path == "/statusz" ? statusText() : flagsText());
  } else {
    codec::Arena arena;
    auto body = encodeDocument(document(kind, version, arena), nullptr, Format::Json, true);
    if (!body.ok()) return exchange.fail(body.error()), true;
    response.headers = exchange.headers(concat("application/json;g=config.k8s.io;v=", version, ";as=", kind));
    response.body.push_back(std::move(*body));
  }
  exchange.respond(std::move(response));
  return true;
}

}  // namespace skiff::apiserver
