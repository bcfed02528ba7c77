// How much of a quota's resources an object uses. https://kubernetes.io/docs/concepts/policy/resource-quotas/
#pragma once
#include <map>
#include <string>
#include <vector>

#include "api/quantity.h"
#include "api/schema.h"
#include "codec/value.h"

namespace skiff::apiserver::admission {

using Usage = std::map<std::string, api::Quantity>;

Usage usageOf(const api::ResourceInfo& resource, const codec::Value& object);
// Does the quota's scope take in the object? Only pods are told apart.
bool inScope(const codec::Value& quotaSpec, const api::ResourceInfo& resource, const codec::Value& object);
// "requests.cpu for: a,b": what containers must state, because the quota counts it.
std::vector<std::string> unstated(const codec::Value& hard, const codec::Value& podSpec);

}  // namespace skiff::apiserver::admission
