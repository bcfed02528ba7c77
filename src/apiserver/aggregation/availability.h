// Whether the server behind an APIService can be asked, in the words of its Available condition.
#pragma once
#include <string>

#include "apiserver/aggregation/remote_servers.h"

namespace skiff::apiserver {

struct Availability {
  bool available = false;
  std::string reason, message;
};

// Looks at the service and its endpoints, then asks the server for its discovery. Blocks, for some seconds at most.
Availability checkAvailability(const ApiService& service, const ClusterReader& cluster, RemoteServers& servers);

}  // namespace skiff::apiserver
