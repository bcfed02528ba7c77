#include "apiserver/rest.h"

#include "apiserver/audit/record.h"
#include "apiserver/crd.h"
#include "apiserver/fresh_requests.h"
#include "apiserver/list.h"
#include "apiserver/managed_fields.h"
#include "apiserver/node_proxy.h"
#include "apiserver/status.h"
#include "apiserver/table.h"
#include "apiserver/version_convert.h"
#include "apiserver/write_options.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

// Kinds whose deletion answers with the object instead of a Status.
constexpr std::string_view kReturnDeleted[] = {
    "persistentvolumes", "persistentvolumeclaims", "pods",          "podtemplates",      "resourcequotas",
    "serviceaccounts",   "csidrivers",             "csinodes",      "storageclasses",    "volumeattachments",
    "volumeattributesclasses"};

bool returnsDeleted(const ServedResource& resource) {
  return !resource.custom && std::ranges::find(kReturnDeleted, resource.info->plural) != std::end(kReturnDeleted);
}

bool isStream(std::string_view subresource) {
  constexpr std::string_view kStreams[] = {"log", "exec", "attach", "portforward", "proxy"};
  return std::ranges::find(kStreams, subresource) != std::end(kStreams);
}

bool isRead(const RequestInfo& info) { return info.verb == "get" || info.verb == "list" || info.verb == "watch"; }

// A long list would hold up the other connections of its loop, most of all when its objects are cold.
constexpr size_t kLongList = 500;
bool isLongList(const Exchange& exchange, const store::Store& store) {
  const RequestInfo& info = exchange.info;
  if (info.verb != "list" || !exchange.resource->stored()) return false;
  std::string prefix = exchange.resource->prefixOf(exchange.resource->info->namespaced ? std::string_view(info.ns) : "");
  return store.count(prefix, store::prefixEnd(prefix)) > kLongList;
}

// What a writing request does.
enum class Writing { Create, CreateSubresource, Scale, Update, Patch, Remove, RemoveCollection, Unknown };

Writing writingOf(const RequestInfo& info) {
  if (info.verb == "create") return info.subresource.empty() ? Writing::Create : Writing::CreateSubresource;
  if (info.subresource == "scale") return Writing::Scale;
  if (info.verb == "update") return Writing::Update;
  if (info.verb == "patch") return Writing::Patch;
  if (info.verb == "delete") return Writing::Remove;
  return info.verb == "deletecollection" ? Writing::RemoveCollection : Writing::Unknown;
}

// What creates, changes or deletes one object does not.
bool waitsForDisk(Writing writing) {
  return writing == Writing::CreateSubresource || writing == Writing::Scale || writing == Writing::RemoveCollection;
}

// The verb that discovery lists for what the request does.
std::string_view servedVerb(const RequestInfo& info) { return info.verb; }

// Kinds that are deprecated though their version is not.
struct DeprecatedKind {
  std::string_view kind, text;
};
constexpr DeprecatedKind kDeprecated[] = {
    {"ComponentStatus", "v1 ComponentStatus is deprecated in v1.19+"},
    {"Endpoints", "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"},
};

std::string deprecationWarning(const ServedResource& resource) {
  if (resource.custom) return resource.customVersion->deprecated ? resource.customVersion->deprecationWarning : "";
  const api::ResourceInfo& info = *resource.info;
  if (info.group.empty())
    for (const DeprecatedKind& deprecated : kDeprecated)
      if (deprecated.kind == info.kind) return std::string(deprecated.text);
  if (!info.type || info.type->deprecatedIn.empty()) return {};
  std::string text = concat(resource.apiVersion(), ' ', info.kind, " is deprecated in v", info.type->deprecatedIn, "+");
  if (!info.type->removedIn.empty()) text += concat(", unavailable in v", info.type->removedIn, "+");
  if (!info.type->replacement.empty()) text += concat("; use ", info.type->replacement);
  return text;
}

