// Subresources that are no view of the object itself: scale, binding, eviction, token; and componentstatuses.
#include "api/selectors.h"
#include "apiserver/crd.h"
#include "apiserver/list.h"
#include "apiserver/object_meta.h"
#include "apiserver/rest.h"
#include "apiserver/status.h"
#include "apiserver/write_options.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

// Where a resource keeps what its Scale shows.
struct ScalePaths {
  std::string specReplicas = "spec.replicas", statusReplicas = "status.replicas", selector = "spec.selector";
  bool selectorIsText = false;  // custom resources: the path leads to the selector's text
};

ScalePaths scalePaths(const ServedResource& resource) {
  ScalePaths paths;
  if (!resource.custom) return paths;
  auto dotted = [](std::string_view path) { return std::string(path.starts_with('.') ? path.substr(1) : path); };
  paths.specReplicas = dotted(resource.customVersion->specReplicasPath);
  paths.statusReplicas = dotted(resource.customVersion->statusReplicasPath);
  paths.selector = dotted(resource.customVersion->labelSelectorPath);
  paths.selectorIsText = true;
  return paths;
}

const Value& valueAt(const Value& object, std::string_view dotted) {
  const Value* at = &object;
  for (std::string_view part : splitNonEmpty(dotted, '.')) at = &(*at)[part];
  return *at;
}

void setAt(Value& object, Arena& arena, std::string_view dotted, Value value) {
  Value* at = &object;
  auto parts = splitNonEmpty(dotted, '.');
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    at = &at->child(arena, parts[i]);
    if (!at->isMap()) *at = Value::map();
  }
  if (!parts.empty()) at->set(arena, parts.back(), value);
}

std::string selectorText(const Value& object, const ScalePaths& paths) {
  const Value& selector = valueAt(object, paths.selector);
  if (paths.selectorIsText) return selector.str();
  // A plain map (replication controllers) or a LabelSelector.
  if (!selector.has("matchLabels") && !selector.has("matchExpressions")) {
    api::Labels labels;
    for (const codec::Member& member : selector.members()) labels[std::string(member.key)] = member.value.str();
    return labels.empty() ? "" : api::LabelSelector::fromMap(labels).str();
  }
  auto parsed = api::LabelSelector::fromValue(selector);
  return parsed.ok() ? parsed->str() : "";
}

