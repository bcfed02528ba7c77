#include "cmd/addons.h"

#include "base/strings.h"
#include "gen/core_v1.h"
#include "gen/discovery_v1.h"

namespace skiff::cmd {
namespace {

using api::core::v1::Service;
using api::core::v1::ServicePort;
using api::discovery::v1::EndpointPort;
using api::discovery::v1::EndpointSlice;

constexpr std::string_view kNamespace = "kube-system", kName = "kube-dns";

Service dnsService(const std::string& clusterIp) {
  Service service;
  service.metadata.name = kName;
  service.metadata.namespace_ = kNamespace;
  service.metadata.labels = {{"k8s-app", "kube-dns"}, {"kubernetes.io/name", "CoreDNS"},
                             {"kubernetes.io/cluster-service", "true"}};
  service.spec.clusterIP = clusterIp;
  for (auto [name, protocol] : {std::pair{"dns", "UDP"}, std::pair{"dns-tcp", "TCP"}}) {
    ServicePort port;
    port.name = name;
    port.protocol = protocol;
    port.port = 53;
    service.spec.ports.push_back(port);
  }
  return service;  // no selector: the role is no pod
}

EndpointSlice dnsSlice(const std::string& address, const std::string& nodeName, int port) {
  EndpointSlice slice;
  slice.metadata.name = concat(kName, "-skiff");
  slice.metadata.namespace_ = kNamespace;
  slice.metadata.labels = {{"kubernetes.io/service-name", std::string(kName)},
                           {"endpointslice.kubernetes.io/managed-by", "skiff"}};
  slice.addressType = "IPv4";
  auto& endpoint = slice.endpoints.emplace_back();
  endpoint.addresses = {address};
  endpoint.conditions.ready = true;
  endpoint.nodeName = nodeName;
  for (auto [name, protocol] : {std::pair{"dns", "UDP"}, std::pair{"dns-tcp", "TCP"}}) {
    EndpointPort p;
    p.name = name;
    p.protocol = protocol;
    p.port = port;
    slice.ports.push_back(p);
  }
  return slice;
}

// The object itself is asked first: a Service that names its cluster IP is refused before its name is found taken.
template <class T>
Status createOrReplace(const client::Client& client, T wanted) {
  auto kept = client.get<T>(wanted.metadata.namespace_, wanted.metadata.name);
  if (kept.failedWith(Reason::NotFound)) {
    TRY(client.create(wanted));
    return okStatus();
  }
  if (!kept.ok()) return std::move(kept).error();
  wanted.metadata.resourceVersion = kept->metadata.resourceVersion;
  TRY(client.update(wanted));
  return okStatus();
}

}  // namespace

Status ensureDnsService(const client::Client& client, const std::string& clusterIp, const std::string& address,
                        const std::string& nodeName, int port) {
  TRY(createOrReplace(client, dnsService(clusterIp)));
  return createOrReplace(client, dnsSlice(address, nodeName, port));
}

}  // namespace skiff::cmd
