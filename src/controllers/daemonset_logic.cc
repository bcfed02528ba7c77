#include "controllers/daemonset_logic.h"

#include "base/strings.h"
#include "client/node_selector.h"
#include "controllers/taint_eviction.h"

namespace skiff::controllers {
namespace {

bool hasNodeTerms(const api::core::v1::PodSpec& spec) {
  return spec.affinity && spec.affinity->nodeAffinity &&
         spec.affinity->nodeAffinity->requiredDuringSchedulingIgnoredDuringExecution;
}

}  // namespace

void addDaemonTolerations(api::core::v1::PodSpec& spec) {
  auto add = [&](std::string_view key, std::string_view effect) {
    for (const auto& toleration : spec.tolerations)
      if (toleration.key == key && toleration.effect == effect && toleration.operator_ == "Exists" &&
          !toleration.tolerationSeconds)
        return;
    api::core::v1::Toleration toleration;
    toleration.key = std::string(key);
    toleration.operator_ = "Exists";
    toleration.effect = std::string(effect);
    spec.tolerations.push_back(std::move(toleration));
  };
  add("node.kubernetes.io/not-ready", "NoExecute");
  add("node.kubernetes.io/unreachable", "NoExecute");
  add("node.kubernetes.io/disk-pressure", "NoSchedule");
  add("node.kubernetes.io/memory-pressure", "NoSchedule");
  add("node.kubernetes.io/pid-pressure", "NoSchedule");
  add("node.kubernetes.io/unschedulable", "NoSchedule");
  if (spec.hostNetwork) add("node.kubernetes.io/network-unavailable", "NoSchedule");
}

NodeVerdict judgeNode(const DaemonSet& ds, const Node& node) {
  api::core::v1::PodSpec spec = ds.spec.template_.spec;
  if (!spec.nodeName.empty() && spec.nodeName != node.metadata.name) return {};
  if (!client::matchesNodeAffinity(spec, node)) return {};
  addDaemonTolerations(spec);
  NodeVerdict verdict{true, true};
  for (const Taint& taint : node.spec.taints) {
    if (taint.effect != "NoSchedule" && taint.effect != "NoExecute") continue;
    bool tolerated = std::any_of(spec.tolerations.begin(), spec.tolerations.end(),
                                 [&](const Toleration& toleration) { return tolerates(toleration, taint); });
    if (tolerated) continue;
    verdict.shouldRun = false;
    if (taint.effect == "NoExecute") verdict.shouldContinue = false;
  }
  return verdict;
}

std::string targetNode(const Pod& pod) {
  if (!pod.spec.nodeName.empty()) return pod.spec.nodeName;
  if (!hasNodeTerms(pod.spec)) return {};
  for (const auto& term : pod.spec.affinity->nodeAffinity->requiredDuringSchedulingIgnoredDuringExecution->nodeSelectorTerms)
    for (const auto& field : term.matchFields)
      if (field.key == "metadata.name" && field.operator_ == "In" && field.values.size() == 1) return field.values[0];
  return {};
}

Pod daemonPod(const DaemonSet& ds, const std::string& nodeName, const std::string& hash) {
  Pod pod = podFromTemplate(ds.spec.template_, ds.metadata.namespace_, ds.metadata.name);
  pod.metadata.labels["controller-revision-hash"] = hash;
  pod.metadata.labels["pod-template-generation"] = "1";
  if (auto it = ds.metadata.annotations.find("deprecated.daemonset.template.generation"); it != ds.metadata.annotations.end())
    pod.metadata.labels["pod-template-generation"] = it->second;
  addDaemonTolerations(pod.spec);
  NodeSelectorTerm term;
  api::core::v1::NodeSelectorRequirement byName;
  byName.key = "metadata.name";
  byName.operator_ = "In";
  byName.values = {nodeName};
  term.matchFields.push_back(std::move(byName));
  auto& required = pod.spec.affinity.ensure().nodeAffinity.ensure().requiredDuringSchedulingIgnoredDuringExecution;
  required.emplace().nodeSelectorTerms.push_back(std::move(term));
  return pod;
}

DaemonBudget daemonBudget(const DaemonSet& ds, int desired) {
  DaemonBudget budget;
  api::IntOrString surge = api::IntOrString::of(0), unavailable = api::IntOrString::of(1);
  if (ds.spec.updateStrategy.rollingUpdate) {
    surge = ds.spec.updateStrategy.rollingUpdate->maxSurge.value_or(surge);
    unavailable = ds.spec.updateStrategy.rollingUpdate->maxUnavailable.value_or(unavailable);
  }
  budget.surge = api::scaledValue(surge, desired, true).value_or(0);
  budget.unavailable = api::scaledValue(unavailable, desired, true).value_or(1);
  // Both zero would stand still.
  if (budget.surge == 0 && budget.unavailable == 0) budget.unavailable = 1;
  return budget;
}

}  // namespace skiff::controllers