Value scaleOf(const Value& object, const ScalePaths& paths, Arena& arena) {
  Value scale = Value::map();
  scale.set(arena, "kind", Value::string("Scale"));
  scale.set(arena, "apiVersion", Value::string("autoscaling/v1"));
  Value metadata = Value::map();
  for (std::string_view key : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"})
    if (const Value* value = object["metadata"].find(key)) metadata.set(arena, key, *value);
  scale.set(arena, "metadata", metadata);
  Value spec = Value::map();
  if (int64_t replicas = valueAt(object, paths.specReplicas).asInt(); replicas != 0)
    spec.set(arena, "replicas", Value::integer(replicas));
  scale.set(arena, "spec", spec);
  Value status = Value::map();
  status.set(arena, "replicas", Value::integer(valueAt(object, paths.statusReplicas).asInt()));
  if (std::string selector = selectorText(object, paths); !selector.empty())
    status.set(arena, "selector", Value::text(arena, selector));
  scale.set(arena, "status", status);
  return scale;
}

// What an applied Scale says, as a configuration of the object behind it: fields are owned under that object's names.
Value appliedReplicas(const Value& scale, const ServedResource& resource, const ScalePaths& paths, Arena& arena) {
  Value config = Value::map();
  config.set(arena, "apiVersion", Value::text(arena, api::apiVersionOf(resource.info->group, resource.info->version)));
  config.set(arena, "kind", Value::text(arena, resource.info->kind));
  config.set(arena, "metadata", scale["metadata"]);
  if (const Value* replicas = scale["spec"].find("replicas")) setAt(config, arena, paths.specReplicas, *replicas);
  return config;
}

const api::TypeInfo* scaleType() { return api::findKind("autoscaling", "v1", "Scale"); }
ExpectedKind scaleKind() { return {"autoscaling", "v1", "Scale", scaleType(), nullptr}; }

Error invalidScale(std::string_view name, int64_t replicas) {
  ErrorDetails details;
  details.group = "autoscaling";
  details.kind = "Scale";
  details.name = std::string(name);
  std::string message = concat("Invalid value: ", replicas, ": must be greater than or equal to 0");
  details.causes.push_back({"FieldValueInvalid", message, "spec.replicas"});
  return {Reason::Invalid, concat("Scale.autoscaling ", quoted(name), " is invalid: spec.replicas: ", message),
          std::move(details)};
}

Error evictionRefused(std::string_view budget, int64_t needed, int64_t healthy) {
  ErrorDetails details;
  details.causes.push_back({"DisruptionBudget",
                            concat("The disruption budget ", budget, " needs ", needed, " healthy pods and has ", healthy,
                                   " currently"),
                            ""});
  return {Reason::TooManyRequests, "Cannot evict pod as it would violate the pod's disruption budget.",
          std::move(details)};
}

bool isReady(const Value& pod) {
  for (const Value& condition : pod["status"]["conditions"].items())
    if (condition["type"].asString() == "Ready") return condition["status"].asString() == "True";
  return false;
}

// A condition of a pod that this server itself sets, with status True.
struct PodCondition {
  std::string_view type, reason, message;
};
constexpr PodCondition kScheduled{"PodScheduled", "", ""};
constexpr PodCondition kEvicted{"DisruptionTarget", "EvictionByEvictionAPI", "Eviction API: evicting"};

void setCondition(Value& pod, const PodCondition& wanted, std::string_view now, Arena& arena) {
  Value& status = pod.child(arena, "status");
  if (!status.isMap()) status = Value::map();
  Value condition = Value::map();
  condition.set(arena, "type", Value::string(wanted.type));
  condition.set(arena, "status", Value::string("True"));
  condition.set(arena, "lastProbeTime", Value::null());
  condition.set(arena, "lastTransitionTime", Value::text(arena, now));
  if (!wanted.reason.empty()) condition.set(arena, "reason", Value::string(wanted.reason));
  if (!wanted.message.empty()) condition.set(arena, "message", Value::string(wanted.message));
  Value& conditions = status.child(arena, "conditions");
  for (Value& item : conditions.items()) {
    if (item["type"].asString() != wanted.type) continue;
    item = condition;
    return;
  }
  conditions.push(arena, condition);
}

// Pods that budgets do not protect: they are over, were never started, or are leaving already.
bool evictsFreely(const Value& pod) {
  std::string_view phase = pod["status"]["phase"].asString();
  return phase == "Succeeded" || phase == "Failed" || phase == "Pending" || isDeleting(pod);
}

}  // namespace

void Rest::getScale(Exchange& exchange) {
  const ServedResource& resource = *exchange.resource;
  auto object = parts_.registry->get(resource, exchange.info.ns, exchange.info.parts[1]);
  if (!object.ok()) return exchange.fail(object.error());
  Arena arena;
  exchange.value(200, scaleOf((*object)->root(), scalePaths(resource), arena), scaleType());
}

void Rest::updateScale(Exchange& exchange) {
  const ServedResource& resource = *exchange.resource;
  ScalePaths paths = scalePaths(resource);
  bool isPatch = exchange.info.verb == "patch";
  bool apply = isPatch && isApplyPatch(exchange);
  auto run = [&]() -> Result<Written> {
    OptionsKind kind = apply ? OptionsKind::ApplyPatch : isPatch ? OptionsKind::Patch : OptionsKind::Update;
    WriteOptions options = TRY(parseWriteOptions(exchange.query, kind));
    WriteCall call = callOf(exchange, options.fieldManager, options.dryRun);
    DocumentEdit body;
    Transform patchScale;
    if (apply) {
      call.tracked = false;
      patchScale = TRY(applyScaleTransform(exchange, call, scaleKind(), [&](const Value& scale, Arena& arena) {
        return appliedReplicas(scale, resource, paths, arena);
      }));
    } else if (isPatch) {
      // The patch is of the Scale, not of the object behind it.
      patchScale = TRY(patchTransform(exchange, call, scaleKind(), &apply));
    } else {
      body = TRY(readBody(exchange, scaleKind(), options.fieldValidation));
      std::string_view name = body->root["metadata"]["name"].asString();
      if (!name.empty() && name != call.name)
        return badRequest(concat("the name of the object (", name, ") does not match the name on the URL (", call.name, ")"));
    }
    UpdateRules rules;
    rules.patch = true;
    return parts_.registry->update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
      if (apply) {
        Value object = TRY(patchScale(live, arena));
        if (int64_t replicas = valueAt(object, paths.specReplicas).asInt(); replicas < 0) return invalidScale(call.name, replicas);
        return object;
      }
      Value scale = scaleOf(*live, paths, arena);
      if (isPatch) scale = TRY(patchScale(&scale, arena));
      else scale = body->root;
      int64_t replicas = scale["spec"]["replicas"].asInt();
      if (replicas < 0) return invalidScale(call.name, replicas);
      Value object = live->clone(arena);
      setAt(object, arena, paths.specReplicas, Value::integer(replicas));
      // A version given with the scale is the object's.
      std::string_view version = scale["metadata"]["resourceVersion"].asString();
      setMetadata(object, arena, "resourceVersion", Value::text(arena, version));
      return object;
    });
  };
  auto written = run();
  if (!written.ok()) return exchange.fail(written.error());
  auto served = inServedVersion(written->object, resource);
  if (!served.ok()) return exchange.fail(served.error());
  Arena arena;
  exchange.value(200, scaleOf((*served)->root(), paths, arena), scaleType());
}

