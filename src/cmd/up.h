// The whole cluster in one process, assembled and taken apart in order.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/role.h"
#include "cmd/cluster_pki.h"
#include "cmd/control_plane.h"
#include "kubelet/kubelet.h"

namespace skiff::cmd {

struct UpOptions {
  std::string dataDir = "/var/lib/skiff";
  int apiPort = 6443;
  bool noNode = false;
  bool detach = false;
  std::string imagesDir;
  std::string podCidr = "10.244.0.0/16";
  std::string nodeName;      // default: the host's name
  std::string nodeIp;        // default: the primary address
  int kubeletPort = 10250;
  int dnsPort = 10053;
  std::string staticPodPath;
  std::string evictionHard{kubelet::kDefaultEvictionHard};
  ControlPlaneOptions plane;  // as far as flags say
};

// The nftables table of services: instances with nodes on the same machine keep their rules apart.
std::string serviceTableName(const std::string& dataDir);

class Cluster {
 public:
  static Result<std::unique_ptr<Cluster>> start(const UpOptions& options);
  ~Cluster();  // stops all roles in reverse order

 private:
  Status startControlPlane(const UpOptions& options);
  Status startRoles(const UpOptions& options);
  Status startNode(const UpOptions& options);
  Status startDns(const UpOptions& options);
  Status run(std::unique_ptr<client::Role> role);
  std::shared_ptr<client::Transport> transportFor(pki::Subject subject);

  std::unique_ptr<ClusterPki> pki_;
  std::string server_;  // URL
  std::unique_ptr<ControlPlane> plane_;
  std::vector<std::unique_ptr<client::Role>> roles_;
};

}  // namespace skiff::cmd
