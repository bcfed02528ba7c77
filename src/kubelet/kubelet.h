// The kubelet: runs the pods bound to its node on a CRI runtime and reports what became of them.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/role.h"

namespace skiff::kubelet {

inline constexpr std::string_view kDefaultEvictionHard =
    "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%";

struct KubeletOptions {
  std::shared_ptr<client::Transport> transport;
  std::string nodeName;
  std::string nodeIp;                    // default: of the default route
  std::string rootDir;                   // pods, volumes, checkpoints: /var/lib/skiff/kubelet
  std::string containerRuntimeEndpoint;  // unix:///...; empty: a private containerd under runtimeDir
  std::string runtimeDir;                // of the private containerd (root, state, config, socket DIR/run/containerd.sock)
  std::string imagesDir;                 // archives imported at boot; may be empty
  std::string pauseImageArchive;         // Skiff's own pause image (made at build); empty: see pauseImage
  std::string pauseImage = "skiff.local/pause:1";
  std::string podCidr;                   // empty: wait for node.spec.podCIDR
  std::string clusterDns = "10.96.0.10";
  std::string clusterDomain = "cluster.local";
  std::string servingCertPem, servingKeyPem;  // of the kubelet's own TLS port
  std::string clientCaPem;               // who may call it
  int port = 10250;                      // 0: any free one (told in the node's status)
  int maxPods = 110;
  std::string podLogsDir = "/var/log/pods";  // of all containers: <dir>/ns_name_uid/container/attempt.log
  std::string clusterCidr;               // of all pods: not masqueraded; empty: podCidr
  std::string cgroupRoot = "/";          // pods live in <cgroupRoot>/kubepods
  std::string staticPodPath;
  std::string evictionHard{kDefaultEvictionHard};  // thresholds of node-pressure eviction; empty: none
  std::vector<std::string> nodeLabels;   // "key=value"
  std::vector<std::string> registerWithTaints;
};
std::unique_ptr<client::Role> createKubelet(KubeletOptions options);
// After the kubelet has ended: stops all containers and the private containerd of runtimeDir, and removes what they left on
// the host (mounts, cgroups, network). Nothing to do is fine.
Status tearDownNode(const KubeletOptions& options);

}  // namespace skiff::kubelet