// POST pods/NAME/binding, or bindings with the pod's name in the object: the scheduler's decision.
void Rest::bind(Exchange& exchange, std::string_view podName) {
  ServedPtr pods = parts_.registry->resources().current()->find("", "v1", "pods");
  auto run = [&]() -> Result<Done> {
    WriteOptions options = TRY(parseWriteOptions(exchange.query, OptionsKind::Create));
    DocumentEdit body =
        TRY(readBody(exchange, {"", "v1", "Binding", api::findKind("", "v1", "Binding"), nullptr}, options.fieldValidation));
    Value& binding = body->root;
    WriteCall call = callOf(exchange, options.fieldManager, options.dryRun);
    call.resource = pods;
    call.ns = exchange.info.ns;
    call.name = podName.empty() ? binding["metadata"]["name"].str() : std::string(podName);
    call.subresource = "binding";
    if (binding["target"]["name"].asString().empty()) return badRequest("target.name: Required value");
    if (std::string_view kind = binding["target"]["kind"].asString(); !kind.empty() && kind != "Node")
      return badRequest("target.kind must be Node");
    TRY(parts_.registry->admit(call, Operation::Create, &binding, nullptr, body->arena));
    std::string node = binding["target"]["name"].str();
    std::string uid = binding["metadata"]["uid"].str(), version = binding["metadata"]["resourceVersion"].str();
    std::string now = formatRfc3339(parts_.registry->clock().now());
    call.admit = call.tracked = false;
    UpdateRules rules;
    rules.patch = true;
    auto bound = parts_.registry->update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
      const Value& pod = *live;
      auto refuse = [&](std::string_view why) { return conflict("", "pods/binding", call.name, why); };
      if (!uid.empty() && uid != pod["metadata"]["uid"].asString())
        return refuse(concat("Precondition failed: UID in precondition: ", uid, ", UID in object meta: ",
                             pod["metadata"]["uid"].asString()));
      if (!version.empty() && version != pod["metadata"]["resourceVersion"].asString())
        return modified("", "pods/binding", call.name);
      if (isDeleting(pod)) return refuse(concat("pod ", call.name, " is being deleted, cannot be assigned to a host"));
      if (std::string_view there = pod["spec"]["nodeName"].asString(); !there.empty())
        return refuse(concat("pod ", call.name, " is already assigned to node ", quoted(there)));
      if (!pod["spec"]["schedulingGates"].empty())
        return refuse(concat("pod ", call.name, " has non-empty .spec.schedulingGates"));
      Value object = pod.clone(arena);
      object.child(arena, "spec").set(arena, "nodeName", Value::text(arena, node));
      for (const codec::Member& annotation : std::as_const(binding)["metadata"]["annotations"].members())
        object.child(arena, "metadata").child(arena, "annotations").set(arena, annotation.key, annotation.value.clone(arena));
      for (const codec::Member& label : std::as_const(binding)["metadata"]["labels"].members())
        object.child(arena, "metadata").child(arena, "labels").set(arena, label.key, label.value.clone(arena));
      setCondition(object, kScheduled, now, arena);
      return object;
    });
    if (!bound.ok()) return std::move(bound).error();
    return Done{};
  };
  auto done = run();
  if (!done.ok()) return exchange.fail(done.error());
  Arena arena;
  exchange.value(201, successStatus(arena, 201, "", "", "", ""), api::findType("meta/v1", "Status"));
}

