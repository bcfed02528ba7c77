// makeAdmission: the order is upstream's, and it matters: limits before quota, quota last of all.
#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver {

namespace admission {

Error refused(const AdmissionRequest& request, std::string_view why) {
  std::string_view name = request.name;
  if (name.empty() && request.object != nullptr) name = (*request.object)["metadata"]["name"].asString();
  return forbiddenError(*request.resource, name, why);
}

}  // namespace admission

std::vector<std::unique_ptr<AdmissionPlugin>> makeAdmission(const SecurityOptions&, ClusterReader& cluster,
                                                            Authorizer& authorizer) {
  using namespace admission;
  std::vector<PluginPtr> plugins;
  plugins.push_back(namespaceLifecycle(cluster));
  plugins.push_back(limitRanger(cluster));
  plugins.push_back(serviceAccount(cluster));
  plugins.push_back(nodeRestriction(cluster));
  plugins.push_back(taintNodesByCondition());
  plugins.push_back(podSecurity(cluster));
  plugins.push_back(priority(cluster));
  plugins.push_back(defaultTolerationSeconds());
  plugins.push_back(defaultStorageClass(cluster));
  plugins.push_back(storageObjectInUseProtection());
  plugins.push_back(persistentVolumeClaimResize(cluster));
  plugins.push_back(runtimeClass(cluster));
  plugins.push_back(certificateApproval(authorizer));
  plugins.push_back(certificateSigning(authorizer));
  plugins.push_back(certificateSubjectRestriction());
  plugins.push_back(defaultIngressClass(cluster));
  plugins.push_back(podTopologyLabels(cluster));
  plugins.push_back(nodeDeclaredFeatures(cluster));
  plugins.push_back(resourceQuota(cluster));
  return plugins;
}

}  // namespace skiff::apiserver
