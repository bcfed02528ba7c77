#include "controllers/quota_usage.h"

#include "base/strings.h"

namespace skiff::controllers {
namespace {

using api::Quantity;
using Resources = std::map<std::string, Quantity>;
using api::core::v1::ScopedResourceSelectorRequirement;

void takeLarger(Usage& into, const Usage& other) {
  for (const auto& [name, amount] : other) {
    auto [it, fresh] = into.try_emplace(name, amount);
    if (!fresh && it->second < amount) it->second = amount;
  }
}

Usage podResources(const Pod& pod, Resources api::core::v1::ResourceRequirements::*field) {
  Usage running, starting, sidecars;
  for (const auto& container : pod.spec.containers) addUsage(running, container.resources.*field);
  for (const auto& container : pod.spec.initContainers) {
    const Resources& own = container.resources.*field;
    if (container.restartPolicy == std::optional<std::string>("Always")) {
      addUsage(sidecars, own);
      takeLarger(starting, sidecars);
    } else {
      Usage step = own;
      addUsage(step, sidecars);
      takeLarger(starting, step);
    }
  }
  addUsage(running, sidecars);
  takeLarger(running, starting);
  // What is said for the whole pod stands above its containers.
  if (pod.spec.resources)
    for (const auto& [name, amount] : (*pod.spec.resources).*field) running[name] = amount;
  if (!running.empty())
    for (const auto& [name, amount] : pod.spec.overhead)
      if (running.contains(name) || field == &api::core::v1::ResourceRequirements::requests) running[name] += amount;
  return running;
}

bool isNative(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-");
}

bool fitsSelector(const ScopedResourceSelectorRequirement& wanted, const std::string& value) {
  bool listed = std::find(wanted.values.begin(), wanted.values.end(), value) != wanted.values.end();
  if (wanted.operator_ == "In") return listed;
  if (wanted.operator_ == "NotIn") return !listed;
  if (wanted.operator_ == "DoesNotExist") return value.empty();
  return !value.empty();  // Exists
}

bool usesCrossNamespaceAffinity(const Pod& pod) {
  if (!pod.spec.affinity) return false;
  auto crosses = [](const auto& term) { return !term.namespaces.empty() || term.namespaceSelector; };
  auto any = [&](const auto& affinity) {
    if (!affinity) return false;
    for (const auto& term : affinity->requiredDuringSchedulingIgnoredDuringExecution)
      if (crosses(term)) return true;
    for (const auto& term : affinity->preferredDuringSchedulingIgnoredDuringExecution)
      if (crosses(term.podAffinityTerm)) return true;
    return false;
  };
  return any(pod.spec.affinity->podAffinity) || any(pod.spec.affinity->podAntiAffinity);
}

bool podFitsScope(const Pod& pod, const ScopedResourceSelectorRequirement& scope) {
  if (scope.scopeName == "Terminating") return pod.spec.activeDeadlineSeconds.has_value();
  if (scope.scopeName == "NotTerminating") return !pod.spec.activeDeadlineSeconds.has_value();
  if (scope.scopeName == "BestEffort") return qosClassOf(pod) == "BestEffort";
  if (scope.scopeName == "NotBestEffort") return qosClassOf(pod) != "BestEffort";
  if (scope.scopeName == "PriorityClass") return fitsSelector(scope, pod.spec.priorityClassName);
  if (scope.scopeName == "CrossNamespacePodAffinity") return usesCrossNamespaceAffinity(pod);
  return false;
}

std::vector<ScopedResourceSelectorRequirement> scopesOf(const ResourceQuota& quota) {
  std::vector<ScopedResourceSelectorRequirement> out;
  for (const std::string& name : quota.spec.scopes) {
    ScopedResourceSelectorRequirement scope;
    scope.scopeName = name;
    scope.operator_ = "Exists";
    out.push_back(std::move(scope));
  }
  if (quota.spec.scopeSelector)
    for (const auto& scope : quota.spec.scopeSelector->matchExpressions) out.push_back(scope);
  return out;
}

}  // namespace

void addUsage(Usage& total, const Usage& part) {
  for (const auto& [name, amount] : part) {
    auto [it, fresh] = total.try_emplace(name, amount);
    if (!fresh) it->second += amount;
  }
}

std::string qosClassOf(const Pod& pod) {
  if (!pod.status.qosClass.empty()) return pod.status.qosClass;
  bool any = false, guaranteed = !pod.spec.containers.empty();
  auto look = [&](const auto& containers) {
    for (const auto& container : containers)
      for (std::string name : {"cpu", "memory"}) {
        auto request = container.resources.requests.find(name), limit = container.resources.limits.find(name);
        bool hasRequest = request != container.resources.requests.end() && !request->second.isZero();
        bool hasLimit = limit != container.resources.limits.end() && !limit->second.isZero();
        any |= hasRequest || hasLimit;
        if (!hasLimit || (hasRequest && request->second != limit->second)) guaranteed = false;
      }
  };
  look(pod.spec.containers);
  look(pod.spec.initContainers);
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

Usage podRequests(const Pod& pod) { return podResources(pod, &api::core::v1::ResourceRequirements::requests); }
Usage podLimits(const Pod& pod) { return podResources(pod, &api::core::v1::ResourceRequirements::limits); }

Usage usageOf(const Pod& pod, WallTime now) {
  Usage usage{{"count/pods", Quantity::of(1)}};
  if (isTerminal(pod)) return usage;
  if (pod.metadata.deletionTimestamp && pod.metadata.deletionGracePeriodSeconds &&
      now > pod.metadata.deletionTimestamp->value + seconds(*pod.metadata.deletionGracePeriodSeconds))
    return usage;
  usage["pods"] = Quantity::of(1);
  for (const auto& [name, amount] : podRequests(pod)) {
    usage["requests." + name] = amount;
    if (isNative(name)) usage[name] = amount;
  }
  for (const auto& [name, amount] : podLimits(pod))
    if (isNative(name)) usage["limits." + name] = amount;
  return usage;
}

Usage usageOf(const Service& service) {
  Usage usage{{"services", Quantity::of(1)}, {"count/services", Quantity::of(1)}};
  int64_t nodePorts = 0;
  if (service.spec.type == "NodePort") {
    nodePorts = int64_t(service.spec.ports.size());
  } else if (service.spec.type == "LoadBalancer") {
    usage["services.loadbalancers"] = Quantity::of(1);
    if (service.spec.allocateLoadBalancerNodePorts.value_or(true)) nodePorts = int64_t(service.spec.ports.size());
    else
      for (const auto& port : service.spec.ports) nodePorts += port.nodePort != 0;
  }
  usage["services.nodeports"] = Quantity::of(nodePorts);
  return usage;
}

Usage usageOf(const PersistentVolumeClaim& claim) {
  Usage usage{{"persistentvolumeclaims", Quantity::of(1)}, {"count/persistentvolumeclaims", Quantity::of(1)}};
  auto storage = claim.spec.resources.requests.find("storage");
  Quantity amount = storage == claim.spec.resources.requests.end() ? Quantity() : storage->second;
  if (auto resized = claim.status.allocatedResources.find("storage");
      resized != claim.status.allocatedResources.end() && amount < resized->second)
    amount = resized->second;
  usage["requests.storage"] = amount;
  std::string storageClass = claim.spec.storageClassName.value_or("");
  if (!storageClass.empty()) {
    std::string suffix = storageClass + ".storageclass.storage.k8s.io/";
    usage[suffix + "requests.storage"] = amount;
    usage[suffix + "persistentvolumeclaims"] = Quantity::of(1);
  }
  return usage;
}

bool inScope(const ResourceQuota& quota, const Pod& pod) {
  for (const auto& scope : scopesOf(quota))
    if (!podFitsScope(pod, scope)) return false;
  return true;
}

bool inScope(const ResourceQuota& quota, const PersistentVolumeClaim& claim) {
  for (const auto& scope : scopesOf(quota)) {
    if (scope.scopeName != "VolumeAttributesClass") return false;
    if (!fitsSelector(scope, claim.spec.volumeAttributesClassName.value_or(""))) return false;
  }
  return true;
}

bool hasScopes(const ResourceQuota& quota) { return !scopesOf(quota).empty(); }

std::optional<CountedResource> countedResource(std::string_view quotaName) {
  for (std::string_view name : {"configmaps", "secrets", "replicationcontrollers", "resourcequotas"})
    if (quotaName == name) return CountedResource{"", std::string(name)};
  if (!quotaName.starts_with("count/")) return std::nullopt;
  std::string_view rest = quotaName.substr(6);
  if (auto parts = cut(rest, ".")) return CountedResource{std::string(parts->second), std::string(parts->first)};
  return CountedResource{"", std::string(rest)};
}

}  // namespace skiff::controllers
