// The plug-ins of this folder, as dynamic_admission.cc lines them up.
#pragma once
#include <memory>

#include "apiserver/extension/webhook_metrics.h"
#include "apiserver/request.h"

namespace skiff::apiserver::extension {

std::unique_ptr<AdmissionPlugin> mutatingWebhooks(ClusterReader& cluster, Authorizer& authorizer, WebhookMetrics* metrics);
std::unique_ptr<AdmissionPlugin> validatingWebhooks(ClusterReader& cluster, Authorizer& authorizer, WebhookMetrics* metrics);
std::unique_ptr<AdmissionPlugin> mutatingPolicies(ClusterReader& cluster, Authorizer& authorizer);
std::unique_ptr<AdmissionPlugin> validatingPolicies(ClusterReader& cluster, Authorizer& authorizer);

}  // namespace skiff::apiserver::extension
