#include "cmd/apiserver_flags.h"

#include "api/scalars.h"
#include "base/strings.h"

namespace skiff::cmd {
namespace {

void duration(Flags& flags, std::string name, std::chrono::milliseconds* to, std::string help) {
  flags.custom(
      name,
      [to, name](std::string_view text) -> Status {
        auto parsed = api::parseDuration(text);
        if (!parsed || parsed->count() < 0) return badRequest(concat("invalid duration ", quoted(text), " for --", name));
        *to = std::chrono::duration_cast<std::chrono::milliseconds>(*parsed);
        return okStatus();
      },
      std::move(help));
}

}  // namespace

void addFairnessFlags(Flags& flags, apiserver::flow::FlowOptions& options) {
  flags.integer("max-requests-inflight", &options.maxReads, "reads at the same time; with fairness, part of all seats")
      .integer("max-mutating-requests-inflight", &options.maxWrites, "writes at the same time; with fairness, part of all seats")
      .boolean("enable-priority-and-fairness", &options.fair, "share seats among flows instead of counting requests");
  duration(flags, "request-timeout", &options.requestTimeout, "time that a request has; a quarter of it may be spent in a queue");
}

}  // namespace skiff::cmd
