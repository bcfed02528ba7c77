#include "apiserver/aggregation/local_api_services.h"

#include <set>

#include "apiserver/aggregation/api_service.h"
#include "apiserver/list.h"
#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

// How APIServices that follow the definitions are told from others; the label and its value are upstream's.
constexpr std::string_view kManagedLabel = "kube-aggregator.kubernetes.io/automanaged";
constexpr std::string_view kManaged = "true";
// Upstream's priorities of every custom group version.
constexpr int kGroupPriority = 1000, kVersionPriority = 100;

struct GroupVersion {
  std::string group, version;
  auto operator<=>(const GroupVersion&) const = default;
};

std::set<GroupVersion> customVersions(const ResourceMap& map) {
  std::set<GroupVersion> out;
  for (const ServedGroup& group : map.groups())
    for (const ServedVersion& version : group.versions)
      for (const ServedPtr& resource : version.resources)
        if (resource->custom) out.insert({version.group, version.version});
  return out;
}

// Of definitions that another server may have made, and that are not served here yet.
std::set<GroupVersion> definedVersions(const Registry& registry) {
  std::set<GroupVersion> out;
  ServedPtr definitions = registry.resources().current()->find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  if (!definitions) return out;
  auto page = listPage(registry, *definitions, "", {});
  if (!page.ok()) return out;
  for (const api::ObjectPtr& definition : page->items) {
    const codec::Value& spec = definition->root()["spec"];
    for (const codec::Value& version : spec["versions"].items())
      if (version["served"].asBool()) out.insert({spec["group"].str(), version["name"].str()});
  }
  return out;
}

std::string apiServiceJson(const GroupVersion& served, std::string_view now) {
  return concat(R"({"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService","metadata":{"name":")", served.version, ".",
                served.group, R"(","labels":{")", kManagedLabel, R"(":")", kManaged, R"("}},"spec":{"group":")", served.group,
                R"(","version":")", served.version, R"(","groupPriorityMinimum":)", kGroupPriority, R"(,"versionPriority":)",
                kVersionPriority,
                R"(},"status":{"conditions":[{"type":"Available","status":"True","reason":"Local","message":)",
                R"("Local APIServices are always available","lastTransitionTime":")", now, R"("}]}})");
}

WriteCall callFor(const ServedPtr& resource, std::string name, std::vector<std::string>& warnings) {
  WriteCall call;
  call.user = &serverUser();
  call.resource = resource;
  call.name = std::move(name);
  call.fieldManager = "kube-apiserver";
  call.admit = false;
  call.warnings = &warnings;
  return call;
}

void create(Registry& registry, const ServedPtr& apiServices, const GroupVersion& served) {
  std::string name = concat(served.version, ".", served.group);
  if (registry.store().get(apiServices->keyOf("", name))) return;
  auto document = std::make_shared<codec::Document>();
  std::string json = apiServiceJson(served, formatRfc3339(registry.clock().now()));
  auto parsed = codec::parseJson(json, document->arena);
  MUST(parsed.ok());
  document->root = *parsed;
  ExpectedKind kind = expectedKind(*apiServices);
  std::vector<std::string> unknown, warnings;
  if (!conformObject(document->root, kind, document->arena, unknown).ok()) return;
  auto created = registry.create(callFor(apiServices, name, warnings), std::move(document));
  if (!created.ok() && !created.failedWith(Reason::AlreadyExists))
    log::warn("Cannot register a custom group version", {{"apiservice", name}, {"err", created.error().message()}});
}

}  // namespace

void syncLocalApiServices(Registry& registry) {
  ResourceMapPtr map = registry.resources().current();
  ServedPtr apiServices = map->find(kApiRegistrationGroup, "v1", kApiServices);
  if (!apiServices) return;
  std::set<GroupVersion> served = customVersions(*map);
  for (const GroupVersion& one : served) create(registry, apiServices, one);
  auto page = listPage(registry, *apiServices, "", {});
  if (!page.ok()) return;
  if (registry.store().shared()) served.merge(definedVersions(registry));
  for (const api::ObjectPtr& object : page->items) {
    if (object->labels()[kManagedLabel].asString() != kManaged) continue;
    const codec::Value& spec = object->root()["spec"];
    if (served.contains({spec["group"].str(), spec["version"].str()})) continue;
    std::vector<std::string> warnings;
    auto removed = registry.remove(callFor(apiServices, std::string(object->name()), warnings), {});
    if (!removed.ok() && !removed.failedWith(Reason::NotFound))
      log::warn("Cannot unregister a custom group version", {{"apiservice", object->name()}, {"err", removed.error().message()}});
  }
}

}  // namespace skiff::apiserver
