// The table of all controllers: their names (as upstream's --controllers knows them) and how each is made.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "controllers/controller.h"

namespace skiff::controllers {

struct RegistryEntry {
  std::string_view name;
  std::unique_ptr<Controller> (*create)(Context&);
};
std::span<const RegistryEntry> registry();

// "*" turns all on, "name" one on, "-name" one off; as upstream, the first mention decides.
bool isEnabled(const std::vector<std::string>& enabled, std::string_view name);

std::unique_ptr<Controller> createNamespaceController(Context&);
std::unique_ptr<Controller> createServiceAccountController(Context&);
std::unique_ptr<Controller> createRootCaPublisher(Context&);
std::unique_ptr<Controller> createGarbageCollector(Context&);
std::unique_ptr<Controller> createReplicaSetController(Context&);
std::unique_ptr<Controller> createReplicationController(Context&);
std::unique_ptr<Controller> createDeploymentController(Context&);
std::unique_ptr<Controller> createPodGarbageCollector(Context&);
std::unique_ptr<Controller> createEndpointsController(Context&);
std::unique_ptr<Controller> createEndpointSliceController(Context&);
std::unique_ptr<Controller> createEndpointSliceMirroringController(Context&);
std::unique_ptr<Controller> createNodeIpamController(Context&);
std::unique_ptr<Controller> createNodeLifecycleController(Context&);
std::unique_ptr<Controller> createTaintEvictionController(Context&);
std::unique_ptr<Controller> createTtlAfterFinishedController(Context&);
std::unique_ptr<Controller> createDaemonSetController(Context&);
std::unique_ptr<Controller> createStatefulSetController(Context&);
std::unique_ptr<Controller> createJobController(Context&);
std::unique_ptr<Controller> createCronJobController(Context&);
std::unique_ptr<Controller> createDisruptionController(Context&);
std::unique_ptr<Controller> createResourceQuotaController(Context&);
std::unique_ptr<Controller> createPvcProtectionController(Context&);
std::unique_ptr<Controller> createPvProtectionController(Context&);
std::unique_ptr<Controller> createVolumeAttributesClassProtectionController(Context&);
std::unique_ptr<Controller> createClusterRoleAggregationController(Context&);
std::unique_ptr<Controller> createCsrApprovingController(Context&);
std::unique_ptr<Controller> createCsrSigningController(Context&);
std::unique_ptr<Controller> createCsrCleaningController(Context&);
std::unique_ptr<Controller> createPodCertificateCleaner(Context&);
std::unique_ptr<Controller> createPersistentVolumeBinder(Context&);
std::unique_ptr<Controller> createEphemeralVolumeController(Context&);
std::unique_ptr<Controller> createServiceCidrController(Context&);
std::unique_ptr<Controller> createHorizontalPodAutoscaler(Context&);
std::unique_ptr<Controller> createStorageVersionMigrator(Context&);
std::unique_ptr<Controller> createPolicyStatusController(Context&);

}  // namespace skiff::controllers
