// DELETE: preconditions, grace, finalizers by propagation policy; then the record goes, or waits for others.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/
#include <algorithm>

#include "apiserver/crd_strategy.h"
#include "apiserver/object_meta.h"
#include "apiserver/registry.h"
#include "apiserver/status.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kOrphan = "orphan", kForeground = "foregroundDeletion";

Status checkPreconditions(const WriteCall& call, const DeleteCall& how, const api::Object& live) {
  std::string_view kind = call.resource->info->kind;
  if (!how.uid.empty() && how.uid != live.uid())
    return conflict("", kind, call.name,
                    concat("the UID in the precondition (", how.uid, ") does not match the UID in record (", live.uid(),
                           "). The object might have been deleted and then recreated"));
  if (!how.resourceVersion.empty() && how.resourceVersion != live.resourceVersion())
    return conflict("", kind, call.name,
                    concat("the ResourceVersion in the precondition (", how.resourceVersion,
                           ") does not match the ResourceVersion in record (", live.resourceVersion(),
                           "). The object might have been modified"));
  return okStatus();
}

// Without a word of the client, a finalizer that the object has already decides, and then its kind.
Propagation propagationOf(const DeleteCall& how, const Strategy& strategy, const Value& object) {
  if (how.propagation != Propagation::Default || !strategy.orphansByDefault()) return how.propagation;
  for (const Value& finalizer : object["metadata"]["finalizers"].items())
    if (finalizer.asString() == kOrphan || finalizer.asString() == kForeground) return Propagation::Default;
  return Propagation::Orphan;
}

// The finalizers that the garbage collector answers to, by what the client asked for.
bool applyPropagation(Value& object, Propagation propagation, Arena& arena) {
  if (propagation == Propagation::Default) return false;
  Value kept = Value::list();
  bool changed = false;
  std::string_view wanted = propagation == Propagation::Orphan       ? kOrphan
                            : propagation == Propagation::Foreground ? kForeground
                                                                     : "";
  for (const Value& finalizer : std::as_const(object)["metadata"]["finalizers"].items()) {
    std::string_view name = finalizer.asString();
    bool ours = name == kOrphan || name == kForeground;
    if (ours && name != wanted) {
      changed = true;
      continue;
    }
    if (name == wanted) wanted = "";
    kept.push(arena, finalizer);
  }
  if (!wanted.empty()) {
    kept.push(arena, Value::string(wanted));
    changed = true;
  }
  if (!changed) return false;
  if (kept.empty()) {
    object.child(arena, "metadata").erase("finalizers");
  } else {
    setMetadata(object, arena, "finalizers", kept);
  }
  return true;
}

bool isNamespace(const ServedResource& resource) {
  return !resource.custom && resource.info->group.empty() && resource.info->plural == "namespaces";
}

// A definition waits until its instances are gone.
bool isServedDefinition(const ServedResource& resource, const Value& object) {
  if (resource.custom || resource.info->group != "apiextensions.k8s.io") return false;
  for (const Value& condition : object["status"]["conditions"].items())
    if (condition["type"].asString() == "Established") return condition["status"].asString() == "True";
  return false;
}

void addFinalizer(Value& object, std::string_view name, Arena& arena) {
  Value finalizers = object["metadata"]["finalizers"];
  for (const Value& finalizer : std::as_const(finalizers).items())
    if (finalizer.asString() == name) return;
  Value list = Value::list();
  for (const Value& finalizer : std::as_const(finalizers).items()) list.push(arena, finalizer);
  list.push(arena, Value::string(name));
  setMetadata(object, arena, "finalizers", list);
}

void markDeleted(Value& object, WallTime now, int64_t grace, bool withGrace, Arena& arena) {
  setMetadata(object, arena, "deletionTimestamp", Value::text(arena, formatRfc3339(now + seconds(grace))));
  if (withGrace) setMetadata(object, arena, "deletionGracePeriodSeconds", Value::integer(grace));
  if (int64_t generation = std::as_const(object)["metadata"]["generation"].asInt(); generation > 0)
    setMetadata(object, arena, "generation", Value::integer(generation + 1));
}

// Nobody has to be waited for, and nobody told of the end to come.
bool goesAtOnce(const ServedResource& resource, const Value& object, Propagation propagation, std::optional<int64_t> grace) {
  bool waits = propagation == Propagation::Orphan || propagation == Propagation::Foreground;
  return !waits && !grace && !isNamespace(resource) && !hasFinalizers(object) && !isServedDefinition(resource, object);
}

// Once for a whole collection.
void warnOfSilentDeletion(const WriteCall& call, const DeleteCall& how, const Strategy& strategy) {
  std::string_view warning = strategy.silentDeletionWarning();
  if (warning.empty() || how.propagation != Propagation::Default || !call.warnings) return;
  if (std::ranges::find(*call.warnings, warning) == call.warnings->end()) call.warnings->emplace_back(warning);
}

