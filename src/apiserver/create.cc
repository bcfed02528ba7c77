// POST of a collection: system fields, strategy, admission, validation, commit at revision 0.
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

// A generated name that is taken is drawn again this often, as upstream.
constexpr int kGenerateNameAttempts = 8;
// The suffix has 5 characters; names are cut so that the whole stays a valid label.
constexpr size_t kMaxGeneratedPrefix = 63 - 5;

Status checkAddress(const WriteCall& call, const Value& object) {
  std::string_view ns = object["metadata"]["namespace"].asString();
  if (call.resource->info->namespaced && !ns.empty() && ns != call.ns)
    return badRequest("the namespace of the provided object does not match the namespace sent on the request");
  std::string_view name = object["metadata"]["name"].asString();
  if (!call.name.empty() && !name.empty() && name != call.name)
    return badRequest(concat("the name of the object (", name, ") does not match the name on the URL (", call.name, ")"));
  return okStatus();
}

Status checkNew(const WriteCall& call, const Value& object) {
  TRY(checkAddress(call, object));
  if (!object["metadata"]["resourceVersion"].asString().empty())
    return badRequest("resourceVersion should not be set on objects to be created");
  return okStatus();
}

bool generatesName(const Value& object) {
  const Value& metadata = object["metadata"];
  return metadata["name"].asString().empty() && !metadata["generateName"].asString().empty();
}

}  // namespace

Result<Written> Registry::create(const WriteCall& call, DocumentEdit document) {
  TRY(checkNew(call, document->root));
  if (!generatesName(document->root)) return createOnce(call, std::move(document));
  std::string prefix = document->root["metadata"]["generateName"].str();
  prefix.resize(std::min(prefix.size(), kMaxGeneratedPrefix));
  for (int attempt = 1;; ++attempt) {
    auto copy = codec::cloneDocument(document->root);
    std::string name = prefix + randomSuffix();
    setMetadata(copy->root, copy->arena, "name", Value::text(copy->arena, name));
    auto written = createOnce(call, std::move(copy));
    if (written.ok() || !written.failedWith(Reason::AlreadyExists) || attempt == kGenerateNameAttempts) return written;
  }
}

Result<Written> Registry::createOnce(const WriteCall& call, DocumentEdit document) {
  PlanPtr plan = TRY(planCreate(call, std::move(document)));
  std::optional<Written> written = TRY(carryOut(*plan));
  return *std::move(written);
}

void Registry::createThen(const WriteCall& call, DocumentEdit document, Done done) {
  // Names may have to be drawn again: that is for who waits.
  if (generatesName(document->root)) return done(create(call, std::move(document)));
  auto planned = [&]() -> Result<PlanPtr> {
    TRY(checkNew(call, document->root));
    return planCreate(call, std::move(document));
  }();
  if (!planned.ok()) return done(std::move(planned).error());
  carryOutThen(std::move(*planned), [done = std::move(done)](Outcome written) mutable {
    if (!written.ok()) return done(std::move(written).error());
    done(**std::move(written));
  });
}

Result<Registry::PlanPtr> Registry::planCreate(const WriteCall& outer, DocumentEdit document) {
  WriteCall call = outer;
  Arena& arena = document->arena;
  Value& object = document->root;
  const ServedResource& resource = *call.resource;
  Strategy& strategy = strategyOf(resource);
  if (resource.custom) arena.keep(resource.custom);

  TRY(toStorageVersion(object, resource, arena));
  if (!resource.custom) strategy.applyDefaults(object, arena);
  initMetadata(object, arena, resource.info->namespaced ? call.ns : "", clock().now());
  call.name = object["metadata"]["name"].str();

  // What strategies and plug-ins add is nobody's: owners are those of what the client sent.
  if (call.tracked) trackManagedFields(object, nullptr, call, clock().now(), arena);

  AdmissionRequest request = admissionOf(call, Operation::Create, &object, nullptr, arena);
  StrategyContext context{request, *parts_.cluster};
  // The server itself may create objects whole; everybody else's status is wiped by the strategy.
  Value status = call.admit ? Value::null() : object["status"];
  strategy.prepareCreate(context);
  if (!status.isNull()) setOrdered(object, resource.storage->type, arena, "status", status);
  if (strategy.hasGeneration()) setMetadata(object, arena, "generation", Value::integer(1));
  if (call.admit) TRY(mutate(request));
  TRY(normalize(object, resource, arena));
  TRY(validateForCreate(context, strategy));
  if (call.admit) TRY(validateAdmission(request));
  TRY(strategy.allocate(context));
  auto plan = planNew(call, document, strategy);
  if (!plan.ok() || call.dryRun) strategy.release(object);
  return plan;
}

Result<Registry::PlanPtr> Registry::planNew(const WriteCall& call, DocumentEdit document, Strategy& strategy) {
  const ServedResource& resource = *call.resource;
  std::string key = resource.keyOf(call.ns, call.name);
  if (strategy.allocates()) TRY(normalize(document->root, resource, document->arena));
  std::string bytes = TRY(encodeStored(document->root, resource));
  auto plan = std::make_unique<Plan>(Plan{.operation = "create", .resource = call.resource, .name = call.name, .mustBeNew = true});
  plan->document = compacted(*document, resource);
  if (call.dryRun) {
    if (parts_.store->get(key)) return alreadyExists(resource.info->group, resource.info->plural, call.name);
    plan->written = Written{publish(std::move(plan->document), 0, resource), true};
    return plan;
  }
  if (strategy.allocates()) plan->allocated = std::move(document);
  planWrite(*plan, std::move(key), 0, std::move(bytes));
  return plan;
}

}  // namespace skiff::apiserver
