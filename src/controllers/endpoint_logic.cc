#include "controllers/endpoint_logic.h"

#include "base/strings.h"

namespace skiff::controllers {
namespace {

std::string portsKey(const EndpointPorts& ports) {
  std::vector<std::string> parts;
  for (const auto& port : ports)
    parts.push_back(concat(port.name.value_or(""), "|", port.protocol.value_or(""), "|", port.port.value_or(-1), "|",
                           port.appProtocol.value_or("")));
  std::sort(parts.begin(), parts.end());
  return join(parts, ",");
}

// Endpoints are the same one when address, target and host name are.
std::string endpointKey(const Endpoint& endpoint) {
  std::vector<std::string> addresses = endpoint.addresses;
  std::sort(addresses.begin(), addresses.end());
  return concat(join(addresses, ","), "|", endpoint.targetRef ? endpoint.targetRef->uid : "", "|",
                endpoint.hostname.value_or(""));
}

bool sameEndpoint(const Endpoint& a, const Endpoint& b) { return api::equal(a, b); }

// True when labels, owner and the headless mark of a slice are as they should be.
bool applyMeta(api::meta::v1::ObjectMeta& slice, const api::meta::v1::ObjectMeta& wanted) {
  bool changed = false;
  if (slice.labels != wanted.labels) {
    slice.labels = wanted.labels;
    changed = true;
  }
  for (const auto& [key, value] : wanted.annotations) {
    if (key == kTriggerTime) continue;  // follows other changes, is none by itself
    if (slice.annotations[key] != value) {
      slice.annotations[key] = value;
      changed = true;
    }
  }
  return changed;
}

void setTriggerTime(EndpointSlice& slice, const api::meta::v1::ObjectMeta& meta) {
  auto it = meta.annotations.find(std::string(kTriggerTime));
  if (it != meta.annotations.end()) slice.metadata.annotations[std::string(kTriggerTime)] = it->second;
  else slice.metadata.annotations.erase(std::string(kTriggerTime));
}

}  // namespace

bool shouldBeEndpoint(const Pod& pod, Terminating terminating) {
  if (isTerminal(pod) || (pod.status.podIP.empty() && pod.status.podIPs.empty())) return false;
  return terminating == Terminating::Include || !isTerminating(pod);
}

bool isHeadless(const Service& service) { return service.spec.clusterIP == "None"; }

std::vector<std::string> addressTypesOf(const Service& service) {
  if (!service.spec.ipFamilies.empty()) return service.spec.ipFamilies;
  if (service.spec.clusterIP.find(':') != std::string::npos) return {"IPv6"};
  return {"IPv4"};
}

std::string_view addressTypeOf(std::string_view ip) {
  return ip.find(':') != std::string_view::npos ? "IPv6" : "IPv4";
}

std::string podAddress(const Pod& pod, std::string_view addressType) {
  for (const auto& ip : pod.status.podIPs)
    if (!ip.ip.empty() && addressTypeOf(ip.ip) == addressType) return ip.ip;
  if (!pod.status.podIP.empty() && addressTypeOf(pod.status.podIP) == addressType) return pod.status.podIP;
  return {};
}

std::optional<int32_t> resolvePort(const Pod& pod, const api::core::v1::ServicePort& port) {
  if (!port.targetPort.isString) return port.targetPort.number != 0 ? port.targetPort.number : port.port;
  auto search = [&](const auto& containers, bool sidecarsOnly) -> std::optional<int32_t> {
    for (const auto& container : containers) {
      if (sidecarsOnly && container.restartPolicy != std::optional<std::string>("Always")) continue;
      for (const auto& candidate : container.ports)
        if (candidate.name == port.targetPort.text &&
            (candidate.protocol.empty() ? "TCP" : candidate.protocol) == port.protocol)
          return candidate.containerPort;
    }
    return std::nullopt;
  };
  if (auto found = search(pod.spec.containers, false)) return found;
  return search(pod.spec.initContainers, true);
}

EndpointPorts endpointPorts(const Service& service, const Pod& pod) {
  EndpointPorts out;
  for (const auto& port : service.spec.ports) {
    auto number = resolvePort(pod, port);
    if (!number) continue;
    api::discovery::v1::EndpointPort made;
    made.name = port.name;
    made.protocol = port.protocol;
    made.port = *number;
    made.appProtocol = port.appProtocol;
    out.push_back(std::move(made));
  }
  return out;
}

Endpoint endpointOf(const Service& service, const Pod& pod, const Node* node, std::string_view addressType) {
  Endpoint endpoint;
  endpoint.addresses = {podAddress(pod, addressType)};
  bool serving = isReady(pod), terminating = isTerminating(pod);
  endpoint.conditions.ready = service.spec.publishNotReadyAddresses || (serving && !terminating);
  endpoint.conditions.serving = serving;
  endpoint.conditions.terminating = terminating;
  auto& target = endpoint.targetRef.emplace();
  target.kind = "Pod";
  target.namespace_ = pod.metadata.namespace_;
  target.name = pod.metadata.name;
  target.uid = pod.metadata.uid;
  if (!pod.spec.nodeName.empty()) endpoint.nodeName = pod.spec.nodeName;
  if (node != nullptr)
    if (auto zone = node->metadata.labels.find("topology.kubernetes.io/zone"); zone != node->metadata.labels.end())
      endpoint.zone = zone->second;
  if (!pod.spec.hostname.empty() && pod.spec.subdomain == service.metadata.name) endpoint.hostname = pod.spec.hostname;
  return endpoint;
}

std::vector<SliceGroup> desiredGroups(const Service& service, const std::vector<PodPtr>& pods,
                                      const std::function<std::shared_ptr<const Node>(const std::string&)>& nodeOf,
                                      std::string_view addressType) {
  std::map<std::string, SliceGroup> groups;
  for (const auto& pod : pods) {
    if (!shouldBeEndpoint(*pod, Terminating::Include) || podAddress(*pod, addressType).empty()) continue;
    EndpointPorts ports = endpointPorts(service, *pod);
    SliceGroup& group = groups[portsKey(ports)];
    group.ports = std::move(ports);
    auto node = nodeOf(pod->spec.nodeName);
    group.endpoints.push_back(endpointOf(service, *pod, node.get(), addressType));
  }
  std::vector<SliceGroup> out;
  for (auto& [key, group] : groups) out.push_back(std::move(group));
  return out;
}

SliceChanges planSlices(const std::vector<std::shared_ptr<const EndpointSlice>>& existing,
                        const std::vector<SliceGroup>& groups, const api::meta::v1::ObjectMeta& meta,
                        std::string_view addressType, size_t maxPerSlice) {
  SliceChanges changes;
  std::map<std::string, const SliceGroup*> wanted;
  for (const SliceGroup& group : groups) wanted[portsKey(group.ports)] = &group;
  SliceGroup none;
  // A service without endpoints keeps one empty slice: consumers see that it is known.
  if (wanted.empty()) wanted[""] = &none;

  std::map<std::string, std::vector<const EndpointSlice*>> have;
  for (const auto& slice : existing) {
    if (slice->addressType != addressType || slice->metadata.deletionTimestamp) continue;
    std::string key = portsKey(slice->ports);
    if (wanted.contains(key)) have[key].push_back(slice.get());
    else changes.remove.push_back(*slice);
  }

  for (const auto& [key, group] : wanted) {
    std::map<std::string, const Endpoint*> open;
    for (const Endpoint& endpoint : group->endpoints) open[endpointKey(endpoint)] = &endpoint;
    struct Draft {
      EndpointSlice slice;
      bool changed = false;
    };
    std::vector<Draft> drafts;
    // What stays, stays where it is.
    for (const EndpointSlice* slice : have[key]) {
      Draft draft{*slice, false};
      draft.changed = applyMeta(draft.slice.metadata, meta);
      std::vector<Endpoint> kept;
      for (const Endpoint& endpoint : slice->endpoints) {
        auto it = open.find(endpointKey(endpoint));
        if (it == open.end()) continue;
        if (!sameEndpoint(endpoint, *it->second)) draft.changed = true;
        kept.push_back(*it->second);
        open.erase(it);
      }
      if (kept.size() != slice->endpoints.size()) draft.changed = true;
      draft.slice.endpoints = std::move(kept);
      drafts.push_back(std::move(draft));
    }
    // What is new fills slices that are written anyway, then any with room, then new ones.
    auto fill = [&](bool onlyChanged) {
      for (Draft& draft : drafts) {
        if (onlyChanged && !draft.changed) continue;
        while (!open.empty() && draft.slice.endpoints.size() < maxPerSlice) {
          draft.slice.endpoints.push_back(*open.begin()->second);
          open.erase(open.begin());
          draft.changed = true;
        }
      }
    };
    fill(true);
    fill(false);
    bool placeholder = group->endpoints.empty();
    bool kept = false;
    for (Draft& draft : drafts) {
      if (draft.slice.endpoints.empty() && !(placeholder && !kept)) {
        changes.remove.push_back(std::move(draft.slice));
        continue;
      }
      kept = true;
      if (!draft.changed) continue;
      setTriggerTime(draft.slice, meta);
      changes.update.push_back(std::move(draft.slice));
    }
    while (!open.empty() || (placeholder && !kept)) {
      kept = true;
      EndpointSlice slice;
      slice.metadata = meta;
      slice.addressType = std::string(addressType);
      slice.ports = group->ports;
      while (!open.empty() && slice.endpoints.size() < maxPerSlice) {
        slice.endpoints.push_back(*open.begin()->second);
        open.erase(open.begin());
      }
      changes.create.push_back(std::move(slice));
    }
  }
  return changes;
}

}  // namespace skiff::controllers
