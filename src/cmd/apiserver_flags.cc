#include "cmd/apiserver_flags.h"

#include "api/scalars.h"
#include "base/strings.h"
#include "client/transport.h"

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

void batch(Flags& flags, const std::string& prefix, apiserver::audit::BatchOptions& options) {
  flags.integer(prefix + "buffer-size", &options.bufferSize, "audit events that may wait; more are dropped")
      .integer(prefix + "max-size", &options.maxSize, "audit events written at a time")
      .boolean(prefix + "throttle-enable", &options.throttle, "limit the rate of batches")
      .integer(prefix + "throttle-burst", &options.throttleBurst, "batches that may be written at once");
  duration(flags, prefix + "max-wait", &options.maxWait, "time that an event waits for its batch to fill");
  flags.custom(
      prefix + "throttle-qps",
      [&options](std::string_view text) -> Status {
        auto parsed = parseDouble(text);
        if (!parsed || *parsed < 0) return badRequest(concat("invalid rate ", quoted(text)));
        options.throttleQps = *parsed;
        return okStatus();
      },
      "batches a second");
}

}  // namespace

void addFairnessFlags(Flags& flags, apiserver::flow::FlowOptions& options) {
  flags.integer("max-requests-inflight", &options.maxReads, "reads at the same time; with fairness, part of all seats")
      .integer("max-mutating-requests-inflight", &options.maxWrites, "writes at the same time; with fairness, part of all seats")
      .boolean("enable-priority-and-fairness", &options.fair, "share seats among flows instead of counting requests");
  duration(flags, "request-timeout", &options.requestTimeout, "time that a request has; a quarter of it may be spent in a queue");
}

void addAuditFlags(Flags& flags, apiserver::audit::AuditOptions& options, std::string& webhookConfig) {
  flags.text("audit-policy-file", &options.policyFile, "which requests are audited; without it, none")
      .text("audit-log-path", &options.logPath, "file of audit events; -: standard output")
      .text("audit-log-format", &options.logFormat, "json or legacy")
      .text("audit-log-mode", &options.logMode, "batch or blocking")
      .integer("audit-log-maxage", &options.logMaxAge, "days that rotated files are kept; 0: for ever")
      .integer("audit-log-maxbackup", &options.logMaxBackups, "rotated files that are kept; 0: all")
      .integer("audit-log-maxsize", &options.logMaxSizeMb, "megabytes of a file before it is rotated; 0: any")
      .boolean("audit-log-compress", &options.logCompress, "compress rotated files")
      .text("audit-webhook-config-file", &webhookConfig, "kubeconfig of a server that is sent audit events")
      .text("audit-webhook-mode", &options.webhookMode, "batch or blocking");
  duration(flags, "audit-webhook-initial-backoff", &options.webhookInitialBackoff, "pause before a failed batch is sent again");
  batch(flags, "audit-log-batch-", options.logBatch);
  batch(flags, "audit-webhook-batch-", options.webhookBatch);
}

Status readAuditWebhook(const std::string& kubeconfig, apiserver::audit::WebhookTarget& target) {
  if (kubeconfig.empty()) return okStatus();
  client::Config config = TRY(client::loadKubeconfig({.path = kubeconfig}));
  target.url = config.server;
  target.caPem = config.caPem;
  target.certPem = config.certPem;
  target.keyPem = config.keyPem;
  target.token = config.token;
  target.serverName = config.tlsServerName;
  target.insecure = config.insecure;
  return okStatus();
}

}  // namespace skiff::cmd