// What of a path and method is served: null when all is well.
std::optional<Error> routeError(const Exchange& exchange) {
  const RequestInfo& info = exchange.info;
  const api::ResourceInfo& resource = *exchange.resource->info;
  bool named = info.parts.size() >= 2;
  if (!resource.namespaced && !info.ns.empty() && resource.plural != "namespaces") return pathNotFound();
  if (resource.namespaced && info.ns.empty() && (named || (!isRead(info) && info.verb != "deletecollection")))
    return named ? pathNotFound() : methodNotAllowed();
  if (!info.subresource.empty()) {
    const api::SubresourceInfo* sub = resource.subresource(info.subresource);
    if (!sub) return pathNotFound();
    if (info.subresource == "proxy" || isStream(info.subresource)) return std::nullopt;
    if (info.parts.size() > 3) return pathNotFound();
    if (std::ranges::find(sub->verbs, info.verb) == sub->verbs.end()) return methodNotAllowed();
    return std::nullopt;
  }
  if (!resource.hasVerb(servedVerb(info))) return methodNotAllowed();
  const std::string& method = exchange.request().method;
  if (method == "POST" && named) return methodNotAllowed();
  if ((method == "PUT" || method == "PATCH") && !named) return methodNotAllowed();
  return std::nullopt;
}

}  // namespace

Result<api::ObjectPtr> inServedVersion(const api::ObjectPtr& stored, const ServedResource& resource) {
  if (resource.storage == resource.info || (resource.custom && resource.storage->version == resource.info->version))
    return stored;
  auto document = codec::cloneDocument(stored->root());
  if (resource.custom) document->arena.keep(resource.custom);
  if (resource.custom) TRY(convertCustom(document->root, *resource.custom, *resource.customVersion, document->arena));
  else TRY(convertObject(document->root, *resource.storage, *resource.info, nullptr, document->arena));
  return api::Object::fromDocument(std::move(document), resource.info->type);
}

void respondObject(Exchange& exchange, int status, const api::ObjectPtr& stored, WallTime now) {
  auto converted = inServedVersion(stored, *exchange.resource);
  if (!converted.ok()) return exchange.fail(converted.error());
  respondServed(exchange, status, *converted, now);
}

void respondServed(Exchange& exchange, int status, const api::ObjectPtr& object, WallTime now) {
  net::Response response;
  response.status = status;
  if (exchange.audit && exchange.out.shape == Shape::Whole) exchange.audit->setResponse(object->root());
  if (exchange.out.format == Format::Object) {
    response.value = object;
    return exchange.respond(std::move(response));
  }
  codec::Arena arena;
  if (exchange.out.shape == Shape::Table) {
    Value table = tableOf(*exchange.resource, {&object, 1}, exchange.query.get("includeObject"),
                          exchange.out.shapeVersion, now, arena);
    Value meta = Value::map();
    if (!object->resourceVersion().empty()) meta.set(arena, "resourceVersion", Value::string(object->resourceVersion()));
    table.set(arena, "metadata", meta);
    return exchange.value(status, table, api::findType("meta/v1", "Table"));
  }
  if (exchange.out.shape == Shape::PartialMetadata)
    return exchange.value(status, partialMetadata(object->root(), exchange.out.shapeVersion, arena),
                          api::findType("meta/v1", "PartialObjectMetadata"));
  response.headers = exchange.headers(contentType(exchange.out.format));
  if (exchange.out.format == Format::Json && !exchange.out.pretty) {
    response.body.push_back(object->json());
    response.body.push_back(SharedBytes::ofStatic("\n"));
  } else if (exchange.out.format == Format::Protobuf) {
    auto bytes = object->protobuf();
    if (!bytes.ok()) return exchange.fail(bytes.error());
    response.body.push_back(std::move(bytes).value());
  } else {
    auto bytes = encodeDocument(object->root(), object->type(), exchange.out.format, exchange.out.pretty);
    if (!bytes.ok()) return exchange.fail(bytes.error());
    response.body.push_back(std::move(bytes).value());
  }
  exchange.respond(std::move(response));
}

Result<DocumentEdit> readBody(Exchange& exchange, const ExpectedKind& expected, FieldValidation validation) {
  if (const InProcessCaller* caller = exchange.caller(); caller && caller->body) {
    auto document = std::make_shared<codec::Document>();
    document->root = caller->body->root().clone(document->arena);
    std::vector<std::string> unknown;
    TRY(conformObject(document->root, expected, document->arena, unknown));
    defaultObject(document->root, expected, document->arena);
    setTypeMeta(document->root, document->arena,
                document->arena.copy(api::apiVersionOf(expected.group, expected.version)),
                document->arena.copy(expected.kind));
    if (exchange.audit) exchange.audit->setRequest(document->root);
    return document;
  }
  Format format = TRY(bodyFormat(exchange.request(), expected.custom ? Protobuf::NotOffered : Protobuf::Offered));
  DocumentEdit document = TRY(decodeBody(exchange.request().body, format, expected, validation, exchange.warnings));
  if (exchange.audit) exchange.audit->setRequest(document->root);
  return document;
}

