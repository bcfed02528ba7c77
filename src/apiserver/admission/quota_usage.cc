#include "apiserver/admission/quota_usage.h"

#include <algorithm>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_qos.h"

namespace skiff::apiserver::admission {

namespace {

using api::Quantity;
using codec::Value;

void addTo(Usage& usage, std::string name, const Quantity& amount) { usage[std::move(name)] += amount; }

// Containers side by side; init containers before them, so only the largest counts.
Usage podAmounts(const Value& spec, std::string_view part) {
  Usage total;
  for (const Value& container : spec["containers"].items()) {
    for (const codec::Member& member : container["resources"][part].members()) {
      total[std::string(member.key)] += quantityOf(member.value);
    }
  }
  for (const Value& container : spec["initContainers"].items()) {
    bool sidecar = container["restartPolicy"].asString() == "Always";
    for (const codec::Member& member : container["resources"][part].members()) {
      Quantity& amount = total[std::string(member.key)];
      Quantity own = quantityOf(member.value);
      if (sidecar) {
        amount += own;
      } else {
        amount = std::max(amount, own);
      }
    }
  }
  if (part == "requests") {
    for (const codec::Member& member : spec["overhead"].members()) {
      total[std::string(member.key)] += quantityOf(member.value);
    }
  }
  return total;
}

bool isTerminal(const Value& pod) { return oneOf(pod["status"]["phase"].asString(), {"Failed", "Succeeded"}); }

void addPod(Usage& usage, const Value& pod) {
  if (isTerminal(pod)) return;
  addTo(usage, "pods", Quantity::of(1));
  for (const auto& [name, amount] : podAmounts(pod["spec"], "requests")) {
    addTo(usage, concat("requests.", name), amount);
    if (oneOf(name, {"cpu", "memory", "ephemeral-storage"})) addTo(usage, name, amount);
  }
  for (const auto& [name, amount] : podAmounts(pod["spec"], "limits")) addTo(usage, concat("limits.", name), amount);
}

void addService(Usage& usage, const Value& spec) {
  addTo(usage, "services", Quantity::of(1));
  std::string_view type = spec["type"].asString();
  bool nodePorts = type == "NodePort" || (type == "LoadBalancer" && (spec["allocateLoadBalancerNodePorts"].isNull() ||
                                                                    spec["allocateLoadBalancerNodePorts"].asBool()));
  if (nodePorts) addTo(usage, "services.nodeports", Quantity::of(int64_t(spec["ports"].size())));
  if (type == "LoadBalancer") addTo(usage, "services.loadbalancers", Quantity::of(1));
}

void addClaim(Usage& usage, const Value& spec) {
  Quantity storage = quantityOf(spec["resources"]["requests"]["storage"]);
  addTo(usage, "persistentvolumeclaims", Quantity::of(1));
  addTo(usage, "requests.storage", storage);
  std::string_view storageClass = spec["storageClassName"].asString();
  if (storageClass.empty()) return;
  addTo(usage, concat(storageClass, ".storageclass.storage.k8s.io/persistentvolumeclaims"), Quantity::of(1));
  addTo(usage, concat(storageClass, ".storageclass.storage.k8s.io/requests.storage"), storage);
}

bool matchesScope(std::string_view scope, const Value& pod) {
  const Value& spec = pod["spec"];
  if (scope == "Terminating") return !spec["activeDeadlineSeconds"].isNull();
  if (scope == "NotTerminating") return spec["activeDeadlineSeconds"].isNull();
  if (scope == "BestEffort") return qosClassOf(spec) == "BestEffort";
  if (scope == "NotBestEffort") return qosClassOf(spec) != "BestEffort";
  if (scope == "PriorityClass") return !spec["priorityClassName"].asString().empty();
  if (scope == "CrossNamespacePodAffinity") {
    for (std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
      for (const Value& term : spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"].items()) {
        if (!term["namespaces"].empty() || !term["namespaceSelector"].isNull()) return true;
      }
    }
  }
  return false;
}

bool matchesExpression(const Value& expression, const Value& pod) {
  std::string_view scope = expression["scopeName"].asString(), op = expression["operator"].asString();
  if (scope != "PriorityClass" || op == "Exists") return matchesScope(scope, pod);
  const Value& own = pod["spec"]["priorityClassName"];
  if (op == "DoesNotExist") return own.asString().empty();
  auto values = expression["values"].items();
  bool listed = std::ranges::find(values, own) != values.end();
  return op == "In" ? listed : !listed;
}

}  // namespace

Usage usageOf(const api::ResourceInfo& resource, const Value& object) {
  Usage usage;
  addTo(usage, resource.group.empty() ? concat("count/", resource.plural) : concat("count/", resource.plural, ".", resource.group),
        Quantity::of(1));
  if (!resource.group.empty()) return usage;
  if (resource.plural == "pods") {
    addPod(usage, object);
  } else if (resource.plural == "services") {
    addService(usage, object["spec"]);
  } else if (resource.plural == "persistentvolumeclaims") {
    addClaim(usage, object["spec"]);
  } else if (oneOf(resource.plural, {"replicationcontrollers", "resourcequotas", "secrets", "configmaps"})) {
    addTo(usage, std::string(resource.plural), Quantity::of(1));
  }
  return usage;
}

bool inScope(const Value& quotaSpec, const api::ResourceInfo& resource, const Value& object) {
  auto scopes = quotaSpec["scopes"].items();
  auto expressions = quotaSpec["scopeSelector"]["matchExpressions"].items();
  if (scopes.empty() && expressions.empty()) return true;
  if (!resource.group.empty() || resource.plural != "pods") return false;
  return std::ranges::all_of(scopes, [&](const Value& scope) { return matchesScope(scope.asString(), object); }) &&
         std::ranges::all_of(expressions, [&](const Value& item) { return matchesExpression(item, object); });
}

std::vector<std::string> unstated(const Value& hard, const Value& podSpec) {
  std::vector<std::string> out;
  for (const codec::Member& member : hard.members()) {
    std::string_view name = member.key, part = "requests", resource = name;
    if (name.starts_with("requests.")) {
      resource = name.substr(9);
    } else if (name.starts_with("limits.")) {
      part = "limits";
      resource = name.substr(7);
    }
    if (!oneOf(resource, {"cpu", "memory"})) continue;
    std::vector<std::string> containers;
    for (std::string_view list : {"containers", "initContainers"}) {
      for (const Value& container : podSpec[list].items()) {
        if (!container["resources"][part].has(resource)) containers.push_back(container["name"].str());
      }
    }
    if (!containers.empty()) out.push_back(concat(name, " for: ", join(containers, ",")));
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace skiff::apiserver::admission
