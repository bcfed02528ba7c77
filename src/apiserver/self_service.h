// How the server makes itself known: its identity lease, and the endpoints of the service `kubernetes` when its address is not
// the one that an earlier run left in the store.
#pragma once
#include <string>
#include <vector>

#include "apiserver/registry.h"

namespace skiff::apiserver {

// "apiserver-...": the same on a host in every run.
std::string serverIdentity();

// `bootstrap` are the objects that say what is true now.
Status publishSelf(Registry& registry, const std::string& address, int port, const std::vector<std::string>& bootstrap);

}  // namespace skiff::apiserver
