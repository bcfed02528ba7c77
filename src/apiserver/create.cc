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

}  // namespace

Result<Written> Registry::create(const WriteCall& call, DocumentEdit document) {
  Value& object = document->root;
  TRY(checkAddress(call, object));
  if (!object["metadata"]["resourceVersion"].asString().empty())
    return badRequest("resourceVersion should not be set on objects to be created");
  std::string prefix = object["metadata"]["generateName"].str();
  bool generate = object["metadata"]["name"].asString().empty() && !prefix.empty();
  if (!generate) return createOnce(call, std::move(document));
  prefix.resize(std::min(prefix.size(), kMaxGeneratedPrefix));
  for (int attempt = 1;; ++attempt) {
    auto copy = codec::cloneDocument(document->root);
    std::string name = prefix + randomSuffix();
    setMetadata(copy->root, copy->arena, "name", Value::text(copy->arena, name));
    auto written = createOnce(call, std::move(copy));
    if (written.ok() || !written.failedWith(Reason::AlreadyExists) || attempt == kGenerateNameAttempts) return written;
  }
}

Result<Written> Registry::createOnce(const WriteCall& outer, DocumentEdit document) {
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
  auto written = commitNew(call, document, context, strategy);
  if (!written.ok() || call.dryRun) strategy.release(object);
  return written;
}

Result<Written> Registry::commitNew(const WriteCall& call, DocumentEdit document, StrategyContext&, Strategy&) {
  const ServedResource& resource = *call.resource;
  std::string key = resource.keyOf(call.ns, call.name);
  TRY(normalize(document->root, resource, document->arena));
  std::string bytes = TRY(encodeStored(document->root, resource));
  document = compacted(*document, resource);
  if (call.dryRun) {
    if (parts_.store->get(key)) return alreadyExists(resource.info->group, resource.info->plural, call.name);
    return Written{publish(std::move(document), 0, resource), true};
  }
  api::ObjectPtr object;
  store::Write write = writeOf(resource, std::move(key), 0);
  write.value = SharedBytes(std::move(bytes));
  write.attach = attaching(object, document, write.value, resource);
  store::WriteResult result = TRY(commit("create", resource, std::move(write)));
  if (!result.applied) return alreadyExists(resource.info->group, resource.info->plural, call.name);
  announce(resource, object, false);
  return Written{std::move(object), true};
}

}  // namespace skiff::apiserver