WriteCall callOf(Exchange& exchange, const std::string& fieldManager, bool dryRun) {
  WriteCall call;
  call.user = &exchange.user;
  call.resource = exchange.resource;
  call.ns = exchange.resource->info->namespaced ? exchange.info.ns : "";
  call.name = exchange.info.parts.size() >= 2 ? exchange.info.parts[1] : "";
  call.subresource = exchange.info.subresource;
  call.dryRun = dryRun;
  call.fieldManager =
      fieldManager.empty() ? defaultFieldManager(exchange.request().headers.get("user-agent")) : fieldManager;
  call.warnings = &exchange.warnings;
  call.traceparent = exchange.request().headers.get("traceparent");
  if (exchange.audit) call.auditAnnotations = &exchange.audit->annotations;
  return call;
}

void Rest::serve(ExchangePtr exchange) {
  const RequestInfo& info = exchange->info;
  ResourceMapPtr map = parts_.registry->resources().current();
  const ServedGroup* group = map->group(info.group);
  if (!group) return exchange->text(404, "404 page not found\n");
  exchange->resource = map->find(info.group, info.version, info.resource);
  if (!exchange->resource) return exchange->fail(pathNotFound());
  if (auto error = routeError(*exchange)) return exchange->fail(*error);
  if (auto warning = deprecationWarning(*exchange->resource); !warning.empty()) {
    exchange->deprecated = true;
    exchange->addWarning(std::move(warning));
  }
  if (isStream(info.subresource)) {
    if (!parts_.fresh->mustWait(*exchange)) return parts_.nodes->serve(std::move(exchange));
    return parts_.fresh->whenFresh(exchange, FreshRequests::Then::HandOn, [this, exchange] { parts_.nodes->serve(exchange); });
  }
  auto negotiated = negotiate(exchange->request(), exchange->query, info.verb,
                              exchange->resource->custom ? Protobuf::OfMetadata : Protobuf::Offered,
                              // A review is no object that a table or metadata could be made of.
                              info.verb == "create" && !exchange->resource->stored() ? Transforms::NotOffered
                                                                                     : Transforms::Offered);
  if (!negotiated.ok()) return exchange->fail(negotiated.error());
  exchange->out = std::move(negotiated).value();
  if (!parts_.fresh->mustWait(*exchange)) return dispatch(std::move(exchange));
  auto then = isRead(info) && info.verb != "watch" ? FreshRequests::Then::Work : FreshRequests::Then::HandOn;
  parts_.fresh->whenFresh(exchange, then, [this, exchange] { dispatch(exchange); });
}

void Rest::dispatch(ExchangePtr exchange) {
  const RequestInfo& info = exchange->info;
  if (!isRead(info)) return write(std::move(exchange));
  // A caller in the process is on a thread that may block; watches see to it themselves.
  bool takesLong = blocksReads(*exchange->resource) || isLongList(*exchange, parts_.registry->store());
  if (info.verb == "watch" || exchange->inProcess() || !takesLong) return read(exchange);
  if (!parts_.converters->submit([this, exchange] { read(exchange); }))
    exchange->fail(tooManyRequests("Too many requests, please try again later.", 1));
}

void Rest::read(const ExchangePtr& exchange) {
  const RequestInfo& info = exchange->info;
  const ServedResource& resource = *exchange->resource;
  if (!info.subresource.empty()) return readSubresource(exchange);
  if (!resource.stored()) return componentStatuses(*exchange);
  if (info.verb == "list") return handleList(exchange, *parts_.registry);
  if (info.verb == "watch") {
    std::string_view onPath = info.parts.size() >= 2 ? std::string_view(info.parts[1]) : "";
    auto options = parseListOptions(exchange->query, resource, ListPurpose::Watch, onPath);
    if (!options.ok()) return exchange->fail(options.error());
    return parts_.watches->start(exchange, std::move(options).value());
  }
  auto object = parts_.registry->get(resource, info.ns, info.parts[1]);
  if (!object.ok()) return exchange->fail(object.error());
  auto version = exchange->query.get("resourceVersion");
  if (!version.empty() && !parseUint(version))
    return exchange->fail(badRequest(concat("resourceVersion: Invalid value: ", quoted(version),
                                            ": strconv.ParseUint: parsing ", quoted(version), ": invalid syntax")));
  respondServed(*exchange, 200, *object, parts_.registry->clock().now());
}

