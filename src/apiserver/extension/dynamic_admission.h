// Admission that the cluster's own objects describe: webhooks and policies in the Common Expression Language.
#pragma once
#include <memory>
#include <vector>

#include "apiserver/request.h"

namespace skiff::apiserver {
namespace extension {
class WebhookMetrics;
}

// In upstream's order: mutating policies, mutating webhooks, validating policies, validating webhooks.
std::vector<std::unique_ptr<AdmissionPlugin>> makeDynamicAdmission(ClusterReader& cluster, Authorizer& authorizer,
                                                                   extension::WebhookMetrics* metrics = nullptr);

// The same put into `plugins` where upstream has them: after all that is built in but the quota, which is charged last.
std::vector<std::unique_ptr<AdmissionPlugin>> withDynamicAdmission(std::vector<std::unique_ptr<AdmissionPlugin>> plugins,
                                                                   ClusterReader& cluster, Authorizer& authorizer,
                                                                   extension::WebhookMetrics* metrics);

}  // namespace skiff::apiserver
