#include "apiserver/flow_schema_status.h"

#include "apiserver/list.h"
#include "apiserver/managed_fields.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kGroup = "flowcontrol.apiserver.k8s.io", kSchemas = "flowschemas",
                           kLevels = "prioritylevelconfigurations", kCondition = "Dangling";

ServedPtr served(const Registry& registry, std::string_view plural) {
  return registry.resources().current()->find(kGroup, "v1", plural);
}

std::string_view levelOf(const Value& schema) { return schema["spec"]["priorityLevelConfiguration"]["name"].asString(); }

std::string_view dangling(const Value& schema) {
  for (const Value& condition : schema["status"]["conditions"].items())
    if (condition["type"].asString() == kCondition) return condition["status"].asString();
  return {};
}

std::string_view wanted(bool found) { return found ? "False" : "True"; }

// What is applied: the one condition.
Value configOf(const Value& schema, bool found, std::string_view now, Arena& arena) {
  std::string_view level = levelOf(schema);
  std::string message = concat("This FlowSchema references the PriorityLevelConfiguration object named ", quoted(level),
                               found ? " and it exists" : " but there is no such object");
  Value condition = Value::map();
  condition.set(arena, "type", Value::string(kCondition));
  condition.set(arena, "status", Value::string(wanted(found)));
  condition.set(arena, "lastTransitionTime", Value::text(arena, now));
  condition.set(arena, "reason", Value::string(found ? "Found" : "NotFound"));
  condition.set(arena, "message", Value::text(arena, message));
  Value config = Value::map();
  config.set(arena, "kind", schema["kind"]);
  config.set(arena, "apiVersion", schema["apiVersion"]);
  config.child(arena, "metadata").set(arena, "name", schema["metadata"]["name"]);
  config.child(arena, "status").child(arena, "conditions").push(arena, condition);
  return config;
}

}  // namespace

bool FlowSchemaStatus::hasLevel(std::string_view name) const {
  ServedPtr levels = served(registry_, kLevels);
  return levels && registry_.store().get(levels->keyOf("", name)) != nullptr;
}

Status FlowSchemaStatus::load() {
  loaded_ = true;
  return checkAll("");
}

Status FlowSchemaStatus::checkAll(std::string_view level) {
  ServedPtr schemas = served(registry_, kSchemas);
  if (!schemas) return okStatus();
  ListPage page = TRY(listPage(registry_, *schemas, "", {}));
  for (const api::ObjectPtr& schema : page.items)
    if (level.empty() || levelOf(schema->root()) == level) written(*schemas, schema, false);
  return okStatus();
}

void FlowSchemaStatus::written(const ServedResource& resource, const api::ObjectPtr& object, bool removed) {
  if (!loaded_ || resource.custom || resource.info->group != kGroup) return;
  std::string name(object->name());
  if (resource.info->plural == kLevels) {
    workers_.submit([this, name] {
      if (Status checked = checkAll(name); !checked.ok())
        log::warn("Cannot list flow schemas", {{"err", checked.error().message()}});
    });
    return;
  }
  if (resource.info->plural != kSchemas || removed) return;
  if (dangling(object->root()) == wanted(hasLevel(levelOf(object->root())))) return;
  workers_.submit([this, name] { check(name); });
}

void FlowSchemaStatus::check(const std::string& name) {
  std::vector<std::string> warnings;
  WriteCall call;
  call.user = &serverUser();
  call.resource = served(registry_, kSchemas);
  call.name = name;
  call.subresource = "status";
  call.admit = false;
  call.tracked = false;
  call.warnings = &warnings;
  UpdateRules rules;
  rules.patch = true;
  WallTime now = registry_.clock().now();
  ApplyCall how{"api-priority-and-fairness-config-consumer-v1", true, "status"};  // as upstream: tools know it
  auto updated = registry_.update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
    bool found = hasLevel(levelOf(*live));
    if (dangling(*live) == wanted(found)) return live->clone(arena);
    return applyManaged(live, configOf(*live, found, formatRfc3339(now), arena), *call.resource, how, now, arena);
  });
  if (!updated.ok() && !updated.failedWith(Reason::NotFound))
    log::warn("Cannot set the condition of a flow schema", {{"name", name}, {"err", updated.error().message()}});
}

}  // namespace skiff::apiserver
