// The API server's flags for fairness and evidence, named as upstream's.
#pragma once
#include "apiserver/server.h"
#include "base/flags.h"

namespace skiff::cmd {

void addFairnessFlags(Flags& flags, apiserver::flow::FlowOptions& options);
// `webhookConfig`: the kubeconfig that readAuditWebhook() reads afterwards.
void addAuditFlags(Flags& flags, apiserver::audit::AuditOptions& options, std::string& webhookConfig);
Status readAuditWebhook(const std::string& kubeconfig, apiserver::audit::WebhookTarget& target);

}  // namespace skiff::cmd
