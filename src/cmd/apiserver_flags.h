// The API server's flags, named as upstream's: the same for `skiff up` and `skiff apiserver`.
#pragma once
#include <string>

#include "base/flags.h"
#include "cmd/control_plane.h"
#include "cmd/etcd_flags.h"
#include "cmd/security_flags.h"

namespace skiff::cmd {

class ApiServerFlags {
 public:
  // Both must outlive the parsing.
  void addTo(Flags& flags, ControlPlaneOptions& plane);
  // After it: reads the files that were named.
  Status complete(const Flags& flags, ControlPlaneOptions& plane) const;

 private:
  EtcdFlags etcd_;
  SecurityFlags security_;
  std::string auditWebhook_;  // kubeconfig
};

}  // namespace skiff::cmd
