// From services and endpoint slices to what traffic should do: one entry a service port, IPv4.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "gen/core_v1.h"
#include "gen/discovery_v1.h"

namespace skiff::proxy {

using ServicePtr = std::shared_ptr<const api::core::v1::Service>;
using SlicePtr = std::shared_ptr<const api::discovery::v1::EndpointSlice>;

struct Target {
  std::string ip;
  int port = 0;
  bool operator<(const Target& other) const { return std::tie(ip, port) < std::tie(other.ip, other.port); }
  bool operator==(const Target&) const = default;
};

struct ServicePortRules {
  std::string name;      // "ns/name/tcp/port", unique
  std::string protocol;  // "tcp"
  std::string clusterIp;
  std::vector<std::string> externalIps;  // externalIPs and load-balancer ingress
  int port = 0, nodePort = 0;
  std::vector<Target> cluster;   // for traffic from inside, sorted
  std::vector<Target> external;  // for traffic from outside, sorted
  bool localOnlyExternal = false;  // externalTrafficPolicy Local: source addresses are kept
  int affinitySeconds = 0;       // session affinity by client address; 0: none
};

// Ready endpoints, or serving ones that terminate when there is no ready one (KEP-1669).
std::vector<ServicePortRules> rulesOf(const std::vector<ServicePtr>& services, const std::vector<SlicePtr>& slices,
                                      const std::string& nodeName);

}  // namespace skiff::proxy
