#include "kubelet/cni.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"
#include "kubelet/files.h"
#include "kubelet/process.h"

namespace skiff::kubelet {
namespace {

std::string tableName(const PodNetwork& network) { return concat("skiff_pods_", bridgeName(network.instance)); }

Status loadRules(const std::string& rules) {
  ProgramOutput done = TRY(runProgram({findProgram("nft"), "-f", "-"}, seconds(20), rules));
  if (done.exitCode != 0) return internalError(concat("nft: ", trim(done.output)));
  return okStatus();
}

}  // namespace

std::string bridgeName(std::string_view instance) {
  if (instance.empty() || instance == "/var/lib/skiff") return "skiff0";
  std::string hash = std::to_string(fnv32a(instance) % 1000000);
  return concat("skiff", std::string(6 - hash.size(), '0'), hash);
}

std::string cniConfigText(const PodNetwork& network, std::string_view dataDir) {
  // portmap serves hostPort; it runs only for pods that map ports.
  return concat(R"({"cniVersion":"0.4.0","name":"skiff","plugins":[)",
                R"({"type":"bridge","bridge":")", bridgeName(network.instance),
                R"(","isGateway":true,"isDefaultGateway":true,"hairpinMode":true,"ipMasq":false,"ipam":{)",
                R"("type":"host-local","dataDir":)", quoted(dataDir), R"(,"ranges":[[{"subnet":")", network.podCidr,
                R"("}]]}},{"type":"portmap","capabilities":{"portMappings":true},"snat":true}]})", "\n");
}

std::string masqueradeRules(const PodNetwork& network) {
  const std::string table = concat("ip ", tableName(network));
  const std::string& cluster = network.clusterCidr.empty() ? network.podCidr : network.clusterCidr;
  return concat("add table ", table, "\ndelete table ", table, "\ntable ", table,
                " {\n  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n    ip saddr ",
                network.podCidr, " ip daddr != ", cluster, " ip daddr != 224.0.0.0/4 masquerade\n  }\n}\n");
}

Status configurePodNetwork(const PodNetwork& network, const std::string& confDir, const std::string& dataDir) {
  TRY(writeFile("/proc/sys/net/ipv4/ip_forward", "1"));
  // Answers of a pod to another on the same bridge must pass netfilter, or a service's address translation is not
  // undone. Absent without the br_netfilter module; then only such pairs suffer.
  const std::string bridgeFilter = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  if (exists(bridgeFilter)) {
    TRY(writeFile(bridgeFilter, "1"));
  } else if (std::string modprobe = findProgram("modprobe"); !modprobe.empty()) {
    auto loaded = runProgram({modprobe, "br_netfilter"}, seconds(10));
    if (exists(bridgeFilter)) TRY(writeFile(bridgeFilter, "1"));
  }
  if (!exists(bridgeFilter)) log::warn("No br_netfilter: services may fail between pods of this node");
  TRY(loadRules(masqueradeRules(network)));
  const std::string path = confDir + "/10-skiff.conflist";
  const std::string text = cniConfigText(network, dataDir);
  if (auto now = readFile(path); now.ok() && *now == text) return okStatus();
  TRY(makeDirs(confDir));
  return writeFileAtomically(path, text);
}

void removePodNetwork(const PodNetwork& network) {
  const std::string table = concat("ip ", tableName(network));
  if (auto done = loadRules(concat("add table ", table, "\ndelete table ", table, "\n")); !done.ok())
    log::warn("Could not remove the masquerade table", {{"err", done.error().message()}});
  auto gone = runProgram({findProgram("ip"), "link", "delete", bridgeName(network.instance)}, seconds(10));
  (void)gone;
}

std::string defaultRouteAddress() {
  // No packet is sent: connecting a datagram socket only asks the kernel which address it would use.
  int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  sockaddr_in far{};
  far.sin_family = AF_INET;
  far.sin_port = htons(9);
  if (::inet_pton(AF_INET, "8.8.8.8", &far.sin_addr) != 1 ||
      ::connect(fd, reinterpret_cast<sockaddr*>(&far), sizeof far) != 0) {
    ::close(fd);
    return {};
  }
  sockaddr_in own{};
  socklen_t size = sizeof own;
  char text[INET_ADDRSTRLEN] = {};
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0)
    ::inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);
  ::close(fd);
  return text;
}

}  // namespace skiff::kubelet
