// The controller manager: all of upstream's controllers, one file each, over shared informers.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/role.h"

namespace skiff::controllers {

struct ControllersOptions {
  std::shared_ptr<client::Transport> transport;
  // All controllers act as this transport's user, who needs the rights of them all.
  std::vector<std::string> enabled{"*"};  // "-name" turns one off
  std::string clusterCidr = "10.244.0.0/16";
  int nodeCidrMaskSize = 24;
  std::string serviceCidr = "10.96.0.0/16";
  std::string rootCaPem;                   // published as kube-root-ca.crt
  std::string signingCertPem, signingKeyPem;  // certificates.k8s.io signers
  bool leaderElect = false;
  std::string identity;
  seconds nodeMonitorGracePeriod{40};
  int terminatedPodThreshold = 12500;
};
std::unique_ptr<client::Role> createControllerManager(ControllersOptions options);

}  // namespace skiff::controllers
