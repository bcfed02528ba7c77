// Objects that a cluster needs and no controller makes.
#pragma once
#include <string>

#include "base/result.h"
#include "client/client.h"

namespace skiff::cmd {

// Service kube-system/kube-dns at `clusterIp`, port 53, leading to the DNS role at address:port of the node.
Status ensureDnsService(const client::Client& client, const std::string& clusterIp, const std::string& address,
                        const std::string& nodeName, int port);

}  // namespace skiff::cmd
