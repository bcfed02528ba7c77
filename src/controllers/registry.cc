#include "controllers/registry.h"

namespace skiff::controllers {

std::span<const RegistryEntry> registry() {
  static constexpr RegistryEntry kControllers[] = {
      {"namespace-controller", createNamespaceController},
      {"serviceaccount-controller", createServiceAccountController},
      {"root-ca-certificate-publisher-controller", createRootCaPublisher},
      {"garbage-collector-controller", createGarbageCollector},
      {"replicaset-controller", createReplicaSetController},
      {"replicationcontroller-controller", createReplicationController},
      {"deployment-controller", createDeploymentController},
      {"pod-garbage-collector-controller", createPodGarbageCollector},
      {"endpoints-controller", createEndpointsController},
      {"endpointslice-controller", createEndpointSliceController},
      {"endpointslice-mirroring-controller", createEndpointSliceMirroringController},
      {"node-ipam-controller", createNodeIpamController},
      {"node-lifecycle-controller", createNodeLifecycleController},
      {"taint-eviction-controller", createTaintEvictionController},
      {"ttl-after-finished-controller", createTtlAfterFinishedController},
      {"job-controller", createJobController},
      {"cronjob-controller", createCronJobController},
      {"daemonset-controller", createDaemonSetController},
      {"statefulset-controller", createStatefulSetController},
      {"disruption-controller", createDisruptionController},
      {"resourcequota-controller", createResourceQuotaController},
      {"persistentvolumeclaim-protection-controller", createPvcProtectionController},
      {"persistentvolume-protection-controller", createPvProtectionController},
      {"volumeattributesclass-protection-controller", createVolumeAttributesClassProtectionController},
      {"clusterrole-aggregation-controller", createClusterRoleAggregationController},
      {"certificatesigningrequest-approving-controller", createCsrApprovingController},
      {"certificatesigningrequest-signing-controller", createCsrSigningController},
      {"certificatesigningrequest-cleaner-controller", createCsrCleaningController},
      {"podcertificaterequest-cleaner-controller", createPodCertificateCleaner},
      {"persistentvolume-binder-controller", createPersistentVolumeBinder},
      {"ephemeral-volume-controller", createEphemeralVolumeController},
      {"service-cidr-controller", createServiceCidrController},
      {"horizontal-pod-autoscaler-controller", createHorizontalPodAutoscaler},
      {"storage-version-migrator-controller", createStorageVersionMigrator},
      {"validatingadmissionpolicy-status-controller", createPolicyStatusController},
  };
  return kControllers;
}

bool isEnabled(const std::vector<std::string>& enabled, std::string_view name) {
  bool star = false;
  for (const std::string& word : enabled) {
    if (word == name) return true;
    if (word.size() > 1 && word[0] == '-' && std::string_view(word).substr(1) == name) return false;
    if (word == "*") star = true;
  }
  return star;
}

}  // namespace skiff::controllers
