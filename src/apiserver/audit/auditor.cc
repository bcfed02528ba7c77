#include "apiserver/audit/auditor.h"

#include "apiserver/audit/record.h"
#include "apiserver/metrics_text.h"
#include "base/read_file.h"
#include "base/strings.h"

namespace skiff::apiserver::audit {
namespace {

// Answers slower than this say where their time went.
constexpr std::chrono::milliseconds kSlow{500};

constexpr std::string_view kStrict = "blocking-strict";

std::string durationText(std::chrono::nanoseconds time) {
  double seconds = std::chrono::duration<double>(time).count();
  char text[32];
  if (seconds >= 1) std::snprintf(text, sizeof text, "%.9gs", seconds);
  else if (seconds >= 1e-3) std::snprintf(text, sizeof text, "%.6gms", seconds * 1e3);
  else std::snprintf(text, sizeof text, "%.6gµs", seconds * 1e6);
  return text;
}

Result<EventQueue::Mode> modeOf(std::string_view text, std::string_view flag) {
  if (text == "batch") return EventQueue::Mode::Batch;
  if (text == "blocking" || text == kStrict) return EventQueue::Mode::Blocking;
  return badRequest(concat("invalid ", flag, " ", quoted(text), ": it must be batch, blocking or blocking-strict"));
}

}  // namespace

Result<std::unique_ptr<Auditor>> Auditor::create(const AuditOptions& options, const Clock& clock) {
  if (options.policyFile.empty()) return std::unique_ptr<Auditor>();
  std::string text = TRY(readFile(options.policyFile));
  std::unique_ptr<Auditor> auditor(new Auditor(TRY(Policy::parse(text)), clock));
  if (options.logFormat != "json" && options.logFormat != "legacy")
    return badRequest(concat("invalid audit log format ", quoted(options.logFormat), ": it must be json or legacy"));
  auto maxEvent = [](const TruncateOptions& truncate) { return truncate.enabled ? size_t(truncate.maxEventBytes) : 0; };
  auto maxBatch = [](const TruncateOptions& truncate) { return truncate.enabled ? truncate.maxBatchBytes : 0; };
  if (!options.logPath.empty()) {
    auto mode = TRY(modeOf(options.logMode, "--audit-log-mode"));
    auto queue = std::make_unique<EventQueue>(TRY(logSink(options, clock)), mode, options.logBatch, std::chrono::milliseconds(100),
                                              maxBatch(options.logTruncate));
    auditor->outputs_.push_back({.queue = std::move(queue), .legacy = options.logFormat == "legacy", .strict = options.logMode == kStrict,
                                 .maxEventBytes = maxEvent(options.logTruncate)});
  }
  if (!options.webhook.url.empty()) {
    TRY(modeOf(options.webhookMode, "--audit-webhook-mode"));
    // A loop thread never waits for another machine: "blocking" means that nothing is gathered before it is sent. Only what a
    // strict webhook must have before the request goes on is sent first, by a worker.
    BatchOptions batch = options.webhookBatch;
    if (options.webhookMode != "batch") batch.maxSize = 1, batch.maxWait = {}, batch.throttle = false;
    auto queue = std::make_unique<EventQueue>(TRY(webhookSink(options)), EventQueue::Mode::Batch, batch, options.webhookInitialBackoff,
                                              maxBatch(options.webhookTruncate));
    auditor->waits_ = options.webhookMode == kStrict;
    auditor->outputs_.push_back({.queue = std::move(queue), .strict = auditor->waits_, .maxEventBytes = maxEvent(options.webhookTruncate)});
  }
  return auditor;
}

void Auditor::stop() {
  for (const Output& output : outputs_) output.queue->stop();
}

bool Auditor::begin(Exchange& exchange) {
  Decision decision = policy_.decide(exchange.user, exchange.info);
  levels_[size_t(decision.level)].fetch_add(1, std::memory_order_relaxed);
  if (decision.level == Level::None) return false;
  exchange.audit = std::make_shared<Record>();
  exchange.audit->decision = decision;
  exchange.audit->user = exchange.user;
  exchange.audit->received = clock_.now();
  return true;
}

bool Auditor::received(Exchange& exchange) {
  if (!begin(exchange) || tell(exchange, Stage::RequestReceived, 0)) return true;
  rejected_.fetch_add(1, std::memory_order_relaxed);
  exchange.audit.reset();  // what follows is not told either
  return false;
}

void Auditor::unauthenticated(Exchange& exchange) {
  if (!begin(exchange)) return;
  codec::Arena arena;
  codec::Value status = codec::Value::map();
  status.set(arena, "metadata", codec::Value::map());
  status.set(arena, "status", codec::Value::string("Failure"));
  status.set(arena, "message", codec::Value::string("Unauthorized"));
  status.set(arena, "reason", codec::Value::string("Unauthorized"));
  exchange.audit->setStatus(status);
  tell(exchange, Stage::ResponseStarted, 401);
  exchange.audit.reset();
}

void Auditor::started(const Exchange& exchange, int status) {
  if (std::exchange(exchange.audit->started, true)) return;
  tell(exchange, Stage::ResponseStarted, status);
}

void Auditor::annotate(const Exchange& exchange) const {
  auto& annotations = exchange.audit->annotations;
  if (exchange.deprecated) {
    annotations["k8s.io/deprecated"] = "true";
    if (exchange.resource && exchange.resource->info->type && !exchange.resource->info->type->removedIn.empty())
      annotations["k8s.io/removed-release"] = std::string(exchange.resource->info->type->removedIn);
  }
  auto took = clock_.steadyNow() - exchange.started;
  if (took < kSlow || exchange.info.verb == "watch") return;
  annotations["apiserver.latency.k8s.io/total"] = durationText(took);
  if (exchange.seat.waited().count() > 0) annotations["apiserver.latency.k8s.io/apf-queue-wait"] = durationText(exchange.seat.waited());
}

void Auditor::complete(const Exchange& exchange, int status) {
  if (std::exchange(exchange.audit->complete, true)) return;
  annotate(exchange);
  tell(exchange, Stage::ResponseComplete, status);
}

bool Auditor::tell(const Exchange& exchange, Stage stage, int status) {
  const Record& record = *exchange.audit;
  if (record.decision.omits(stage)) return true;
  events_.fetch_add(1, std::memory_order_relaxed);
  WallTime now = stage == Stage::RequestReceived ? record.received : clock_.now();
  std::string event = record.event(exchange, stage, status, now);
  bool told = true;
  for (Output& output : outputs_)
    if (!tellOne(output, exchange, stage, status, now, event) && output.strict) told = false;
  return told;
}

bool Auditor::tellOne(Output& output, const Exchange& exchange, Stage stage, int status, WallTime now, const std::string& event) {
  const Record& record = *exchange.audit;
  std::string text;
  if (output.legacy) text = record.legacyLine(exchange, stage, status, now);
  else if (output.maxEventBytes == 0 || event.size() <= output.maxEventBytes) text = event;
  else text = record.event(exchange, stage, status, now, Record::Objects::Left);
  if (output.maxEventBytes > 0 && text.size() > output.maxEventBytes) {
    output.queue->drop();
    return true;  // as upstream: it is lost, but nobody is refused for it
  }
  bool first = output.strict && stage == Stage::RequestReceived;
  return first ? output.queue->addNow(text) : output.queue->add(std::move(text));
}

void Auditor::writeMetrics(const Auditor* auditor, std::string& out) {
  MetricsText text(out);
  text.counter("apiserver_audit_event_total", "Audit events that were made.", auditor ? double(auditor->events_.load()) : 0);
  text.counter("apiserver_audit_requests_rejected_total", "Requests refused because they could not be audited.",
               auditor ? double(auditor->rejected_.load()) : 0);
  if (!auditor) return;
  text.family("apiserver_audit_level_total", "counter", "Requests by the level that the policy gave them.");
  for (size_t i = 0; i < auditor->levels_.size(); ++i)
    if (uint64_t count = auditor->levels_[i].load()) text.sample(metricLabel("level", levelName(Level(i))), double(count));
  text.family("apiserver_audit_error_total", "counter", "Audit events that were dropped or refused, by sink.");
  for (const Output& output : auditor->outputs_)
    if (output.queue->failed() > 0) text.sample(metricLabel("plugin", output.queue->name()), double(output.queue->failed()));
}

}  // namespace skiff::apiserver::audit
