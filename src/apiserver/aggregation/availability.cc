#include "apiserver/aggregation/availability.h"

#include <optional>

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr milliseconds kDiscoveryTimeout{5000};
// Each try may meet another endpoint: one that answers is enough.
constexpr int kTries = 3;

// The slices of a service, and whether one has a ready address of the port.
struct Slices {
  bool any = false, ready = false;
};
Slices slicesOf(const ClusterReader& cluster, const ApiService& service, std::string_view portName) {
  Slices out;
  for (const codec::DocumentPtr& slice : cluster.list("discovery.k8s.io", "endpointslices", service.serviceNamespace)) {
    const Value& root = slice->root;
    if (root["metadata"]["labels"]["kubernetes.io/service-name"].asString() != service.serviceName) continue;
    out.any = true;
    bool hasPort = false;
    for (const Value& port : root["ports"].items()) hasPort |= port["name"].asString() == portName;
    for (const Value& endpoint : root["endpoints"].items()) {
      const Value& ready = endpoint["conditions"]["ready"];
      out.ready |= hasPort && !endpoint["addresses"].empty() && (!ready.isBool() || ready.asBool());
    }
  }
  return out;
}

// What is wrong with the service itself; nullopt: nothing.
std::optional<Availability> serviceProblem(const ApiService& service, const ClusterReader& cluster) {
  std::string where = concat("service/", service.serviceName, " in ", quoted(service.serviceNamespace));
  codec::DocumentPtr object = cluster.get("", "services", service.serviceNamespace, service.serviceName);
  if (!object) return Availability{false, "ServiceNotFound", concat(where, " is not present")};
  const Value& spec = object->root["spec"];
  if (spec["type"].asString() == "ExternalName") return std::nullopt;
  const Value* port = nullptr;
  for (const Value& entry : spec["ports"].items())
    if (entry["port"].asInt() == service.port) port = &entry;
  if (!port) return Availability{false, "ServicePortError", concat(where, " is not listening on port ", service.port)};
  std::string_view portName = (*port)["name"].asString();
  Slices slices = slicesOf(cluster, service, portName);
  if (!slices.any) return Availability{false, "EndpointsNotFound", concat("cannot find endpointslices for ", where)};
  if (!slices.ready)
    return Availability{false, "MissingEndpoints",
                        concat("endpoints for ", where, " have no addresses with port name ", quoted(portName))};
  return std::nullopt;
}

}  // namespace

Availability checkAvailability(const ApiService& service, const ClusterReader& cluster, RemoteServers& servers) {
  if (!service.remote()) return {true, "Local", "Local APIServices are always available"};
  if (auto problem = serviceProblem(service, cluster)) return *std::move(problem);
  std::string path = concat("/apis/", service.group, "/", service.version);
  std::string url = concat("https://", serverNameOf(service), ":", service.port, path);
  std::string why;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    auto answer = servers.get(service, path, "", kDiscoveryTimeout);
    if (answer.ok() && answer->status >= 200 && answer->status < 300) return {true, "Passed", "all checks passed"};
    why = answer.ok() ? concat("bad status from ", url, ": ", answer->status) : answer.error().message();
  }
  return {false, "FailedDiscoveryCheck", concat("failing or missing response from ", url, ": ", why)};
}

}  // namespace skiff::apiserver
