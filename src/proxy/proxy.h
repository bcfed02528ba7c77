// The service proxy: services and endpoint slices become nftables maps, changed by delta in one transaction.
#pragma once
#include <memory>
#include <string>

#include "client/client.h"
#include "client/role.h"

namespace skiff::proxy {

struct ProxyOptions {
  std::shared_ptr<client::Transport> transport;
  std::string nodeName;
  std::string nodeIp;
  std::string clusterCidr = "10.244.0.0/16";
  std::string tableName = "skiff";  // of nftables, so that several instances may run in their own namespaces
};
std::unique_ptr<client::Role> createProxy(ProxyOptions options);
// The rules outlive the role, so that services work while it restarts; this ends them. No such table is fine.
Status removeRules(const std::string& tableName);

}  // namespace skiff::proxy
