#include "apiserver/registry.h"

#include "apiserver/crd.h"
#include "apiserver/custom_strategy.h"
#include "apiserver/status.h"
#include "apiserver/version_convert.h"
#include "apiserver/write_metrics.h"

namespace skiff::apiserver {
namespace {

// Events are forgotten after an hour, as upstream's --event-ttl.
constexpr std::chrono::seconds kEventTtl{3600};
// Enough for any burst of writers on one object; every round one of them wins.
constexpr int kMaxAttempts = 50;

ExpectedKind storedKind(const ServedResource& resource) {
  return {resource.storage->group, resource.storage->version, resource.storage->kind,
          resource.custom ? nullptr : resource.storage->type,
          resource.custom ? &resource.custom->storageVersion() : nullptr};
}

}  // namespace

using codec::Arena;
using codec::Value;

const UserInfo& serverUser() {
  static const UserInfo kUser{"system:apiserver", "", {"system:masters"}, {}};
  return kUser;
}

Registry::Registry(Parts parts) : parts_(parts), customStrategy_(makeCustomStrategy()) {}
Registry::~Registry() = default;

Result<api::ObjectPtr> Registry::get(const ServedResource& resource, std::string_view ns, std::string_view name) const {
  store::RecordPtr record = parts_.store->get(resource.keyOf(ns, name));
  if (!record) return notFound(resource.info->group, resource.info->plural, name);
  return servedObject(record, resource);
}

Strategy& Registry::strategyOf(const ServedResource& resource) const {
  return resource.custom ? *customStrategy_ : parts_.strategies->of(*resource.storage);
}

AdmissionRequest Registry::admissionOf(const WriteCall& call, Operation operation, Value* object, const Value* old,
                                       Arena& arena) const {
  AdmissionRequest request;
  request.user = call.user;
  request.operation = operation;
  request.resource = call.resource->storage;
  request.subresource = call.subresource;
  request.ns = call.ns;
  request.name = call.name;
  request.object = object;
  request.oldObject = old;
  request.options = call.options;
  request.dryRun = call.dryRun;
  request.arena = &arena;
  request.warnings = call.warnings;
  request.auditAnnotations = call.auditAnnotations;
  request.traceparent = call.traceparent;
  request.requested = call.resource->info;
  request.custom = call.resource->custom.get();
  request.reform = [this, resource = call.resource.get(), &arena](Value& edited) -> Status {
    if (edited["kind"].asString() != resource->storage->kind) return okStatus();  // a subresource's own kind
    TRY(normalize(edited, *resource, arena));
    defaultObject(edited, storedKind(*resource), arena);
    if (!resource->custom) strategyOf(*resource).applyDefaults(edited, arena);
    return okStatus();
  };
  return request;
}

namespace {

// Clocks are read for the plug-ins that may call out, and once for all.
template <class Run>
Status timed(AdmissionPlugin& plugin, Operation operation, WriteMetrics::Step step, WriteMetrics* metrics, Run run) {
  if (!metrics || !WriteMetrics::callsOut(plugin.name())) return run(plugin);
  auto started = std::chrono::steady_clock::now();
  Status done = run(plugin);
  metrics->plugin(plugin.name(), operation, step, !done.ok(), std::chrono::steady_clock::now() - started);
  return done;
}

template <class Run>
Status timedStep(Operation operation, WriteMetrics::Step step, WriteMetrics* metrics, Run run) {
  if (!metrics) return run();
  auto started = std::chrono::steady_clock::now();
  Status done = run();
  metrics->step(operation, step, !done.ok(), std::chrono::steady_clock::now() - started);
  return done;
}

}  // namespace

Status Registry::mutate(AdmissionRequest& request) const {
  if (!parts_.admission) return okStatus();
  auto run = [&]() -> Status {
    auto one = [&](AdmissionPlugin& plugin) { return plugin.mutate(request); };
    for (const auto& plugin : *parts_.admission) TRY(timed(*plugin, request.operation, WriteMetrics::Step::Admit, parts_.metrics, one));
    if (!request.reinvoke) return okStatus();
    request.isReinvocation = true;
    for (const auto& plugin : *parts_.admission) TRY(timed(*plugin, request.operation, WriteMetrics::Step::Admit, parts_.metrics, one));
    return okStatus();
  };
  return timedStep(request.operation, WriteMetrics::Step::Admit, parts_.metrics, run);
}

Status Registry::validateAdmission(const AdmissionRequest& request) const {
  if (!parts_.admission) return okStatus();
  auto run = [&]() -> Status {
    auto one = [&](AdmissionPlugin& plugin) { return plugin.validate(request); };
    for (const auto& plugin : *parts_.admission) TRY(timed(*plugin, request.operation, WriteMetrics::Step::Validate, parts_.metrics, one));
    return okStatus();
  };
  return timedStep(request.operation, WriteMetrics::Step::Validate, parts_.metrics, run);
}

Result<store::WriteResult> Registry::commit(std::string_view operation, const ServedResource& resource, store::Write write) const {
  if (!parts_.metrics) return parts_.store->commit(std::move(write));
  SteadyTime started = parts_.clock->steadyNow();
  auto result = parts_.store->commit(std::move(write));
  parts_.metrics->committed(operation, *resource.info, parts_.clock->steadyNow() - started);
  return result;
}

Status Registry::admit(const WriteCall& call, Operation operation, Value* object, const Value* old,
                       Arena& arena) const {
  AdmissionRequest request = admissionOf(call, operation, object, old, arena);
  TRY(mutate(request));
  return validateAdmission(request);
}

// Plug-ins and strategies edit freely; this brings the tree back into the order and form of its type.
Status Registry::normalize(Value& object, const ServedResource& resource, Arena& arena) const {
  std::vector<std::string> unknown;
  ExpectedKind kind = storedKind(resource);
  TRY(conformObject(object, kind, arena, unknown));
  setTypeMeta(object, arena, arena.copy(api::apiVersionOf(kind.group, kind.version)), arena.copy(kind.kind));
  return okStatus();
}

void Registry::planWrite(Plan& plan, std::string key, store::Revision expected, std::string bytes) const {
  plan.write = writeOf(*plan.resource, std::move(key), expected);
  plan.write.value = SharedBytes(std::move(bytes));
  plan.write.attach = attaching(plan.object, plan.document, plan.write.value, *plan.resource);
}

Registry::Outcome Registry::carryOut(Plan& plan) const {
  if (plan.written) return std::move(plan.written);
  return finish(plan, commit(plan.operation, *plan.resource, std::move(plan.write)));
}

void Registry::carryOutThen(PlanPtr plan, UniqueFunction<void(Outcome)> then) {
  if (plan->written) return then(std::move(plan->written));
  {
    std::lock_guard lock(mutex_);
    ++unfinished_;
  }
  store::Write write = std::move(plan->write);
  SteadyTime started = parts_.clock->steadyNow();
  auto finished = [this, started, plan = std::move(plan), then = std::move(then)](Result<store::WriteResult> result) mutable {
    if (parts_.metrics)
      parts_.metrics->committed(plan->operation, *plan->resource->info, parts_.clock->steadyNow() - started);
    then(finish(*plan, std::move(result)));
    std::lock_guard lock(mutex_);
    if (--unfinished_ == 0) drained_.notify_all();
  };
  parts_.store->commitThen(std::move(write), std::move(finished));
}

Registry::Outcome Registry::finish(Plan& plan, Result<store::WriteResult> result) const {
  const ServedResource& resource = *plan.resource;
  bool applied = result.ok() && result->applied;
  if (!applied && plan.allocated) strategyOf(resource).release(plan.allocated->root);
  if (applied && plan.replaced) strategyOf(resource).replaced(plan.replaced->root(), plan.object->root());
  if (!result.ok()) return std::move(result).error();
  if (!applied && plan.mustBeNew) return alreadyExists(resource.info->group, resource.info->plural, plan.name);
  if (!applied) return std::optional<Written>();
  bool removed = plan.operation == "delete";
  if (removed) strategyOf(resource).release(plan.object->root());
  announce(resource, plan.object, removed);
  return std::optional<Written>(Written{std::move(plan.object), plan.operation == "create", removed});
}

Result<Written> Registry::attempt(const WriteCall& call, const Planner& planner) const {
  for (int attempts = 0; attempts < kMaxAttempts; ++attempts) {
    PlanPtr plan = TRY(planner(call));
    if (!plan) continue;
    std::optional<Written> written = TRY(carryOut(*plan));
    if (written) return *std::move(written);
  }
  return modified(call.resource->info->group, call.resource->info->plural, call.name);
}

struct Registry::Attempts {
  WriteCall call;
  Planner planner;
  Done done;
  int count = 0;
};

void Registry::attemptThen(WriteCall call, Planner planner, Done done) {
  goOn(std::make_shared<Attempts>(Attempts{std::move(call), std::move(planner), std::move(done)}));
}

void Registry::goOn(const std::shared_ptr<Attempts>& attempts) {
  while (attempts->count++ < kMaxAttempts) {
    auto plan = attempts->planner(attempts->call);
    if (!plan.ok()) return attempts->done(std::move(plan).error());
    if (!*plan) continue;
    return carryOutThen(std::move(*plan), [this, attempts](Outcome written) {
      if (!written.ok()) return attempts->done(std::move(written).error());
      if (*written) return attempts->done(**std::move(written));
      // Not here: others wait to be called.
      if (!parts_.writers->submit([this, attempts] { goOn(attempts); }))
        attempts->done(tooManyRequests("Too many requests, please try again later.", 1));
    });
  }
  const ServedResource& resource = *attempts->call.resource;
  attempts->done(modified(resource.info->group, resource.info->plural, attempts->call.name));
}

void Registry::drain() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return unfinished_ == 0; });
}

