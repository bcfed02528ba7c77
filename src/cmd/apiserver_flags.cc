#include "cmd/apiserver_flags.h"

#include "apiserver/strategies/service_ranges.h"
#include "base/strings.h"
#include "cmd/duration_flag.h"

namespace skiff::cmd {
namespace {

void batch(Flags& flags, const std::string& prefix, apiserver::audit::BatchOptions& options) {
  flags.integer(prefix + "buffer-size", &options.bufferSize, "audit events that may wait; more are dropped")
      .integer(prefix + "max-size", &options.maxSize, "audit events written at a time")
      .boolean(prefix + "throttle-enable", &options.throttle, "limit the rate of batches")
      .integer(prefix + "throttle-burst", &options.throttleBurst, "batches that may be written at once");
  addDuration(flags, prefix + "max-wait", &options.maxWait, "time that an event waits for its batch to fill");
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

void truncate(Flags& flags, const std::string& prefix, apiserver::audit::TruncateOptions& options) {
  flags.boolean(prefix + "enabled", &options.enabled, "cut events and batches that are too large")
      .integer(prefix + "max-batch-size", &options.maxBatchBytes, "bytes of a batch; what is beyond goes into another")
      .integer(prefix + "max-event-size", &options.maxEventBytes, "bytes of an event; larger ones lose their objects, or are dropped");
}

void addFairnessFlags(Flags& flags, apiserver::flow::FlowOptions& options) {
  flags.integer("max-requests-inflight", &options.maxReads, "reads at the same time; with fairness, part of all seats")
      .integer("max-mutating-requests-inflight", &options.maxWrites, "writes at the same time; with fairness, part of all seats")
      .boolean("enable-priority-and-fairness", &options.fair, "share seats among flows instead of counting requests");
  addDuration(flags, "request-timeout", &options.requestTimeout, "time that a request has; a quarter of it may be spent in a queue");
}

void addAuditFlags(Flags& flags, apiserver::audit::AuditOptions& options, std::string& webhookConfig) {
  flags.text("audit-policy-file", &options.policyFile, "which requests are audited; without it, none")
      .text("audit-log-path", &options.logPath, "file of audit events; -: standard output")
      .text("audit-log-format", &options.logFormat, "json or legacy")
      .text("audit-log-mode", &options.logMode, "batch, blocking or blocking-strict")
      .integer("audit-log-maxage", &options.logMaxAge, "days that rotated files are kept; 0: for ever")
      .integer("audit-log-maxbackup", &options.logMaxBackups, "rotated files that are kept; 0: all")
      .integer("audit-log-maxsize", &options.logMaxSizeMb, "megabytes of a file before it is rotated; 0: any")
      .boolean("audit-log-compress", &options.logCompress, "compress rotated files")
      .text("audit-webhook-config-file", &webhookConfig, "kubeconfig of a server that is sent audit events")
      .text("audit-webhook-mode", &options.webhookMode, "batch, blocking or blocking-strict");
  addDuration(flags, "audit-webhook-initial-backoff", &options.webhookInitialBackoff, "pause before a failed batch is sent again");
  batch(flags, "audit-log-batch-", options.logBatch);
  batch(flags, "audit-webhook-batch-", options.webhookBatch);
  truncate(flags, "audit-log-truncate-", options.logTruncate);
  truncate(flags, "audit-webhook-truncate-", options.webhookTruncate);
}

}  // namespace

void ApiServerFlags::addTo(Flags& flags, ControlPlaneOptions& plane) {
  flags.list("runtime-config", &plane.api.runtimeConfig, "API versions on or off: group/version=true")
      .text("service-cluster-ip-range", &plane.api.security.serviceCidr, "addresses of services: one range, or one of each family")
      .boolean("profiling", &plane.api.profiling, "serve /debug/pprof/ to those who may");
  etcd_.add(flags);
  security_.addTo(flags, plane.api.security, plane.encryption);
  addFairnessFlags(flags, plane.api.flow);
  addAuditFlags(flags, plane.api.audit, auditWebhook_);
}

Status ApiServerFlags::complete(const Flags& flags, ControlPlaneOptions& plane) const {
  plane.api.flags = flags.values();
  if (auto ranges = apiserver::parseServiceRanges(plane.api.security.serviceCidr); !ranges.ok())
    return badRequest(concat("--service-cluster-ip-range: ", ranges.error().message()));
  plane.etcd = TRY(etcd_.options());
  TRY(security_.complete(plane.api.security));
  if (auditWebhook_.empty()) return okStatus();
  auto server = TRY(readWebhookKubeconfig(auditWebhook_));
  plane.api.audit.webhook = {.url = server.url, .caPem = server.caPem, .certPem = server.certPem, .keyPem = server.keyPem,
                             .token = server.token, .serverName = server.tlsServerName, .insecure = server.insecure};
  return okStatus();
}

}  // namespace skiff::cmd
