// PUT and PATCH: the new tree from the live one, retried until nobody wrote in between.
#include "apiserver/managed_fields.h"
#include "apiserver/object_meta.h"
#include "apiserver/registry.h"
#include "apiserver/status.h"
#include "apiserver/validate.h"
#include "apiserver/version_convert.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// Names in a URL win over nothing, and must agree with what the object says.
Status checkAddress(const WriteCall& call, const Value& object) {
  std::string_view name = object["metadata"]["name"].asString();
  if (!name.empty() && name != call.name)
    return badRequest(concat("the name of the object (", name, ") does not match the name on the URL (", call.name, ")"));
  std::string_view ns = object["metadata"]["namespace"].asString();
  if (call.resource->info->namespaced && !ns.empty() && ns != call.ns)
    return badRequest("the namespace of the provided object does not match the namespace sent on the request");
  return okStatus();
}

Error versionRequired(const WriteCall& call) {
  const api::ResourceInfo& info = *call.resource->info;
  ErrorDetails details;
  details.group = std::string(info.group);
  details.kind = std::string(info.plural);
  details.name = call.name;
  std::string text = "Invalid value: 0: must be specified for an update";
  details.causes.push_back({"FieldValueInvalid", text, "metadata.resourceVersion"});
  return {Reason::Invalid,
          concat(groupResource(info.group, info.plural), ' ', quoted(call.name),
                 " is invalid: metadata.resourceVersion: ", text),
          std::move(details)};
}

// The resourceVersion and uid that the new object carries are preconditions.
Status checkPreconditions(const WriteCall& call, const UpdateRules& rules, const Strategy& strategy,
                          const Value& object, const Value& live, const store::Record& record) {
  const api::ResourceInfo& info = *call.resource->info;
  std::string_view version = object["metadata"]["resourceVersion"].asString();
  if (version.empty() || version == "0") {
    if (!rules.patch && !strategy.allowUnconditionalUpdate() && call.subresource.empty()) return versionRequired(call);
  } else if (!parseUint(version)) {
    return badRequest(concat("strconv.ParseUint: parsing ", quoted(version), ": invalid syntax"));
  } else if (version != live["metadata"]["resourceVersion"].asString()) {
    return modified(info.group, info.plural, call.name);
  }
  std::string_view uid = object["metadata"]["uid"].asString(), liveUid = live["metadata"]["uid"].asString();
  if (!rules.patch && !uid.empty() && uid != liveUid)
    return conflict(info.group, info.plural, call.name,
                    concat("StorageError: invalid object, Code: 4, Key: ", record.key(),
                           ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ", uid,
                           ", UID in object meta: ", liveUid));
  return okStatus();
}

void replaceMember(Value& object, const Value& from, std::string_view key, const api::TypeInfo* type, Arena& arena) {
  if (const Value* value = from.find(key)) {
    setOrdered(object, type, arena, key, value->clone(arena));
  } else {
    object.erase(key);
  }
}

// Which part of the new object counts: a status update cannot touch the spec, and the other way round.
void separateStatus(Value& object, const Value& live, const WriteCall& call, const Strategy& strategy, Arena& arena) {
  const ServedResource& resource = *call.resource;
  bool hasSubresource = resource.info->subresource("status") != nullptr;
  if (!hasSubresource || (!resource.custom && !strategy.hasStatus())) return;
  if (call.subresource == "status") {
    Value status = object["status"], metadata = object["metadata"];
    bool had = object.has("status");
    object = live.clone(arena);
    const api::TypeInfo* type = resource.storage->type;
    if (had) {
      setOrdered(object, type, arena, "status", status);
    } else {
      object.erase("status");
    }
    // Of a custom resource only the status may change here, of built-ins labels and annotations too.
    if (!resource.custom) setOrdered(object, type, arena, "metadata", metadata);
    else if (const Value* fields = metadata.find("managedFields")) setMetadata(object, arena, "managedFields", *fields);
  } else if (call.subresource.empty()) {
    replaceMember(object, live, "status", resource.storage->type, arena);
  }
}

// Writes that the spec's owner did not make leave the generation: status, binding, approval.
bool bumpsGeneration(std::string_view subresource) {
  return subresource != "status" && subresource != "binding" && subresource != "approval" && subresource != "finalize";
}

// An object that was only waiting for its last finalizer is gone with it.
bool completesDeletion(const Value& object, const ServedResource& resource) {
  if (!isDeleting(object) || hasFinalizers(object)) return false;
  if (resource.info->plural == "namespaces" && !resource.custom && !object["spec"]["finalizers"].empty()) return false;
  return object["metadata"]["deletionGracePeriodSeconds"].asInt(0) == 0;
}

}  // namespace

Result<Written> Registry::update(const WriteCall& call, const UpdateRules& rules, const Transform& transform) {
  return attempt(call, [&](const WriteCall& same) { return planUpdate(same, rules, transform); });
}

void Registry::updateThen(WriteCall call, const UpdateRules& rules, Transform transform, Done done) {
  auto plan = [this, rules, transform = std::move(transform)](const WriteCall& same) { return planUpdate(same, rules, transform); };
  attemptThen(std::move(call), std::move(plan), std::move(done));
}

