#include "proxy/service_ports.h"

#include <arpa/inet.h>

#include <algorithm>
#include <map>

#include "base/strings.h"

namespace skiff::proxy {
namespace {

using api::core::v1::Service;
using api::core::v1::ServicePort;
using api::discovery::v1::Endpoint;

struct Candidate {
  Target target;
  bool ready, local;
};

// "None", the address of a headless service, is none.
bool isIpv4(const std::string& address) {
  in_addr parsed{};
  return ::inet_pton(AF_INET, address.c_str(), &parsed) == 1;
}

// Endpoints of one service port in all slices of the service.
std::vector<Candidate> candidatesOf(const ServicePort& port, const std::vector<SlicePtr>& slices,
                                    const std::string& nodeName) {
  std::vector<Candidate> out;
  for (const auto& slice : slices) {
    if (slice->addressType != "IPv4") continue;
    for (const auto& p : slice->ports) {
      if (p.name.value_or("") != port.name || !p.port) continue;
      for (const Endpoint& endpoint : slice->endpoints) {
        bool ready = endpoint.conditions.ready.value_or(true);
        bool serving = endpoint.conditions.serving.value_or(ready);
        if (endpoint.addresses.empty() || !(ready || (serving && endpoint.conditions.terminating.value_or(false))))
          continue;
        out.push_back({{endpoint.addresses.front(), *p.port}, ready, endpoint.nodeName == nodeName});
      }
    }
  }
  return out;
}

std::vector<Target> choose(const std::vector<Candidate>& candidates, bool localOnly) {
  std::vector<Target> ready, terminating;
  for (const auto& candidate : candidates) {
    if (localOnly && !candidate.local) continue;
    (candidate.ready ? ready : terminating).push_back(candidate.target);
  }
  auto& chosen = ready.empty() ? terminating : ready;
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

std::vector<std::string> externalIpsOf(const Service& service) {
  std::vector<std::string> ips;
  for (const auto& ip : service.spec.externalIPs)
    if (isIpv4(ip)) ips.push_back(ip);
  for (const auto& ingress : service.status.loadBalancer.ingress)
    if (isIpv4(ingress.ip) && ingress.ipMode.value_or("VIP") == "VIP") ips.push_back(ingress.ip);
  return ips;
}

std::string clusterIpOf(const Service& service) {
  for (const auto& ip : service.spec.clusterIPs)
    if (isIpv4(ip)) return ip;
  return isIpv4(service.spec.clusterIP) ? service.spec.clusterIP : "";
}

ServicePortRules rulesOf(const Service& service, const ServicePort& port, const std::vector<SlicePtr>& slices,
                         const std::string& nodeName) {
  ServicePortRules rules;
  rules.protocol = toLower(port.protocol.empty() ? "tcp" : port.protocol);
  rules.name = concat(service.metadata.namespace_, "/", service.metadata.name, "/", rules.protocol, "/", port.port);
  rules.clusterIp = clusterIpOf(service);
  rules.externalIps = externalIpsOf(service);
  rules.port = port.port;
  rules.nodePort = port.nodePort;
  rules.localOnlyExternal = service.spec.externalTrafficPolicy == "Local";
  if (service.spec.sessionAffinity == "ClientIP") {
    const auto& config = service.spec.sessionAffinityConfig;
    rules.affinitySeconds = config && config->clientIP ? config->clientIP->timeoutSeconds.value_or(10800) : 10800;
  }
  auto candidates = candidatesOf(port, slices, nodeName);
  rules.cluster = choose(candidates, service.spec.internalTrafficPolicy == "Local");
  rules.external = choose(candidates, rules.localOnlyExternal);
  return rules;
}

}  // namespace

std::vector<ServicePortRules> rulesOf(const std::vector<ServicePtr>& services, const std::vector<SlicePtr>& slices,
                                      const std::string& nodeName) {
  std::map<std::string, std::vector<SlicePtr>> byService;
  for (const auto& slice : slices)
    if (auto it = slice->metadata.labels.find("kubernetes.io/service-name"); it != slice->metadata.labels.end())
      byService[concat(slice->metadata.namespace_, "/", it->second)].push_back(slice);
  std::vector<ServicePortRules> out;
  for (const auto& service : services) {
    if (service->spec.type == "ExternalName" || clusterIpOf(*service) == "") continue;  // headless: DNS only
    const auto& own = byService[concat(service->metadata.namespace_, "/", service->metadata.name)];
    for (const auto& port : service->spec.ports) out.push_back(rulesOf(*service, port, own, nodeName));
  }
  return out;
}

}  // namespace skiff::proxy
