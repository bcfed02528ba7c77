// The strategies by family; each function names those it makes. makeStrategies (strategies.cc) puts them together.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "apiserver/security.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

// add("apps/deployments", strategy)
using AddStrategy = std::function<void(std::string key, std::unique_ptr<Strategy>)>;

void addPodStrategies(const AddStrategy& add, const Clock& clock);
void addServiceStrategies(const AddStrategy& add, const SecurityOptions& options, ClusterReader& cluster);
void addWorkloadStrategies(const AddStrategy& add);
void addJobStrategies(const AddStrategy& add);
void addConfigStrategies(const AddStrategy& add);
void addClusterStrategies(const AddStrategy& add);
void addStorageStrategies(const AddStrategy& add, const Clock& clock);
void addNetworkStrategies(const AddStrategy& add);
void addPolicyStrategies(const AddStrategy& add);
void addRbacStrategies(const AddStrategy& add, ClusterReader& cluster, Authorizer& authorizer);
void addExtensionStrategies(const AddStrategy& add);
void addDeviceStrategies(const AddStrategy& add, const Clock& clock);
void addCertificateStrategies(const AddStrategy& add, const Clock& clock);
std::unique_ptr<Strategy> podCertificateRequestStrategy(const Clock& clock);

// A kind without a status of its own and without generation: config maps, roles, events ...
class PlainStrategy : public Strategy {
 public:
  bool hasGeneration() const override { return false; }
  bool hasStatus() const override { return false; }
};

// Status is the server's: what a creator sent is dropped, unless it is the server itself that makes a new cluster's objects.
inline constexpr std::string_view kServerUser = "system:apiserver";
class StatusStrategy : public Strategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    const UserInfo* user = context.request.user;
    if (user == nullptr || user->name != kServerUser) context.object().erase("status");
  }
};

// Does the request mean the object itself, not a subresource of it?
inline bool isWhole(const StrategyContext& context) { return context.request.subresource.empty(); }

}  // namespace skiff::apiserver
