#include "apiserver/resource_map.h"

#include <algorithm>
#include <map>

#include "apiserver/crd.h"
#include "apiserver/field_index.h"
#include "apiserver/warm_objects.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using api::ResourceInfo;

// Priorities of every custom group version, as the CRD registration controller gives them.
constexpr int kCustomGroupPriority = 1000;
constexpr int kCustomVersionPriority = 100;

struct NamedPrefix {
  std::string_view plural, prefix;
};
// Resources whose place in etcd is older than their name.
constexpr NamedPrefix kOldPrefixes[] = {
    {"endpoints", "services/endpoints"}, {"services", "services/specs"}, {"nodes", "minions"},
    {"replicationcontrollers", "controllers"}, {"ingresses", "ingress"},
};

struct Setting {
  std::string what;
  bool on;
};

std::vector<Setting> parseRuntimeConfig(const std::vector<std::string>& config) {
  std::vector<Setting> out;
  for (const std::string& entry : config) {
    for (std::string_view part : splitNonEmpty(entry, ',')) {
      auto pair = cut(part, "=");
      std::string_view value = pair ? trim(pair->second) : "true";
      out.push_back({std::string(trim(pair ? pair->first : part)), value != "false"});
    }
  }
  return out;
}

// The most exact setting wins: resource, group version, "api/all" and its kin.
bool isOn(const ResourceInfo& info, const std::vector<Setting>& settings) {
  std::string version = info.group.empty() ? "api/" + std::string(info.version)
                                           : api::apiVersionOf(info.group, info.version);
  std::string resource = concat(version, '/', info.plural);
  std::string level = info.version.find("alpha") != std::string_view::npos  ? "api/alpha"
                      : info.version.find("beta") != std::string_view::npos ? "api/beta"
                                                                             : "api/ga";
  std::string order[] = {resource, version, level, "api/all"};
  for (const std::string& what : order)
    for (const Setting& setting : settings)
      if (setting.what == what) return setting.on;
  return info.onByDefault;
}

const ResourceInfo* storageOf(const ResourceInfo& info) {
  if (info.storageVersion.empty()) return &info;
  const ResourceInfo* storage = api::findResource(info.storageGroup, info.storageVersion, info.plural);
  return storage ? storage : &info;
}

bool keepsObjects(const ResourceInfo& info) {
  return info.hasVerb("get") && info.hasVerb("create");
}

ServedPtr serveBuiltin(const ResourceInfo& info, std::shared_ptr<WarmObjects> warm) {
  auto served = std::make_shared<ServedResource>();
  served->warm = std::move(warm);
  served->index = fieldIndexOf(info);
  served->info = &info;
  served->storage = storageOf(info);
  if (keepsObjects(info)) served->prefix = storagePrefix(served->storage->group, info.plural);
  return served;
}

}  // namespace

std::string storagePrefix(std::string_view group, std::string_view plural) {
  for (const NamedPrefix& old : kOldPrefixes)
    if (old.plural == plural && (group.empty() || plural == "ingresses")) return concat("/registry/", old.prefix, '/');
  // These two live in servers of their own upstream, which keep the group in the key.
  if (group == "apiextensions.k8s.io" || group == "apiregistration.k8s.io")
    return concat("/registry/", group, '/', plural, '/');
  return concat("/registry/", plural, '/');
}

std::string ServedResource::keyOf(std::string_view ns, std::string_view name) const {
  return info->namespaced ? concat(prefix, ns, '/', name) : concat(prefix, name);
}

std::string ServedResource::prefixOf(std::string_view ns) const {
  return info->namespaced && !ns.empty() ? concat(prefix, ns, '/') : prefix;
}

ServedPtr ResourceMap::find(std::string_view group, std::string_view version, std::string_view plural) const {
  const ServedVersion* found = this->version(group, version);
  if (!found) return nullptr;
  for (const ServedPtr& resource : found->resources)
    if (resource->info->plural == plural) return resource;
  return nullptr;
}