void Rest::readSubresource(const ExchangePtr& exchange) {
  if (exchange->info.subresource == "scale") return getScale(*exchange);
  auto object = parts_.registry->get(*exchange->resource, exchange->info.ns, exchange->info.parts[1]);
  if (!object.ok()) return exchange->fail(object.error());
  respondServed(*exchange, 200, *object, parts_.registry->clock().now());
}

void Rest::write(ExchangePtr exchange) {
  // A caller in the process is on a thread that may block.
  if (exchange->inProcess()) return dispatchWrite(exchange);
  rt::Executor* pool = waitsForDisk(writingOf(exchange->info)) ? parts_.waiters : parts_.writers;
  bool taken = pool->submit([this, exchange] { dispatchWrite(exchange); });
  if (!taken) exchange->fail(tooManyRequests("Too many requests, please try again later.", 1));
}

void Rest::dispatchWrite(const ExchangePtr& exchange) {
  switch (writingOf(exchange->info)) {
    case Writing::Create: return exchange->resource->stored() ? create(exchange) : createVirtual(*exchange);
    case Writing::CreateSubresource: return createSubresource(*exchange);
    case Writing::Scale: return updateScale(*exchange);
    case Writing::Update: return update(exchange);
    case Writing::Patch: return patch(exchange);
    case Writing::Remove: return remove(exchange);
    case Writing::RemoveCollection: return removeCollection(*exchange);
    case Writing::Unknown: return exchange->fail(methodNotAllowed());
  }
}

void Rest::answer(Exchange& exchange, Result<Written> written) {
  if (!written.ok()) return exchange.fail(written.error());
  respondObject(exchange, written->created ? 201 : 200, written->object, parts_.registry->clock().now());
}

void Rest::create(const ExchangePtr& exchange) {
  auto run = [&]() -> Status {
    WriteOptions options = TRY(parseWriteOptions(exchange->query, OptionsKind::Create));
    DocumentEdit body = TRY(readBody(*exchange, expectedKind(*exchange->resource), options.fieldValidation));
    WriteCall call = callOf(*exchange, options.fieldManager, options.dryRun);
    if (exchange->inProcess()) answer(*exchange, parts_.registry->create(call, std::move(body)));
    else parts_.registry->createThen(call, std::move(body), [this, exchange](Result<Written> written) {
      answer(*exchange, std::move(written));
    });
    return okStatus();
  };
  if (Status planned = run(); !planned.ok()) exchange->fail(planned.error());
}

// A caller in the process waits; others are answered when the write is durable.
void Rest::change(const ExchangePtr& exchange, WriteCall call, const UpdateRules& rules, Transform transform) {
  if (exchange->inProcess()) return answer(*exchange, parts_.registry->update(call, rules, transform));
  parts_.registry->updateThen(std::move(call), rules, std::move(transform), [this, exchange](Result<Written> written) {
    answer(*exchange, std::move(written));
  });
}

void Rest::createVirtual(Exchange& exchange) {
  if (exchange.info.resource == "bindings") return bind(exchange, "");
  auto run = [&]() -> Result<DocumentEdit> {
    WriteOptions options = TRY(parseWriteOptions(exchange.query, OptionsKind::Create));
    DocumentEdit body = TRY(readBody(exchange, expectedKind(*exchange.resource), options.fieldValidation));
    WriteCall call = callOf(exchange, options.fieldManager, options.dryRun);
    WallTime now = parts_.registry->clock().now();
    if (exchange.info.resource != "selfsubjectrulesreviews")
      trackManagedFields(body->root, nullptr, call, now, body->arena);
    if (exchange.info.resource == "selfsubjectreviews")
      setMetadata(body->root, body->arena, "creationTimestamp", Value::text(body->arena, formatRfc3339(now)));
    if (exchange.info.resource == "tokenreviews") {
      TRY(reviewToken(body->root, body->arena, *parts_.authenticator));
      return body;
    }
    AdmissionRequest request;
    request.user = &exchange.user;
    request.resource = exchange.resource->info;
    request.ns = exchange.info.ns;
    request.object = &body->root;
    request.arena = &body->arena;
    request.warnings = &exchange.warnings;
    TRY(reviewAccess(body->root, body->arena, request, *parts_.authorizer));
    return body;
  };
  auto reviewed = run();
  if (!reviewed.ok()) return exchange.fail(reviewed.error());
  std::vector<std::string> unknown;
  Status formed = conformObject((*reviewed)->root, expectedKind(*exchange.resource), (*reviewed)->arena, unknown);
  if (!formed.ok()) return exchange.fail(formed.error());
  exchange.value(201, (*reviewed)->root, exchange.resource->info->type);
}

