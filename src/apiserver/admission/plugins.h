// The default admission plug-ins, one file each. https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
#pragma once
#include <memory>

#include "apiserver/security.h"

namespace skiff::apiserver::admission {

using PluginPtr = std::unique_ptr<AdmissionPlugin>;

PluginPtr namespaceLifecycle(const ClusterReader& cluster);
PluginPtr limitRanger(const ClusterReader& cluster);
PluginPtr serviceAccount(const ClusterReader& cluster);
PluginPtr nodeRestriction(const ClusterReader& cluster);
PluginPtr taintNodesByCondition();
PluginPtr podSecurity(const ClusterReader& cluster);
PluginPtr priority(const ClusterReader& cluster);
PluginPtr defaultTolerationSeconds();
PluginPtr defaultStorageClass(const ClusterReader& cluster);
PluginPtr storageObjectInUseProtection();
PluginPtr persistentVolumeClaimResize(const ClusterReader& cluster);
PluginPtr runtimeClass(const ClusterReader& cluster);
PluginPtr certificateApproval(Authorizer& authorizer);
PluginPtr certificateSigning(Authorizer& authorizer);
PluginPtr certificateSubjectRestriction();
PluginPtr defaultIngressClass(const ClusterReader& cluster);
PluginPtr podTopologyLabels(const ClusterReader& cluster);
PluginPtr nodeDeclaredFeatures(const ClusterReader& cluster);
PluginPtr resourceQuota(ClusterReader& cluster);

// Is the request about objects of that resource themselves, not a subresource?
inline bool isAbout(const AdmissionRequest& request, std::string_view group, std::string_view resource) {
  return request.subresource.empty() && request.resource->group == group && request.resource->plural == resource;
}
inline bool createsPod(const AdmissionRequest& request) {
  return request.operation == Operation::Create && isAbout(request, "", "pods");
}
// 403 about the request's object.
Error refused(const AdmissionRequest& request, std::string_view why);

}  // namespace skiff::apiserver::admission
