#include "apiserver/custom_resources.h"

#include <set>

#include "apiserver/crd_strategy.h"
#include "apiserver/list.h"
#include "apiserver/object_meta.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kGroup = "apiextensions.k8s.io", kPlural = "customresourcedefinitions";

bool isDefinition(const ServedResource& resource) {
  return !resource.custom && resource.info->group == kGroup && resource.info->plural == kPlural;
}

bool conditionIs(const Value& object, std::string_view type, std::string_view status) {
  for (const Value& condition : object["status"]["conditions"].items())
    if (condition["type"].asString() == type) return condition["status"].asString() == status;
  return false;
}

void setCondition(Value& object, Arena& arena, std::string_view type, std::string_view status, std::string_view reason,
                  std::string_view message, std::string_view now) {
  Value& conditions = object.child(arena, "status").child(arena, "conditions");
  if (!conditions.isList()) conditions = Value::list();
  Value condition = Value::map();
  condition.set(arena, "type", Value::string(type));
  condition.set(arena, "status", Value::string(status));
  condition.set(arena, "lastTransitionTime", Value::text(arena, now));
  condition.set(arena, "reason", Value::string(reason));
  condition.set(arena, "message", Value::text(arena, message));
  for (Value& item : conditions.items()) {
    if (item["type"].asString() != type) continue;
    if (item["status"].asString() == status) condition.set(arena, "lastTransitionTime", item["lastTransitionTime"]);
    item = condition;
    return;
  }
  conditions.push(arena, condition);
}

store::Revision revisionOf(const api::Object& object) { return parseInt(object.resourceVersion()).value_or(0); }

WriteCall callFor(const Registry& registry, std::string_view name, std::string_view subresource,
                  std::vector<std::string>& warnings) {
  WriteCall call;
  call.user = &serverUser();
  call.resource = registry.resources().current()->find(kGroup, "v1", kPlural);
  call.name = std::string(name);
  call.subresource = std::string(subresource);
  call.fieldManager = "kube-apiserver";  // as upstream: tools know it
  call.admit = false;
  call.warnings = &warnings;
  return call;
}

}  // namespace

Status CustomResources::load() {
  ServedPtr definitions = registry_.resources().current()->find(kGroup, "v1", kPlural);
  if (!definitions) return okStatus();
  ListPage page = TRY(listPage(registry_, *definitions, "", {}));
  for (const api::ObjectPtr& definition : page.items) {
    if (conditionIs(definition->root(), "Established", "True")) serve(definition);
    else accept(definition);
    if (isDeleting(definition->root())) {
      std::string name(definition->name());
      workers_.submit([this, name] { removeInstances(name); });
    }
  }
  return okStatus();
}

void CustomResources::written(const ServedResource& resource, const api::ObjectPtr& object, bool removed) {
  if (resource.custom) {
    if (!removed) return;
    std::string name = resource.custom->name();
    bool terminating = false;
    {
      std::lock_guard lock(mutex_);
      auto found = served_.find(name);
      terminating = found != served_.end() && found->second.terminating;
    }
    if (terminating) finishIfEmpty(name);
    return;
  }
  if (!isDefinition(resource)) return;
  std::string name(object->name());
  if (removed) return drop(*object);
  if (isDeleting(object->root())) {
    bool known = false;
    {
      std::lock_guard lock(mutex_);
      auto found = served_.find(name);
      if (found != served_.end() && found->second.terminating) return;
      known = found != served_.end();
      if (known) found->second.terminating = true;
    }
    // Another server's, of which we hear late: its instances can only be found by its tables.
    if (!known) serve(object);
    if (!workers_.submit([this, name] { removeInstances(name); }))
      log::error("No worker to delete the instances of a custom resource", {{"definition", name}});
    return;
  }
  conditionIs(object->root(), "Established", "True") ? serve(object) : accept(object);
}

// Names that another definition of the group has taken.
std::string CustomResources::conflictOf(const api::Object& definition) {
  const Value& names = definition.root()["spec"]["names"];
  std::string_view group = definition.root()["spec"]["group"].asString();
  std::lock_guard lock(mutex_);
  for (const auto& [name, served] : served_) {
    const CustomResource& other = *served.resource;
    if (name == definition.name() || other.group() != group) continue;
    const api::ResourceInfo& info = other.storageVersion().resource;
    if (info.plural == names["plural"].asString()) return concat(quoted(info.plural), " is already in use");
    if (info.kind == names["kind"].asString()) return concat(quoted(info.kind), " is already in use");
    if (other.listKind() == names["listKind"].asString()) return concat(quoted(other.listKind()), " is already in use");
    for (const Value& shortName : names["shortNames"].items())
      if (std::ranges::find(info.shortNames, shortName.asString()) != info.shortNames.end())
        return concat(quoted(shortName.asString()), " is already in use");
  }
  return {};
}