ServedPtr ResourceMap::findKind(std::string_view group, std::string_view version, std::string_view kind) const {
  const ServedVersion* found = this->version(group, version);
  if (!found) return nullptr;
  for (const ServedPtr& resource : found->resources)
    if (resource->info->kind == kind) return resource;
  return nullptr;
}

ServedPtr ResourceMap::findAny(std::string_view group, std::string_view plural) const {
  const ServedGroup* found = this->group(group);
  if (!found) return nullptr;
  ServedPtr any;
  for (const ServedVersion& version : found->versions) {
    for (const ServedPtr& resource : version.resources) {
      if (resource->info->plural != plural) continue;
      if (resource->storage == resource->info) return resource;
      if (!any) any = resource;
    }
  }
  return any;
}

const ServedGroup* ResourceMap::group(std::string_view name) const {
  for (const ServedGroup& group : groups_)
    if (group.name == name) return &group;
  return nullptr;
}

const ServedVersion* ResourceMap::version(std::string_view group, std::string_view version) const {
  const ServedGroup* found = this->group(group);
  if (!found) return nullptr;
  for (const ServedVersion& served : found->versions)
    if (served.version == version) return &served;
  return nullptr;
}

Resources::Resources(const std::vector<std::string>& runtimeConfig) : warm_(std::make_shared<WarmObjects>()) {
  std::vector<Setting> settings = parseRuntimeConfig(runtimeConfig);
  auto map = std::make_shared<ResourceMap>();
  for (const api::GroupVersionInfo& info : api::builtinGroupVersions()) {
    ServedVersion version{std::string(info.group), std::string(info.version), info.versionPriority, {}};
    for (const ResourceInfo& resource : info.resources)
      if (isOn(resource, settings)) version.resources.push_back(serveBuiltin(resource, warm_));
    if (version.resources.empty()) continue;
    auto group = std::ranges::find(map->groups_, info.group, &ServedGroup::name);
    if (group == map->groups_.end()) {
      map->groups_.push_back({std::string(info.group), info.groupPriority, false, {}});
      group = map->groups_.end() - 1;
    }
    group->versions.push_back(std::move(version));
  }
  builtin_ = current_ = map;
}

ResourceMapPtr Resources::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

void Resources::setCustom(const std::vector<std::shared_ptr<const CustomResource>>& custom) {
  auto map = std::make_shared<ResourceMap>(*builtin_);
  std::map<std::string, ServedGroup> groups;  // custom ones, by name
  for (const auto& definition : custom) {
    for (const CustomVersion& customVersion : definition->versions()) {
      if (!customVersion.served) continue;
      auto resource = std::make_shared<ServedResource>();
      resource->info = &customVersion.resource;
      resource->storage = &definition->storageVersion().resource;
      resource->prefix = concat("/registry/", definition->group(), '/', definition->plural(), '/');
      resource->custom = definition;
      resource->customVersion = &customVersion;
      resource->warm = warm_;
      // A custom resource may also join a built-in group (with approval).
      auto builtin = std::ranges::find(map->groups_, definition->group(), &ServedGroup::name);
      ServedGroup& group = builtin != map->groups_.end() ? *builtin : groups[definition->group()];
      if (group.name.empty()) {
        group.name = definition->group();
        group.priority = kCustomGroupPriority;
        group.custom = true;
      }
      auto version = std::ranges::find(group.versions, customVersion.name, &ServedVersion::version);
      if (version == group.versions.end()) {
        group.versions.push_back({group.name, customVersion.name, kCustomVersionPriority, {}});
        version = group.versions.end() - 1;
      }
      version->resources.push_back(std::move(resource));
    }
  }
  for (auto& [name, group] : groups) {
    std::ranges::stable_sort(group.versions, [](const ServedVersion& a, const ServedVersion& b) {
      return compareVersions(a.version, b.version) > 0;
    });
    for (ServedVersion& version : group.versions)
      std::ranges::sort(version.resources, {}, [](const ServedPtr& r) { return r->info->plural; });
    map->groups_.push_back(std::move(group));
  }
  std::lock_guard lock(mutex_);
  current_ = std::move(map);
}

}  // namespace skiff::apiserver
