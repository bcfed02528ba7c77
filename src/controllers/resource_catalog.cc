#include "controllers/resource_catalog.h"

#include "api/schema.h"
#include "base/strings.h"
#include "controllers/pod_util.h"

namespace skiff::controllers {

std::optional<client::Resource> servedResource(const CustomResourceDefinition& crd) {
  if (!conditionIs(crd.status.conditions, "Established", "True")) return std::nullopt;
  const api::apiextensions::v1::CustomResourceDefinitionVersion* served = nullptr;
  for (const auto& version : crd.spec.versions)
    if (version.served && (served == nullptr || version.storage)) served = &version;
  if (served == nullptr) return std::nullopt;
  return client::Resource{crd.spec.group, served->name, crd.spec.names.plural, crd.spec.scope == "Namespaced"};
}

std::vector<client::Resource> builtinResources(std::initializer_list<std::string_view> verbs) {
  std::vector<client::Resource> out;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const api::GroupVersionInfo& gv : api::builtinGroupVersions())
    for (const api::ResourceInfo& resource : gv.resources) {
      if (!resource.onByDefault || gv.group == "events.k8s.io") continue;
      bool all = std::all_of(verbs.begin(), verbs.end(), [&](auto verb) { return resource.hasVerb(verb); });
      if (!all || !seen.emplace(gv.group, resource.plural).second) continue;
      out.push_back({std::string(gv.group), std::string(gv.version), std::string(resource.plural), resource.namespaced});
    }
  return out;
}

std::vector<client::Resource> ResourceCatalog::namespacedDeletable() const {
  auto out = builtinResources({"list", "delete"});
  std::erase_if(out, [](const auto& resource) { return !resource.namespaced; });
  for (const auto& crd : crds_.list())
    if (auto resource = servedResource(*crd); resource && resource->namespaced) out.push_back(std::move(*resource));
  return out;
}

std::optional<client::Resource> ResourceCatalog::ofKind(std::string_view apiVersion, std::string_view kind) const {
  auto parts = cut(apiVersion, "/");
  std::string_view group = parts ? parts->first : std::string_view();
  std::string_view version = parts ? parts->second : apiVersion;
  if (const api::ResourceInfo* info = api::findResourceByKind(group, version, kind))
    return client::Resource{std::string(group), std::string(version), std::string(info->plural), info->namespaced};
  for (const auto& crd : crds_.list()) {
    if (crd->spec.group != group || crd->spec.names.kind != kind) continue;
    for (const auto& served : crd->spec.versions)
      if (served.served && served.name == version)
        return client::Resource{crd->spec.group, served.name, crd->spec.names.plural, crd->spec.scope == "Namespaced"};
  }
  return std::nullopt;
}

}  // namespace skiff::controllers