void CustomResources::accept(const api::ObjectPtr& definition) {
  std::string problem = conflictOf(*definition);
  std::vector<std::string> warnings;
  WriteCall call = callFor(registry_, definition->name(), "status", warnings);
  if (problem.empty()) serve(definition);
  UpdateRules rules;
  rules.patch = true;
  std::string now = formatRfc3339(registry_.clock().now());
  auto updated = registry_.update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
    Value object = live->clone(arena);
    if (problem.empty()) {
      object.child(arena, "status").set(arena, "acceptedNames", object["spec"]["names"].clone(arena));
      setCondition(object, arena, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now);
      setCondition(object, arena, "Established", "True", "InitialNamesAccepted",
                   "the initial names have been accepted", now);
    } else {
      setCondition(object, arena, "NamesAccepted", "False", "PluralConflict", problem, now);
      setCondition(object, arena, "Established", "False", "NotAccepted", "not all names are accepted", now);
    }
    return object;
  });
  if (!updated.ok() && !updated.failedWith(Reason::NotFound))
    log::warn("Cannot set the conditions of a custom resource definition",
              {{"definition", definition->name()}, {"err", updated.error().message()}});
}

void CustomResources::serve(const api::ObjectPtr& definition) {
  {
    std::lock_guard lock(mutex_);
    auto found = served_.find(definition->name());
    if (found != served_.end()) {
      if (found->second.revision > revisionOf(*definition)) return;
      // A change of status or metadata leaves the tables as they are.
      if (found->second.resource->uid() == definition->uid() && found->second.resource->spec() == definition->root()["spec"]) {
        found->second.revision = revisionOf(*definition);
        return;
      }
    }
  }
  auto made = CustomResource::create(definition, makeConverter_(definition));
  if (!made.ok()) {
    log::warn("Cannot serve a custom resource definition",
              {{"definition", definition->name()}, {"err", made.error().message()}});
    return;
  }
  std::lock_guard lock(mutex_);
  Served& served = served_[std::string(definition->name())];
  if (served.revision > revisionOf(*definition)) return;
  served = {std::move(made).value(), isDeleting(definition->root()), revisionOf(*definition)};
  publishLocked();
}

void CustomResources::drop(const api::Object& definition) {
  std::lock_guard lock(mutex_);
  auto found = served_.find(definition.name());
  if (found == served_.end() || found->second.resource->uid() != definition.uid()) return;
  served_.erase(found);
  publishLocked();
}

void CustomResources::publishLocked() {
  std::vector<std::shared_ptr<const CustomResource>> all;
  for (const auto& [name, served] : served_) all.push_back(served.resource);
  registry_.resources().setCustom(all);
}

void CustomResources::removeInstances(const std::string& name) {
  std::shared_ptr<const CustomResource> custom;
  {
    std::lock_guard lock(mutex_);
    if (auto found = served_.find(name); found != served_.end()) custom = found->second.resource;
  }
  if (custom) {
    ServedPtr resource = registry_.resources().current()->findAny(custom->group(), custom->plural());
    if (resource) {
      auto page = listPage(registry_, *resource, "", {});
      if (!page.ok())  // objects that only a conversion webhook can read stay until that answers again
        log::warn("Cannot list the instances of a deleted definition", {{"definition", name}, {"err", page.error().message()}});
      if (page.ok()) {
        std::vector<std::string> warnings;
        for (const api::ObjectPtr& item : page->items) {
          WriteCall call = callFor(registry_, item->name(), "", warnings);
          call.resource = resource;
          call.ns = std::string(item->ns());
          auto removed = registry_.remove(call, {});
          if (!removed.ok() && !removed.failedWith(Reason::NotFound))
            log::warn("Cannot delete a custom resource", {{"name", item->key()}, {"err", removed.error().message()}});
        }
      }
    }
  }
  finishIfEmpty(name);
}

// The last instance is gone: so may the definition.
void CustomResources::finishIfEmpty(const std::string& name) {
  std::string prefix;
  {
    std::lock_guard lock(mutex_);
    auto found = served_.find(name);
    if (found != served_.end())
      prefix = concat("/registry/", found->second.resource->group(), '/', found->second.resource->plural(), '/');
  }
  if (!prefix.empty() && registry_.store().count(prefix, store::prefixEnd(prefix)) > 0) return;
  std::vector<std::string> warnings;
  WriteCall call = callFor(registry_, name, "", warnings);
  UpdateRules rules;
  rules.patch = true;
  auto updated = registry_.update(call, rules, [&](const Value* live, Arena& arena) -> Result<Value> {
    Value object = live->clone(arena);
    Value kept = Value::list();
    for (const Value& finalizer : std::as_const(object)["metadata"]["finalizers"].items())
      if (finalizer.asString() != kDefinitionCleanup) kept.push(arena, finalizer);
    if (kept.empty()) object.find("metadata")->erase("finalizers");
    else setMetadata(object, arena, "finalizers", kept);
    return object;
  });
  if (!updated.ok() && !updated.failedWith(Reason::NotFound))
    log::warn("Cannot finish the deletion of a custom resource definition",
              {{"definition", name}, {"err", updated.error().message()}});
}

}  // namespace skiff::apiserver
