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

constexpr int kMaxAttempts = 50;
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

}  // namespace

Result<Deleted> Registry::remove(const WriteCall& call, const DeleteCall& how) {
  std::string_view warning = strategyOf(*call.resource).silentDeletionWarning();
  if (!warning.empty() && how.propagation == Propagation::Default && call.warnings &&
      std::ranges::find(*call.warnings, warning) == call.warnings->end())  // once for a whole collection
    call.warnings->emplace_back(warning);
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    std::optional<Deleted> deleted = TRY(removeOnce(call, how));
    if (deleted) return *std::move(deleted);
  }
  return modified(call.resource->info->group, call.resource->info->plural, call.name);
}

// nullopt: somebody wrote in between, try again.
Result<std::optional<Deleted>> Registry::removeOnce(const WriteCall& call, const DeleteCall& how) {
  const ServedResource& resource = *call.resource;
  store::RecordPtr record = parts_.store->get(resource.keyOf(call.ns, call.name));
  if (!record) return notFound(resource.info->group, resource.info->plural, call.name);
  api::ObjectPtr live = TRY(storedObject(record, resource));
  TRY(checkPreconditions(call, how, *live));
  Strategy& strategy = strategyOf(resource);

  auto document = codec::cloneDocument(live->root());
  Arena& arena = document->arena;
  Value& object = document->root;
  AdmissionRequest request = admissionOf(call, Operation::Delete, nullptr, &live->root(), arena);
  if (call.admit) {
    TRY(mutate(request));
    TRY(validateAdmission(request));
  }

  std::optional<int64_t> asked = how.gracePeriodSeconds;
  if (asked && *asked < 0) asked = 1;
  std::optional<int64_t> grace = strategy.gracePeriod(live->root(), asked);
  bool marked = isDeleting(object);
  bool changed = applyPropagation(object, propagationOf(how, strategy, object), arena);
  if (!marked && isServedDefinition(resource, object)) addFinalizer(object, kDefinitionCleanup, arena);
  bool pending = hasFinalizers(object) || (isNamespace(resource) && !object["spec"]["finalizers"].empty());
  WallTime now = clock().now();
  if (!marked) {
    markDeleted(object, now, grace.value_or(0), !isNamespace(resource), arena);
    changed = true;
  } else if (grace) {
    // A second request may only shorten the time; the end moves with it.
    int64_t before = object["metadata"]["deletionGracePeriodSeconds"].asInt();
    if (asked && *grace < before) {
      auto end = parseRfc3339(object["metadata"]["deletionTimestamp"].asString());
      WallTime started = end ? *end - seconds(before) : now;
      WallTime newEnd = std::max(now, started + seconds(*grace));
      setMetadata(object, arena, "deletionTimestamp", Value::text(arena, formatRfc3339(newEnd)));
      setMetadata(object, arena, "deletionGracePeriodSeconds", Value::integer(*grace));
      changed = true;
    } else {
      grace = before;
    }
  }
  if (isNamespace(resource)) {
    Value& status = object.child(arena, "status");
    if (!status.isMap()) status = Value::map();
    if (status["phase"].asString() != "Terminating") changed = true;
    status.set(arena, "phase", Value::string("Terminating"));
  }

  if (!pending && grace.value_or(0) == 0) {
    // Kinds with grace show the time of their end; the others are shown as they were.
    api::ObjectPtr shown = grace ? publish(std::move(document), record->modRevision(), resource) : live;
    if (call.dryRun) return std::optional<Deleted>(Deleted{std::move(shown), true});
    return erase(call, record, shown);
  }
  if (!changed || call.dryRun)
    return std::optional<Deleted>(Deleted{publish(std::move(document), record->modRevision(), resource), false});
  TRY(normalize(object, resource, arena));
  std::string bytes = TRY(encodeStored(object, resource));
  document = compacted(*document, resource);
  api::ObjectPtr published;
  store::Write write = writeOf(resource, record->key(), record->modRevision());
  write.value = SharedBytes(std::move(bytes));
  write.attach = attaching(published, document, write.value, resource);
  store::WriteResult result = TRY(commit("update", resource, std::move(write)));
  if (!result.applied) return std::optional<Deleted>();
  announce(resource, published, false);
  return std::optional<Deleted>(Deleted{std::move(published), false});
}

Result<std::optional<Deleted>> Registry::erase(const WriteCall& call, const store::RecordPtr& record,
                                               const api::ObjectPtr& shown) {
  const ServedResource& resource = *call.resource;
  store::Write write = writeOf(resource, record->key(), record->modRevision());
  write.remove = true;
  store::WriteResult result = TRY(commit("delete", resource, std::move(write)));
  if (!result.applied) {
    if (!result.record) return notFound(resource.info->group, resource.info->plural, call.name);
    return std::optional<Deleted>();
  }
  strategyOf(resource).release(shown->root());
  announce(resource, shown, true);
  return std::optional<Deleted>(Deleted{shown, true});
}

}  // namespace skiff::apiserver