// An update of what is not there.
Result<Registry::PlanPtr> Registry::planUpsert(const WriteCall& call, const UpdateRules& rules, const Transform& transform,
                                               DocumentEdit document) {
  const api::ResourceInfo& info = *call.resource->info;
  if (!rules.mayCreate) return notFound(info.group, info.plural, call.name);
  document->root = TRY(transform(nullptr, document->arena));
  if (!document->root["metadata"]["uid"].asString().empty() && !rules.patch)
    return conflict(info.group, info.plural, call.name, "Precondition failed: UID in precondition: does not exist");
  if (Value* metadata = document->root.find("metadata")) metadata->erase("resourceVersion");
  setMetadata(document->root, document->arena, "name", Value::text(document->arena, call.name));
  TRY(checkAddress(call, document->root));
  auto plan = planCreate(call, std::move(document));
  // Lost a race against another creator: it is an update now.
  if (plan.failedWith(Reason::AlreadyExists)) return PlanPtr();
  if (plan.ok()) (*plan)->mustBeNew = false;
  return plan;
}

Result<Registry::PlanPtr> Registry::planUpdate(const WriteCall& call, const UpdateRules& rules, const Transform& transform) {
  const ServedResource& resource = *call.resource;
  store::RecordPtr record = parts_.store->get(resource.keyOf(call.ns, call.name));
  Strategy& strategy = strategyOf(resource);
  auto document = std::make_shared<codec::Document>();
  Arena& arena = document->arena;
  if (resource.custom) arena.keep(resource.custom);
  if (!record) return planUpsert(call, rules, transform, std::move(document));

  api::ObjectPtr live = TRY(storedObject(record, resource));
  api::ObjectPtr shown = TRY(servedObject(record, resource));
  document->root = TRY(transform(&shown->root(), arena));
  Value& object = document->root;
  TRY(checkAddress(call, object));
  TRY(checkPreconditions(call, rules, strategy, object, live->root(), *record));
  TRY(toStorageVersion(object, resource, arena));
  if (!resource.custom) strategy.applyDefaults(object, arena);
  carryMetadata(object, live->root(), arena);
  setMetadata(object, arena, "resourceVersion",
              Value::text(arena, live->root()["metadata"]["resourceVersion"].asString()));
  separateStatus(object, live->root(), call, strategy, arena);
  // A status update replaced the metadata by the client's: take over the unchangeable parts again.
  carryMetadata(object, live->root(), arena);
  // What strategies and plug-ins add is nobody's: owners are those of what the client sent.
  if (call.tracked) {
    Value owned = strategy.asOwned(live->root(), arena);
    trackManagedFields(object, &owned, call, clock().now(), arena);
  }

  AdmissionRequest request = admissionOf(call, Operation::Update, &object, &live->root(), arena);
  StrategyContext context{request, *parts_.cluster};
  strategy.prepareUpdate(context);
  if (call.admit) TRY(mutate(request));
  TRY(normalize(object, resource, arena));
  if (strategy.hasGeneration() && bumpsGeneration(call.subresource) &&
      changesGeneration(object, live->root(), *resource.storage))
    setMetadata(object, arena, "generation",
                Value::integer(live->root()["metadata"]["generation"].asInt() + 1));
  TRY(validateForUpdate(context, strategy));
  if (call.admit) TRY(validateAdmission(request));
  TRY(strategy.allocate(context));
  return planChange(call, record, live, std::move(document), strategy);
}

Result<Registry::PlanPtr> Registry::planChange(const WriteCall& call, const store::RecordPtr& record, const api::ObjectPtr& live,
                                               DocumentEdit document, Strategy& strategy) {
  const ServedResource& resource = *call.resource;
  if (strategy.allocates()) TRY(normalize(document->root, resource, document->arena));
  std::string bytes = TRY(encodeStored(document->root, resource));
  auto plan = std::make_unique<Plan>(Plan{.operation = "update", .resource = call.resource, .name = call.name});
  if (completesDeletion(document->root, resource)) {
    api::ObjectPtr last = publish(std::move(document), record->modRevision(), resource);
    if (!call.dryRun) return planErase(call, record, std::move(last));
    plan->written = Written{std::move(last), false, true};
    return plan;
  }
  // Nothing has changed: no revision is spent, nobody is told. Unless the write is there to encrypt the object with a newer key.
  if (bytes == record->value().view() && !(parts_.store->isStale(record->key()) && !call.dryRun)) {
    plan->written = Written{live};
    return plan;
  }
  if (strategy.allocates() && call.dryRun) strategy.replaced(document->root, live->root());
  if (strategy.allocates()) plan->replaced = live;
  plan->document = compacted(*document, resource);
  if (call.dryRun) plan->written = Written{publish(std::move(plan->document), record->modRevision(), resource)};
  else planWrite(*plan, record->key(), record->modRevision(), std::move(bytes));
  return plan;
}

}  // namespace skiff::apiserver