store::Write Registry::writeOf(const ServedResource& resource, std::string key, store::Revision expected) const {
  store::Write write;
  write.key = std::move(key);
  write.expected = expected;
  if (resource.info->plural == "events" && !resource.custom) write.timeToLive = kEventTtl;
  return write;
}

void Registry::onWritten(std::function<void(const ServedResource&, const api::ObjectPtr&, bool)> listener) {
  listener_ = std::move(listener);
}

// Of two who write one after the other, the first may come here last: what is told in the end is what is there. In a
// shared store that is told by its publisher.
void Registry::announce(const ServedResource& resource, api::ObjectPtr object, bool removed) const {
  if (!listener_) return;
  std::string key = resource.keyOf(object->ns(), object->name());
  while (true) {
    listener_(resource, object, removed);
    if (parts_.store->shared()) return;
    store::RecordPtr now = parts_.store->get(key);
    if (removed ? !now : now && object->resourceVersion() == std::to_string(now->modRevision())) return;
    auto newer = now ? storedObject(now, resource) : object;
    if (!newer.ok()) return;
    object = *newer;
    removed = !now;
  }
}

bool changesGeneration(const Value& object, const Value& old, const api::ResourceInfo& resource) {
  if (resource.group == "apps" && resource.plural == "deployments" &&
      !(object["metadata"]["annotations"] == old["metadata"]["annotations"]))
    return true;
  auto counts = [](std::string_view key) {
    return key != "metadata" && key != "status" && key != "kind" && key != "apiVersion";
  };
  size_t seen = 0;
  for (const codec::Member& member : object.members()) {
    if (!counts(member.key)) continue;
    ++seen;
    const Value* before = old.find(member.key);
    if (!before || !(*before == member.value)) return true;
  }
  size_t had = 0;
  for (const codec::Member& member : old.members()) had += counts(member.key);
  return seen != had;
}

}  // namespace skiff::apiserver
