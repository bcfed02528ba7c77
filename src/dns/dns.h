// Cluster DNS: names of services and pods from the API, everything else forwarded.
// https://github.com/kubernetes/dns/blob/master/docs/specification.md
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/role.h"

namespace skiff::dns {

struct DnsOptions {
  std::shared_ptr<client::Transport> transport;
  std::string listenAddress = "0.0.0.0";
  int port = 53;
  std::string clusterDomain = "cluster.local";
  std::vector<std::string> upstreams;  // "10.0.0.1:53"; empty: those of /etc/resolv.conf
};
std::unique_ptr<client::Role> createDns(DnsOptions options);

}  // namespace skiff::dns
