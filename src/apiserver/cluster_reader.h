// What plug-ins, authorizers and strategies read of the cluster: the store's live objects.
#pragma once
#include <atomic>
#include <map>
#include <mutex>

#include "apiserver/registry.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

class StoreReader final : public ClusterReader {
 public:
  StoreReader(const store::Store& store, const Resources& resources) : store_(store), resources_(resources) {}
  // Writes need a registry, which itself is made with this reader.
  void attach(Registry& registry) { registry_ = &registry; }
  void attach(ServiceClaims& claims) { claims_ = &claims; }
  void written(const ServedResource& resource);  // by this server
  void changed(std::string_view key);            // by any server

  codec::DocumentPtr get(std::string_view group, std::string_view resource, std::string_view ns,
                         std::string_view name) const override;
  std::vector<codec::DocumentPtr> list(std::string_view group, std::string_view resource,
                                       std::string_view ns) const override;
  int64_t version(std::string_view group, std::string_view resource) const override;
  Status update(std::string_view group, std::string_view resource, std::string_view subresource,
                codec::DocumentPtr object) override;
  ServiceClaims* serviceClaims() const override { return claims_; }

 private:
  const store::Store& store_;
  const Resources& resources_;
  Registry* registry_ = nullptr;
  ServiceClaims* claims_ = nullptr;
  mutable std::mutex mutex_;  // guards versions_
  // By the store's prefix, of those that were asked for; changes since then.
  mutable std::map<std::string, int64_t, std::less<>> versions_;
};

}  // namespace skiff::apiserver
