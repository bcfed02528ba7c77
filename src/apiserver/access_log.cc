#include "apiserver/access_log.h"

#include <cstdio>

#include "apiserver/flow/classifier.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {
std::string millis(std::chrono::nanoseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3fms", std::chrono::duration<double, std::milli>(time).count());
  return text;
}
}  // namespace

void logAccess(const Exchange& exchange, int status, std::chrono::nanoseconds took) {
  const net::Request& request = exchange.request();
  const flow::FlowSchema* schema = exchange.seat.schema();
  log::info("HTTP", {{"verb", request.method},
                     {"URI", request.query.empty() ? request.path : concat(request.path, '?', request.query)},
                     {"latency", millis(took)},
                     {"userAgent", request.headers.get("user-agent")},
                     {"audit-ID", exchange.auditId},
                     {"srcIP", request.peer.remoteAddress},
                     {"apf_fs", schema ? std::string_view(schema->config.name) : ""},
                     {"apf_pl", schema ? std::string_view(schema->config.level) : ""},
                     {"user", exchange.user.name},
                     {"resp", status}});
}

}  // namespace skiff::apiserver
