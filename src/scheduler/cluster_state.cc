#include "scheduler/cluster_state.h"

#include <algorithm>

#include "base/strings.h"
#include "gen/meta_v1.h"

namespace skiff::scheduler {
namespace {

using api::core::v1::Pod;
using api::core::v1::PodAffinityTerm;

// matchLabelKeys narrow the selector to pods that share the incoming pod's values.
api::LabelSelector termSelector(const PodAffinityTerm& term, const Pod& pod) {
  if (!term.labelSelector) return api::LabelSelector::nothing();
  auto wanted = *term.labelSelector;
  auto narrow = [&](const std::vector<std::string>& keys, const char* op) {
    for (const auto& key : keys) {
      auto it = pod.metadata.labels.find(key);
      if (it == pod.metadata.labels.end()) continue;
      auto& expression = wanted.matchExpressions.emplace_back();
      expression.key = key;
      expression.operator_ = op;
      expression.values = {it->second};
    }
  };
  narrow(term.matchLabelKeys, "In");
  narrow(term.mismatchLabelKeys, "NotIn");
  auto made = api::LabelSelector::fromTyped(wanted);
  return made.ok() ? *made : api::LabelSelector::nothing();
}

AffinityTerm compile(const PodAffinityTerm& term, const Pod& pod, int32_t weight) {
  AffinityTerm out{termSelector(term, pod), {term.namespaces.begin(), term.namespaces.end()}, std::nullopt,
                   term.topologyKey, weight};
  if (term.namespaceSelector) {
    auto made = api::LabelSelector::fromTyped(*term.namespaceSelector);
    out.namespaceSelector = made.ok() ? *made : api::LabelSelector::nothing();
  } else if (out.namespaces.empty()) {
    out.namespaces.insert(pod.metadata.namespace_);
  }
  return out;
}

std::vector<HostPort> hostPortsOf(const Pod& pod) {
  std::vector<HostPort> ports;
  auto collect = [&](const auto& containers, bool sidecarsOnly) {
    for (const auto& container : containers) {
      if (sidecarsOnly && container.restartPolicy != "Always") continue;
      for (const auto& port : container.ports)
        if (port.hostPort > 0)
          ports.push_back({port.hostIP.empty() ? "0.0.0.0" : port.hostIP,
                           port.protocol.empty() ? "TCP" : port.protocol, port.hostPort});
    }
  };
  collect(pod.spec.containers, false);
  collect(pod.spec.initContainers, true);
  return ports;
}

bool hasAffinity(const PodInfo& pod) { return !pod.affinity.empty() || !pod.preferred.empty(); }

}  // namespace

bool HostPort::conflictsWith(const HostPort& other) const {
  return port == other.port && protocol == other.protocol &&
         (ip == other.ip || ip == "0.0.0.0" || other.ip == "0.0.0.0");
}

PodInfo::PodInfo(PodPtr p)
    : pod(std::move(p)),
      key(concat(pod->metadata.namespace_, "/", pod->metadata.name)),
      requests(requestsOf(*pod)),
      scored(scoredRequestsOf(*pod)),
      priority(pod->spec.priority.value_or(0)),
      hostPorts(hostPortsOf(*pod)) {
  if (!pod->spec.affinity) return;
  if (const auto& a = pod->spec.affinity->podAffinity) {
    for (const auto& term : a->requiredDuringSchedulingIgnoredDuringExecution)
      affinity.push_back(compile(term, *pod, 0));
    for (const auto& term : a->preferredDuringSchedulingIgnoredDuringExecution)
      preferred.push_back(compile(term.podAffinityTerm, *pod, term.weight));
  }
  if (const auto& a = pod->spec.affinity->podAntiAffinity) {
    for (const auto& term : a->requiredDuringSchedulingIgnoredDuringExecution)
      antiAffinity.push_back(compile(term, *pod, 0));
    for (const auto& term : a->preferredDuringSchedulingIgnoredDuringExecution)
      preferred.push_back(compile(term.podAffinityTerm, *pod, -term.weight));
  }
}

const std::string* NodeInfo::label(const std::string& key) const {
  auto it = node->metadata.labels.find(key);
  return it == node->metadata.labels.end() ? nullptr : &it->second;
}

void NodeInfo::setNode(NodePtr now) {
  node = std::move(now);
  allocatable = resourcesOf(node->status.allocatable);
  auto slots = node->status.allocatable.find("pods");
  allowedPods = slots == node->status.allocatable.end() ? 0 : slots->second.value();
}

void NodeInfo::add(const PodInfoPtr& pod) {
  requested.add(pod->requests);
  scored.add(pod->scored);
  withAffinity += hasAffinity(*pod);
  withAntiAffinity += !pod->antiAffinity.empty();
  pods.push_back(pod);
}

bool NodeInfo::remove(std::string_view uid) {
  auto it = std::find_if(pods.begin(), pods.end(), [&](const auto& p) { return p->pod->metadata.uid == uid; });
  if (it == pods.end()) return false;
  requested.subtract((*it)->requests);
  scored.subtract((*it)->scored);
  withAffinity -= hasAffinity(**it);
  withAntiAffinity -= !(*it)->antiAffinity.empty();
  *it = std::move(pods.back());
  pods.pop_back();
  return true;
}

bool termMatches(const AffinityTerm& term, const Pod& pod, const Snapshot& snapshot) {
  bool there = term.namespaces.contains(pod.metadata.namespace_);
  if (!there && term.namespaceSelector) {
    static const api::Labels kNone;
    auto ns = snapshot.namespaces->find(pod.metadata.namespace_);
    there = term.namespaceSelector->matches(ns == snapshot.namespaces->end() ? kNone : ns->second);
  }
  return there && term.pods.matches(pod.metadata.labels);
}

void ClusterState::putNode(NodePtr node) {
  auto& slot = nodes_[node->metadata.name];
  bool fresh = slot == nullptr;
  if (fresh) {
    slot = std::make_unique<NodeInfo>();
    order_.push_back(slot.get());
  }
  slot->setNode(std::move(node));
  if (!fresh) return;
  auto waiting = homeless_.extract(slot->name());
  if (waiting.empty()) return;
  for (const auto& pod : waiting.mapped()) slot->add(pod);
}

void ClusterState::removeNode(const std::string& name) {
  auto it = nodes_.find(name);
  if (it == nodes_.end()) return;
  if (!it->second->pods.empty()) homeless_[name] = it->second->pods;
  std::erase(order_, it->second.get());
  nodes_.erase(it);
}

void ClusterState::putPod(PodPtr pod) {
  std::string uid = pod->metadata.uid, node = pod->spec.nodeName;
  removePod(uid);
  auto info = std::make_shared<PodInfo>(std::move(pod));
  if (auto* home = this->node(node)) {
    home->add(info);
  } else {
    homeless_[node].push_back(info);
  }
  placements_[uid] = {node, false};
}

void ClusterState::removePod(std::string_view uid) {
  unnominate(uid);
  auto it = placements_.find(std::string(uid));
  if (it == placements_.end()) return;
  if (auto* home = node(it->second.node)) {
    home->remove(uid);
  } else if (auto waiting = homeless_.find(it->second.node); waiting != homeless_.end()) {
    std::erase_if(waiting->second, [&](const auto& p) { return p->pod->metadata.uid == uid; });
    if (waiting->second.empty()) homeless_.erase(waiting);
  }
  placements_.erase(it);
}

void ClusterState::assume(const PodInfoPtr& pod, const std::string& name) {
  unnominate(pod->pod->metadata.uid);
  auto* home = node(name);
  if (!home) return;
  home->add(pod);
  placements_[pod->pod->metadata.uid] = {name, true};
}

void ClusterState::forget(std::string_view uid) {
  auto it = placements_.find(std::string(uid));
  if (it != placements_.end() && it->second.assumed) removePod(uid);
}

void ClusterState::nominate(const PodInfoPtr& pod, const std::string& name) {
  nominated_[pod->pod->metadata.uid] = {name, pod};
}
void ClusterState::unnominate(std::string_view uid) { nominated_.erase(std::string(uid)); }

std::vector<PodInfoPtr> ClusterState::nominatedOn(const std::string& name) const {
  std::vector<PodInfoPtr> out;
  for (const auto& [uid, entry] : nominated_)
    if (entry.first == name) out.push_back(entry.second);
  return out;
}

Snapshot ClusterState::snapshot() {
  Snapshot out{order_, &namespaces_};
  for (const auto* node : order_) {
    out.withAffinity += node->withAffinity;
    out.withAntiAffinity += node->withAntiAffinity;
  }
  return out;
}

NodeInfo* ClusterState::node(const std::string& name) {
  auto it = nodes_.find(name);
  return it == nodes_.end() ? nullptr : it->second.get();
}

}  // namespace skiff::scheduler
