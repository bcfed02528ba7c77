#include "apiserver/extension/dynamic_admission.h"

#include <algorithm>

#include "apiserver/extension/plugins.h"

namespace skiff::apiserver {

std::vector<std::unique_ptr<AdmissionPlugin>> makeDynamicAdmission(ClusterReader& cluster, Authorizer& authorizer) {
  std::vector<std::unique_ptr<AdmissionPlugin>> plugins;
  plugins.push_back(extension::mutatingPolicies(cluster, authorizer));
  plugins.push_back(extension::mutatingWebhooks(cluster, authorizer));
  plugins.push_back(extension::validatingPolicies(cluster, authorizer));
  plugins.push_back(extension::validatingWebhooks(cluster, authorizer));
  return plugins;
}

std::vector<std::unique_ptr<AdmissionPlugin>> withDynamicAdmission(std::vector<std::unique_ptr<AdmissionPlugin>> plugins,
                                                                   ClusterReader& cluster, Authorizer& authorizer) {
  auto quota = std::ranges::find(plugins, "ResourceQuota", [](const auto& plugin) { return plugin->name(); });
  for (auto& plugin : makeDynamicAdmission(cluster, authorizer)) quota = plugins.insert(quota, std::move(plugin)) + 1;
  return plugins;
}

}  // namespace skiff::apiserver
