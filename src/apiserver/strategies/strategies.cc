#include "apiserver/strategies/strategies.h"

#include <unordered_map>

#include "base/strings.h"

namespace skiff::apiserver {

namespace {

class StrategyTable final : public Strategies {
 public:
  StrategyTable(const SecurityOptions& options, ClusterReader& cluster, Authorizer& authorizer) {
    AddStrategy add = [this](std::string key, std::unique_ptr<Strategy> strategy) {
      table_[std::move(key)] = std::move(strategy);
    };
    addPodStrategies(add, *options.clock);
    addServiceStrategies(add, options, cluster);
    addWorkloadStrategies(add);
    addJobStrategies(add);
    addConfigStrategies(add);
    addClusterStrategies(add);
    addStorageStrategies(add, *options.clock);
    addNetworkStrategies(add);
    addPolicyStrategies(add);
    addRbacStrategies(add, cluster, authorizer);
    addExtensionStrategies(add);
    addCertificateStrategies(add, *options.clock);
    addDeviceStrategies(add, *options.clock);
  }

  Strategy& of(const api::ResourceInfo& resource) override {
    auto found = table_.find(concat(resource.group, "/", resource.plural));
    return found == table_.end() ? default_ : *found->second;
  }

 private:
  std::unordered_map<std::string, std::unique_ptr<Strategy>> table_;
  StatusStrategy default_;
};

}  // namespace

std::unique_ptr<Strategies> makeStrategies(const SecurityOptions& options, ClusterReader& cluster, Authorizer& authorizer) {
  return std::make_unique<StrategyTable>(options, cluster, authorizer);
}

}  // namespace skiff::apiserver
