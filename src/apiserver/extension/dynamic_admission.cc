#include "apiserver/extension/dynamic_admission.h"

#include <algorithm>

#include "apiserver/extension/plugins.h"

namespace skiff::apiserver {

std::vector<std::unique_ptr<AdmissionPlugin>> makeDynamicAdmission(ClusterReader& cluster, Authorizer& authorizer,
                                                                   extension::WebhookMetrics* metrics) {
  std::vector<std::unique_ptr<AdmissionPlugin>> plugins;
  plugins.push_back(extension::mutatingPolicies(cluster, authorizer));
  plugins.push_back(extension::mutatingWebhooks(cluster, authorizer, metrics));
  plugins.push_back(extension::validatingPolicies(cluster, authorizer));
  plugins.push_back(extension::validatingWebhooks(cluster, authorizer, metrics));
  return plugins;
}

std::vector<std::unique_ptr<AdmissionPlugin>> withDynamicAdmission(std::vector<std::unique_ptr<AdmissionPlugin>> plugins,
                                                                   ClusterReader& cluster, Authorizer& authorizer,
                                                                   extension::WebhookMetrics* metrics) {
  auto quota = std::ranges::find(plugins, "ResourceQuota", [](const auto& plugin) { return plugin->name(); });
  for (auto& plugin : makeDynamicAdmission(cluster, authorizer, metrics)) quota = plugins.insert(quota, std::move(plugin)) + 1;
  return plugins;
}

}  // namespace skiff::apiserver