void Rest::createSubresource(Exchange& exchange) {
  const std::string& subresource = exchange.info.subresource;
  if (subresource == "binding") return bind(exchange, exchange.info.parts[1]);
  if (subresource == "eviction") return evict(exchange);
  if (subresource == "token") return requestToken(exchange);
  exchange.fail(methodNotAllowed());
}

void Rest::update(const ExchangePtr& exchange) {
  auto run = [&]() -> Status {
    WriteOptions options = TRY(parseWriteOptions(exchange->query, OptionsKind::Update));
    DocumentEdit body = TRY(readBody(*exchange, expectedKind(*exchange->resource), options.fieldValidation));
    WriteCall call = callOf(*exchange, options.fieldManager, options.dryRun);
    std::string_view name = body->root["metadata"]["name"].asString();
    if (name != call.name && (!name.empty() || call.name.empty()))
      return badRequest(concat("the name of the object (", name, ") does not match the name on the URL (", call.name, ")"));
    if (name.empty())
      return badRequest(concat("name must be provided"));
    UpdateRules rules;
    rules.mayCreate = call.subresource.empty() && !exchange->resource->custom &&
                      parts_.registry->strategyOf(*exchange->resource).allowCreateOnUpdate();
    change(exchange, std::move(call), rules, [body](const Value*, codec::Arena& arena) -> Result<Value> {
      return body->root.clone(arena);
    });
    return okStatus();
  };
  if (Status planned = run(); !planned.ok()) exchange->fail(planned.error());
}

void Rest::patch(const ExchangePtr& exchange) {
  if (exchange->audit) exchange->audit->setRawRequest(exchange->request().body.view());
  auto run = [&]() -> Status {
    bool apply = false;
    WriteCall call = callOf(*exchange, "", false);
    Transform transform = TRY(patchTransform(*exchange, call, expectedKind(*exchange->resource), &apply));
    std::string_view type = exchange->request().headers.get("content-type");
    OptionsKind kind = type.starts_with("application/apply-patch") ? OptionsKind::ApplyPatch : OptionsKind::Patch;
    WriteOptions options = TRY(parseWriteOptions(exchange->query, kind));
    call.dryRun = options.dryRun;
    if (!options.fieldManager.empty()) call.fieldManager = options.fieldManager;
    UpdateRules rules;
    rules.patch = true;
    call.tracked = !apply;
    rules.mayCreate = apply && call.subresource.empty();
    change(exchange, std::move(call), rules, std::move(transform));
    return okStatus();
  };
  if (Status planned = run(); !planned.ok()) exchange->fail(planned.error());
}

void Rest::remove(const ExchangePtr& exchange) {
  if (exchange->audit) exchange->audit->setRawRequest(exchange->request().body.view());
  auto run = [&]() -> Status {
    DeleteOptions options = TRY(parseDeleteOptions(*exchange));
    WriteCall call = callOf(*exchange, "", options.dryRun);
    if (exchange->inProcess()) answerDeleted(*exchange, parts_.registry->remove(call, options.how));
    else parts_.registry->removeThen(std::move(call), std::move(options.how), [this, exchange](Result<Written> deleted) {
      answerDeleted(*exchange, std::move(deleted));
    });
    return okStatus();
  };
  if (Status planned = run(); !planned.ok()) exchange->fail(planned.error());
}

void Rest::answerDeleted(Exchange& exchange, Result<Written> deleted) {
  if (!deleted.ok()) return exchange.fail(deleted.error());
  const ServedResource& resource = *exchange.resource;
  if (!deleted->deleted || returnsDeleted(resource) || exchange.out.format == Format::Object)
    return respondObject(exchange, 200, deleted->object, parts_.registry->clock().now());
  codec::Arena arena;
  exchange.value(200,
                 successStatus(arena, 0, resource.info->group, resource.info->plural, exchange.info.parts[1],
                               deleted->object->uid()),
                 api::findType("meta/v1", "Status"));
}

}  // namespace skiff::apiserver
