// Name resolution inside a pod: its resolv.conf and its hosts file.
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
#pragma once
#include <string>

#include "kubelet/cri_messages.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

// `hostResolvConf` is the text of the node's own.
cri::DNSConfig podDns(const Pod& pod, std::string_view clusterDns, std::string_view clusterDomain,
                      std::string_view hostResolvConf);
// `hostHosts` is the node's file: what pods on the host network see.
std::string podHostsFile(const Pod& pod, const std::vector<std::string>& podIPs, std::string_view clusterDomain,
                         std::string_view hostHosts);

}  // namespace skiff::kubelet