// Sets when the object is to end. `grace` in: what is asked for, out: what it has. False: it ends then already.
bool setEnd(Value& object, const ServedResource& resource, std::optional<int64_t> asked, std::optional<int64_t>& grace, WallTime now,
            Arena& arena) {
  if (!isDeleting(object)) {
    markDeleted(object, now, grace.value_or(0), !isNamespace(resource), arena);
    return true;
  }
  if (!grace) return false;
  // A second request may only shorten the time; the end moves with it.
  int64_t before = object["metadata"]["deletionGracePeriodSeconds"].asInt();
  if (!asked || *grace >= before) {
    grace = before;
    return false;
  }
  auto end = parseRfc3339(object["metadata"]["deletionTimestamp"].asString());
  WallTime started = end ? *end - seconds(before) : now;
  WallTime newEnd = std::max(now, started + seconds(*grace));
  setMetadata(object, arena, "deletionTimestamp", Value::text(arena, formatRfc3339(newEnd)));
  setMetadata(object, arena, "deletionGracePeriodSeconds", Value::integer(*grace));
  return true;
}

bool setTerminating(Value& object, Arena& arena) {
  Value& status = object.child(arena, "status");
  if (!status.isMap()) status = Value::map();
  bool changed = status["phase"].asString() != "Terminating";
  status.set(arena, "phase", Value::string("Terminating"));
  return changed;
}

}  // namespace

Result<Written> Registry::remove(const WriteCall& call, const DeleteCall& how) {
  warnOfSilentDeletion(call, how, strategyOf(*call.resource));
  return attempt(call, [&](const WriteCall& same) { return planRemove(same, how); });
}

void Registry::removeThen(WriteCall call, DeleteCall how, Done done) {
  warnOfSilentDeletion(call, how, strategyOf(*call.resource));
  auto plan = [this, how = std::move(how)](const WriteCall& same) { return planRemove(same, how); };
  attemptThen(std::move(call), std::move(plan), std::move(done));
}

Result<Registry::PlanPtr> Registry::planRemove(const WriteCall& call, const DeleteCall& how) {
  const ServedResource& resource = *call.resource;
  store::RecordPtr record = parts_.store->get(resource.keyOf(call.ns, call.name));
  if (!record) return notFound(resource.info->group, resource.info->plural, call.name);
  api::ObjectPtr live = TRY(storedObject(record, resource));
  TRY(checkPreconditions(call, how, *live));
  Strategy& strategy = strategyOf(resource);
  if (call.admit) {
    Arena scratch;
    TRY(admit(call, Operation::Delete, nullptr, &live->root(), scratch));
  }

  std::optional<int64_t> asked = how.gracePeriodSeconds;
  if (asked && *asked < 0) asked = 1;
  std::optional<int64_t> grace = strategy.gracePeriod(live->root(), asked);
  Propagation propagation = propagationOf(how, strategy, live->root());
  if (goesAtOnce(resource, live->root(), propagation, grace)) return planErase(call, record, live);

  auto document = codec::cloneDocument(live->root());
  Arena& arena = document->arena;
  Value& object = document->root;
  bool changed = applyPropagation(object, propagation, arena);
  if (!isDeleting(object) && isServedDefinition(resource, object)) addFinalizer(object, kDefinitionCleanup, arena);
  bool pending = hasFinalizers(object) || (isNamespace(resource) && !object["spec"]["finalizers"].empty());
  changed |= setEnd(object, resource, asked, grace, clock().now(), arena);
  if (isNamespace(resource)) changed |= setTerminating(object, arena);

  auto shown = [&] { return publish(std::move(document), record->modRevision(), resource); };
  // Kinds with grace show the time of their end; the others are shown as they were.
  if (!pending && grace.value_or(0) == 0) return planErase(call, record, grace ? shown() : live);
  auto plan = std::make_unique<Plan>(Plan{.operation = "update", .resource = call.resource, .name = call.name});
  if (!changed || call.dryRun) {
    plan->written = Written{shown()};
    return plan;
  }
  TRY(normalize(object, resource, arena));
  std::string bytes = TRY(encodeStored(object, resource));
  plan->document = compacted(*document, resource);
  planWrite(*plan, record->key(), record->modRevision(), std::move(bytes));
  return plan;
}

Registry::PlanPtr Registry::planErase(const WriteCall& call, const store::RecordPtr& record, api::ObjectPtr shown) const {
  auto plan = std::make_unique<Plan>(Plan{.operation = "delete", .resource = call.resource, .name = call.name});
  if (call.dryRun) {
    plan->written = Written{std::move(shown), false, true};
    return plan;
  }
  plan->write = writeOf(*call.resource, record->key(), record->modRevision());
  plan->write.remove = true;
  plan->object = std::move(shown);
  return plan;
}

}  // namespace skiff::apiserver
