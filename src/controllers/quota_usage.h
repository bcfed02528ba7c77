// What objects use of the resources that a ResourceQuota counts.
// https://kubernetes.io/docs/concepts/policy/resource-quotas/
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "api/quantity.h"
#include "controllers/pod_util.h"
#include "gen/core_v1.h"

namespace skiff::controllers {

using api::core::v1::PersistentVolumeClaim;
using api::core::v1::ResourceQuota;
using api::core::v1::Service;
using Usage = std::map<std::string, api::Quantity>;

void addUsage(Usage& total, const Usage& part);
std::string qosClassOf(const Pod& pod);
// The larger of all containers together and each init container, sidecars beside both, and the overhead.
Usage podRequests(const Pod& pod);
Usage podLimits(const Pod& pod);
// A finished pod counts as an object only; so does one that outlived its grace period.
Usage usageOf(const Pod& pod, WallTime now);
Usage usageOf(const Service& service);
Usage usageOf(const PersistentVolumeClaim& claim);
// All scopes of the quota must fit.
bool inScope(const ResourceQuota& quota, const Pod& pod);
bool inScope(const ResourceQuota& quota, const PersistentVolumeClaim& claim);
bool hasScopes(const ResourceQuota& quota);

// "count/deployments.apps" and the old short names ("configmaps"): which resource's objects are counted.
struct CountedResource {
  std::string group, plural;
};
std::optional<CountedResource> countedResource(std::string_view quotaName);

}  // namespace skiff::controllers
