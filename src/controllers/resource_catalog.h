// Which resources there are: the built-in ones of the tables and those of CustomResourceDefinitions.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/informer.h"
#include "gen/apiextensions_v1.h"

namespace skiff::controllers {

using api::apiextensions::v1::CustomResourceDefinition;

// The resource that a CRD serves at its storage version; nullopt while it is not established.
std::optional<client::Resource> servedResource(const CustomResourceDefinition& crd);

// Built-in resources with all of these verbs, each once (at its first version); events only in the core group.
std::vector<client::Resource> builtinResources(std::initializer_list<std::string_view> verbs);

class ResourceCatalog {
 public:
  explicit ResourceCatalog(client::Informer<CustomResourceDefinition> crds) : crds_(crds) {}
  // Built-in and custom resources of namespaces that can be listed and deleted.
  std::vector<client::Resource> namespacedDeletable() const;
  // Of an ownerReference.
  std::optional<client::Resource> ofKind(std::string_view apiVersion, std::string_view kind) const;

 private:
  client::Informer<CustomResourceDefinition> crds_;
};

}  // namespace skiff::controllers
