#include "apiserver/audit/auditor.h"

#include <fstream>

#include "apiserver/audit/record.h"
#include "apiserver/metrics_text.h"
#include "base/strings.h"

namespace skiff::apiserver::audit {
namespace {

// Answers slower than this say where their time went.
constexpr std::chrono::milliseconds kSlow{500};

std::string durationText(std::chrono::nanoseconds time) {
  double seconds = std::chrono::duration<double>(time).count();
  char text[32];
  if (seconds >= 1) std::snprintf(text, sizeof text, "%.9gs", seconds);
  else if (seconds >= 1e-3) std::snprintf(text, sizeof text, "%.6gms", seconds * 1e3);
  else std::snprintf(text, sizeof text, "%.6gµs", seconds * 1e6);
  return text;
}

Result<std::string> readFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return badRequest(concat("cannot read ", path));
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

Result<EventQueue::Mode> modeOf(std::string_view text, std::string_view flag) {
  if (text == "batch") return EventQueue::Mode::Batch;
  if (text == "blocking" || text == "blocking-strict") return EventQueue::Mode::Blocking;
  return badRequest(concat("invalid ", flag, " ", quoted(text), ": it must be batch, blocking or blocking-strict"));
}

}  // namespace

Result<std::unique_ptr<Auditor>> Auditor::create(const AuditOptions& options, const Clock& clock) {
  if (options.policyFile.empty()) return std::unique_ptr<Auditor>();
  std::string text = TRY(readFile(options.policyFile));
  std::unique_ptr<Auditor> auditor(new Auditor(TRY(Policy::parse(text)), clock));
  if (options.logFormat != "json" && options.logFormat != "legacy")
    return badRequest(concat("invalid audit log format ", quoted(options.logFormat), ": it must be json or legacy"));
  if (!options.logPath.empty()) {
    auto mode = TRY(modeOf(options.logMode, "--audit-log-mode"));
    auto sink = TRY(logSink(options, clock));
    auditor->legacyLog_ = options.logFormat == "legacy";
    auditor->sinks_.push_back(std::make_unique<EventQueue>(std::move(sink), mode, options.logBatch, std::chrono::milliseconds(100)));
  }
  if (!options.webhook.url.empty()) {
    TRY(modeOf(options.webhookMode, "--audit-webhook-mode"));
    auto sink = TRY(webhookSink(options));
    // A loop thread never waits for another machine: "blocking" means that nothing is gathered before it is sent.
    BatchOptions batch = options.webhookBatch;
    if (options.webhookMode != "batch") batch.maxSize = 1, batch.maxWait = {}, batch.throttle = false;
    auditor->sinks_.push_back(std::make_unique<EventQueue>(std::move(sink), EventQueue::Mode::Batch, batch, options.webhookInitialBackoff));
  }
  return auditor;
}

void Auditor::stop() {
  for (const auto& sink : sinks_) sink->stop();
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

void Auditor::received(Exchange& exchange) {
  if (begin(exchange)) tell(exchange, Stage::RequestReceived, 0);
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

void Auditor::tell(const Exchange& exchange, Stage stage, int status) {
  const Record& record = *exchange.audit;
  if (record.decision.omits(stage)) return;
  events_.fetch_add(1, std::memory_order_relaxed);
  WallTime now = stage == Stage::RequestReceived ? record.received : clock_.now();
  std::string event = record.event(exchange, stage, status, now);
  for (size_t i = 0; i < sinks_.size(); ++i) {
    bool legacy = legacyLog_ && i == 0;
    sinks_[i]->add(legacy ? record.legacyLine(exchange, stage, status, now) : event);
  }
}

void Auditor::writeMetrics(std::string& out) const {
  MetricsText text(out);
  text.counter("apiserver_audit_event_total", "Audit events that were made.", double(events_.load()));
  text.family("apiserver_audit_level_total", "counter", "Requests by the level that the policy gave them.");
  for (size_t i = 0; i < levels_.size(); ++i)
    if (uint64_t count = levels_[i].load()) text.sample(metricLabel("level", levelName(Level(i))), double(count));
  text.family("apiserver_audit_error_total", "counter", "Audit events that were dropped or refused, by sink.");
  for (const auto& sink : sinks_)
    if (sink->failed() > 0) text.sample(metricLabel("plugin", sink->name()), double(sink->failed()));
  text.counter("apiserver_audit_requests_rejected_total", "Requests refused because they could not be audited.", 0);
}

}  // namespace skiff::apiserver::audit