void Rest::evict(Exchange& exchange) {
  auto run = [&]() -> Result<Done> {
    WriteOptions options = TRY(parseWriteOptions(exchange.query, OptionsKind::Create));
    const api::SubresourceInfo* sub = exchange.resource->info->subresource("eviction");
    DocumentEdit body = TRY(readBody(
        exchange, {sub->group, sub->version, "Eviction", api::findKind("policy", "v1", "Eviction"), nullptr},
        options.fieldValidation));
    const Value& eviction = body->root;
    WriteCall call = callOf(exchange, options.fieldManager, options.dryRun);
    if (std::string_view name = eviction["metadata"]["name"].asString(); !name.empty() && name != call.name)
      return badRequest(concat("name in URL does not match name in Eviction object"));
    TRY(parts_.registry->admit(call, Operation::Create, &body->root, nullptr, body->arena));
    const Value& asked = eviction["deleteOptions"];
    for (const Value& value : asked["dryRun"].items()) call.dryRun |= value.asString() == "All";
    DeleteCall how;
    if (asked["gracePeriodSeconds"].isInt()) how.gracePeriodSeconds = asked["gracePeriodSeconds"].asInt();
    how.uid = asked["preconditions"]["uid"].str();
    how.resourceVersion = asked["preconditions"]["resourceVersion"].str();
    store::RecordPtr record = parts_.registry->store().get(call.resource->keyOf(call.ns, call.name));
    if (!record) return notFound("", "pods", call.name);
    api::ObjectPtr pod = TRY(storedObject(record, *call.resource));
    if (!how.resourceVersion.empty() && how.resourceVersion != pod->resourceVersion())
      return modified("", "pods", call.name);
    if (!evictsFreely(pod->root())) TRY(spendBudget(exchange, *pod, call.dryRun));
    call.subresource = "status";
    call.admit = call.tracked = false;
    UpdateRules rules;
    rules.patch = true;
    std::string now = formatRfc3339(parts_.registry->clock().now());
    auto marked = parts_.registry->update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
      Value object = live->clone(arena);
      setCondition(object, kEvicted, now, arena);
      return object;
    });
    if (!marked.ok()) return std::move(marked).error();
    call.subresource.clear();
    how.resourceVersion.clear();  // was checked with the mark, which changed it
    auto deleted = parts_.registry->remove(call, how);
    if (!deleted.ok()) return std::move(deleted).error();
    return Done{};
  };
  auto done = run();
  if (!done.ok()) return exchange.fail(done.error());
  Arena arena;
  exchange.value(201, successStatus(arena, 201, "", "", "", ""), api::findType("meta/v1", "Status"));
}

// Takes one disruption from the budget that covers the pod, if there is one.
Status Rest::spendBudget(Exchange& exchange, const api::Object& pod, bool dryRun) {
  ServedPtr budgets = parts_.registry->resources().current()->find("policy", "v1", "poddisruptionbudgets");
  ListPage all = TRY(listPage(*parts_.registry, *budgets, pod.ns(), {}));
  std::vector<api::ObjectPtr> covering;
  for (const api::ObjectPtr& budget : all.items) {
    auto selector = api::LabelSelector::fromValue(budget->root()["spec"]["selector"]);
    if (selector.ok() && selector->matches(pod.labels())) covering.push_back(budget);
  }
  if (covering.empty()) return okStatus();
  if (covering.size() > 1)
    return internalError("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
  const api::Object& budget = *covering.front();
  const Value& root = budget.root();
  bool alwaysUnhealthy = root["spec"]["unhealthyPodEvictionPolicy"].asString() == "AlwaysAllow";
  int64_t healthy = root["status"]["currentHealthy"].asInt(), desired = root["status"]["desiredHealthy"].asInt();
  if (!isReady(pod.root()) && (alwaysUnhealthy || (healthy >= desired && desired > 0))) return okStatus();

  WriteCall call;
  call.user = &exchange.user;
  call.resource = budgets;
  call.ns = std::string(budget.ns());
  call.name = std::string(budget.name());
  call.subresource = "status";
  call.dryRun = dryRun;
  call.tracked = false;
  call.admit = false;
  call.warnings = &exchange.warnings;
  UpdateRules rules;
  rules.patch = true;
  std::string now = formatRfc3339(parts_.registry->clock().now());
  auto updated = parts_.registry->update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
    const Value& status = (*live)["status"];
    if (status["observedGeneration"].asInt() < (*live)["metadata"]["generation"].asInt()) {
      ErrorDetails details;
      details.causes.push_back({"DisruptionBudget", concat("The disruption budget ", budget.name(), " is still being processed by the server."), ""});
      details.retryAfterSeconds = 10;
      return Error(Reason::TooManyRequests, "Cannot evict pod as it would violate the pod's disruption budget.", std::move(details));
    }
    int64_t allowed = status["disruptionsAllowed"].asInt();
    if (allowed <= 0) return evictionRefused(budget.name(), status["desiredHealthy"].asInt(), status["currentHealthy"].asInt());
    Value object = live->clone(arena);
    Value& edited = object.child(arena, "status");
    edited.set(arena, "disruptionsAllowed", Value::integer(allowed - 1));
    Value& disrupted = edited.child(arena, "disruptedPods");
    if (!disrupted.isMap()) disrupted = Value::map();
    disrupted.set(arena, pod.name(), Value::text(arena, now));
    return object;
  });
  if (!updated.ok()) return std::move(updated).error();
  return okStatus();
}

