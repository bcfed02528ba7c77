// What is served: group versions and their resources, built in and custom, and where their objects lie in the store.
// The map is an immutable snapshot; a new CustomResourceDefinition makes a new one.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/schema.h"

namespace skiff::apiserver {

class CustomResource;  // crd.h
struct CustomVersion;
class FieldIndex;
class WarmObjects;

struct ServedResource {
  const api::ResourceInfo* info = nullptr;
  const api::ResourceInfo* storage = nullptr;  // in the version that is stored; `info` itself for most
  std::string prefix;                          // "/registry/pods/"; "" for what is not stored (reviews)
  std::shared_ptr<const CustomResource> custom;  // keeps the tables of a custom resource alive
  const CustomVersion* customVersion = nullptr;  // of `info`; null for built-ins
  std::shared_ptr<WarmObjects> warm;             // one for all resources of a server
  std::shared_ptr<FieldIndex> index;             // null: lists look at every object

  std::string keyOf(std::string_view ns, std::string_view name) const;
  std::string prefixOf(std::string_view ns) const;  // "" : all namespaces
  bool stored() const { return !prefix.empty(); }
  std::string apiVersion() const { return api::apiVersionOf(info->group, info->version); }
};
using ServedPtr = std::shared_ptr<const ServedResource>;

struct ServedVersion {
  std::string group, version;
  int versionPriority = 0;
  std::vector<ServedPtr> resources;
};
struct ServedGroup {
  std::string name;
  int priority = 0;
  bool custom = false;
  std::vector<ServedVersion> versions;  // best first
};

class ResourceMap {
 public:
  ServedPtr find(std::string_view group, std::string_view version, std::string_view plural) const;
  ServedPtr findKind(std::string_view group, std::string_view version, std::string_view kind) const;
  // In the version that is stored (or the best one).
  ServedPtr findAny(std::string_view group, std::string_view plural) const;
  const ServedGroup* group(std::string_view name) const;
  const ServedVersion* version(std::string_view group, std::string_view version) const;
  // Core first, then as discovery lists them.
  const std::vector<ServedGroup>& groups() const { return groups_; }

 private:
  friend class Resources;
  std::vector<ServedGroup> groups_;
};
using ResourceMapPtr = std::shared_ptr<const ResourceMap>;

// The current map. Thread safe.
class Resources {
 public:
  // runtimeConfig: "api/all=true", "resource.k8s.io/v1beta1=true", "apps/v1/deployments=false".
  explicit Resources(const std::vector<std::string>& runtimeConfig);
  ResourceMapPtr current() const;
  // Replaces all custom groups.
  void setCustom(const std::vector<std::shared_ptr<const CustomResource>>& custom);

 private:
  mutable std::mutex mutex_;  // guards current_
  ResourceMapPtr builtin_, current_;
  std::shared_ptr<WarmObjects> warm_;
};

// The store's prefix of a built-in resource, as upstream lays it out.
std::string storagePrefix(std::string_view group, std::string_view plural);

}  // namespace skiff::apiserver
