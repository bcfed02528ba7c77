// Validation of pod specs, for pods and for the templates of workloads.
#pragma once
#include "apiserver/strategies/field.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver {

void validatePodSpec(const Field& spec, FieldErrors& errors);
// metadata.labels, annotations and the spec.
void validatePodTemplate(const Field& podTemplate, FieldErrors& errors);

// By part of a pod spec, one file each.
struct PodParts {
  const codec::Value& spec;
  bool hostNetwork() const { return spec["hostNetwork"].asBool(); }
  bool hasVolume(std::string_view name) const;
  bool isClaimVolume(std::string_view name) const;  // may be a block device
};
enum class ContainerList { Regular, Init, Ephemeral };
void validateContainers(const Field& containers, ContainerList list, const PodParts& pod, FieldErrors& errors);
void validateEphemeralContainers(const Field& containers, const PodParts& pod, FieldErrors& errors);
void validateProbe(const Field& probe, FieldErrors& errors);
enum class ProbeKind { Liveness, Readiness, Startup };
void validateContainerProbe(const Field& probe, ProbeKind kind, FieldErrors& errors);
void validateLifecycle(const Field& lifecycle, FieldErrors& errors);
void validateEnv(const Field& env, FieldErrors& errors);
void validateEnvFrom(const Field& envFrom, FieldErrors& errors);
void validateVolumes(const Field& volumes, FieldErrors& errors);
void validateVolumeMounts(const Field& mounts, const Field& devices, const PodParts& pod, FieldErrors& errors);
// A volume, or a path in the container, is mounted or a device, not both: `field` must not be what `key` says in `others`.
void refuseTaken(const Field& field, const Field& others, std::string_view key, std::string_view why, FieldErrors& errors);
void validateContainerResources(const Field& resources, FieldErrors& errors);
// Requests of the whole pod that are not stated, where any of its resources are.
void setPodLevelRequests(codec::Value& podSpec, codec::Arena& arena);
void validateResourceName(const Field& at, std::string_view name, FieldErrors& errors);
void validateContainerSecurityContext(const Field& context, FieldErrors& errors);
void validatePodSecurityContext(const Field& context, const PodParts& pod, FieldErrors& errors);
void validateAffinity(const Field& affinity, FieldErrors& errors);
void validateNodeSelector(const Field& selector, FieldErrors& errors);
void validateTolerations(const Field& tolerations, FieldErrors& errors);
void validateTopologySpread(const Field& constraints, FieldErrors& errors);

}  // namespace skiff::apiserver
