// The service `kubernetes` in namespace default, its endpoints and the server's identity lease: how pods find the API server.
#pragma once
#include <string>

#include "apiserver/registry.h"

namespace skiff::apiserver {

struct SelfService {
  std::string address;      // that other machines reach
  int port = 6443;
  std::string serviceIp;    // the first of the service range
  std::string hostName;
};
// Creates what is absent and corrects endpoints of another address.
Status publishSelf(Registry& registry, const SelfService& self);
// "10.96.0.1" of "10.96.0.0/16"; IPv4 only.
std::string firstServiceIp(std::string_view cidr);

}  // namespace skiff::apiserver