void Rest::requestToken(Exchange& exchange) {
  auto run = [&]() -> Result<DocumentEdit> {
    WriteOptions options = TRY(parseWriteOptions(exchange.query, OptionsKind::Create));
    ExpectedKind kind{"authentication.k8s.io", "v1", "TokenRequest",
                      api::findKind("authentication.k8s.io", "v1", "TokenRequest"), nullptr};
    DocumentEdit body = TRY(readBody(exchange, kind, options.fieldValidation));
    WriteCall call = callOf(exchange, options.fieldManager, options.dryRun);
    if (auto account = parts_.registry->get(*call.resource, call.ns, call.name); !account.ok())
      return std::move(account).error();
    TRY(parts_.registry->admit(call, Operation::Create, &body->root, nullptr, body->arena));
    AdmissionRequest request;
    request.user = &exchange.user;
    request.resource = call.resource->info;
    request.subresource = call.subresource;
    request.ns = call.ns;
    request.name = call.name;
    request.object = &body->root;
    request.dryRun = call.dryRun;
    request.arena = &body->arena;
    request.warnings = &exchange.warnings;
    TRY(issueToken(body->root, body->arena, request, *parts_.security, *parts_.cluster));
    std::vector<std::string> unknown;
    TRY(conformObject(body->root, kind, body->arena, unknown));
    return body;
  };
  auto issued = run();
  if (!issued.ok()) return exchange.fail(issued.error());
  exchange.value(201, (*issued)->root, api::findKind("authentication.k8s.io", "v1", "TokenRequest"));
}

// A view of the server's own parts; upstream asks etcd and two health ports.
void Rest::componentStatuses(Exchange& exchange) {
  auto document = std::make_shared<codec::Document>();
  Arena& arena = document->arena;
  Value& object = document->root;
  setTypeMeta(object, arena, "v1", "ComponentStatus");
  setMetadata(object, arena, "name", Value::string("etcd-0"));
  Value condition = Value::map();
  condition.set(arena, "type", Value::string("Healthy"));
  condition.set(arena, "status", Value::string("True"));
  condition.set(arena, "message", Value::string("ok"));
  Value conditions = Value::list();
  conditions.push(arena, condition);
  object.set(arena, "conditions", conditions);
  auto status = api::Object::fromDocument(std::move(document), exchange.resource->info->type);
  WallTime now = parts_.registry->clock().now();
  if (exchange.info.verb == "get") {
    if (exchange.info.parts[1] != status->name())
      return exchange.fail(notFound("", "componentstatuses", exchange.info.parts[1]));
    return respondObject(exchange, 200, status, now);
  }
  auto options = parseListOptions(exchange.query, *exchange.resource, ListPurpose::List);
  if (!options.ok()) return exchange.fail(options.error());
  ListPage page;
  if (options->matches(*status)) page.items.push_back(status);
  respondList(exchange, std::move(page), now);
}

}  // namespace skiff::apiserver
