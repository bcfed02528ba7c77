// Roles alone, with upstream's flag names where they exist: each connects over HTTPS with a kubeconfig.
#include <cstdio>
#include <filesystem>

#include "base/flags.h"
#include "base/log.h"
#include "base/strings.h"
#include "client/transport.h"
#include "cmd/cluster_pki.h"
#include "cmd/commands.h"
#include "cmd/apiserver_flags.h"
#include "cmd/control_plane.h"
#include "cmd/files.h"
#include "cmd/host.h"
#include "cmd/instance.h"
#include "controllers/controllers.h"
#include "dns/dns.h"
#include "kubelet/kubelet.h"
#include "proxy/proxy.h"
#include "scheduler/scheduler.h"

namespace skiff::cmd {

int fail(const std::string& message) {
  std::fprintf(stderr, "skiff: %s\n", message.c_str());
  return 1;
}

namespace {

// --kubeconfig, --help and the log level, common to all.
struct Common {
  std::string kubeconfig;
  int verbosity = 0;
  bool help = false;
  Flags flags;
  Common() {
    flags.text("kubeconfig", &kubeconfig, "kubeconfig of this role")
        .integer("v", &verbosity, "log more from 4 on", 'v')
        .boolean("help", &help, "this text", 'h');
  }
  // Nothing more to do (help was printed, or the error): the exit code.
  std::optional<int> parse(const Args& args, const char* role) {
    auto rest = flags.parse(args);
    if (!rest.ok()) return fail(rest.error().message());
    if (help) return std::printf("Usage: skiff %s [flags]\n\n%s", role, flags.usage().c_str()), 0;
    if (!rest->empty()) return fail(concat("unexpected argument ", skiff::quoted(rest->front())));
    if (verbosity >= 4) log::setLevel(log::Level::Debug);
    return std::nullopt;
  }
  Result<std::shared_ptr<client::Transport>> transport() const {
    auto config = TRY(client::loadKubeconfig({.path = kubeconfig}));
    auto made = TRY(client::httpTransport(config));
    return std::shared_ptr<client::Transport>(std::move(made));
  }
};

int serveUntilStopped(client::Role& role) {
  if (auto started = role.start(); !started.ok()) return fail(started.error().message());
  waitForStopSignal();
  role.stop();
  return 0;
}

// The options' transport is filled in here; `create` is the role's.
template <class Options, class Create>
int runRole(const Args& args, const char* name, Common& common, Options& options, Create create) {
  if (auto code = common.parse(args, name)) return *code;
  blockStopSignals();
  auto transport = common.transport();
  if (!transport.ok()) return fail(transport.error().message());
  options.transport = *transport;
  return serveUntilStopped(*create(options));
}

Status readInto(const std::string& path, std::string& text) {
  if (!path.empty()) text = TRY(readFile(path));
  return okStatus();
}

}  // namespace

int runControllerManager(const Args& args) {
  Common common;
  controllers::ControllersOptions options;
  options.identity = concat(hostName(), "_", newUid());
  std::string rootCa, signingCert, signingKey, unused;
  common.flags.text("cluster-cidr", &options.clusterCidr, "addresses of pods")
      .text("service-cluster-ip-range", &options.serviceCidr, "addresses of services")
      .integer("node-cidr-mask-size", &options.nodeCidrMaskSize, "bits of a node's pod CIDR")
      .list("controllers", &options.enabled, "controllers to run: *, name, -name")
      .text("root-ca-file", &rootCa, "CA published to pods")
      .text("cluster-signing-cert-file", &signingCert, "CA that signs certificate requests")
      .text("cluster-signing-key-file", &signingKey, "its key")
      .boolean("leader-elect", &options.leaderElect, "run only while leading");
  return runRole(args, "controller-manager", common, options, [&](auto& filled) {
    for (auto status : {readInto(rootCa, filled.rootCaPem), readInto(signingCert, filled.signingCertPem),
                        readInto(signingKey, filled.signingKeyPem)})
      if (!status.ok()) log::error("File is not readable", {{"err", status.error().message()}});
    return controllers::createControllerManager(filled);
  });
}

int runScheduler(const Args& args) {
  Common common;
  scheduler::SchedulerOptions options;
  options.identity = concat(hostName(), "_", newUid());
  common.flags.boolean("leader-elect", &options.leaderElect, "run only while leading")
      .text("scheduler-name", &options.schedulerName, "pods that name it are ours");
  return runRole(args, "scheduler", common, options, scheduler::createScheduler);
}

int runKubelet(const Args& args) {
  Common common;
  kubelet::KubeletOptions options;
  options.nodeName = hostName();
  options.nodeIp = primaryAddress();
  options.rootDir = "/var/lib/kubelet";
  options.runtimeDir = "/var/lib/skiff-kubelet";
  std::string tlsCert, tlsKey, clientCa;
  common.flags.text("hostname-override", &options.nodeName, "name of the node")
      .text("node-ip", &options.nodeIp, "address of the node")
      .text("root-dir", &options.rootDir, "pods and volumes")
      .text("container-runtime-endpoint", &options.containerRuntimeEndpoint, "CRI socket; default: a private containerd")
      .text("runtime-dir", &options.runtimeDir, "state of the private containerd")
      .text("pod-infra-container-image", &options.pauseImage, "pause image")
      .text("pause-image-archive", &options.pauseImageArchive, "archive of the pause image")
      .text("pod-cidr", &options.podCidr, "addresses of this node's pods; default: as the node says")
      .text("cluster-cidr", &options.clusterCidr, "addresses of all pods, reached without masquerade; default: --pod-cidr")
      .text("eviction-hard", &options.evictionHard, "thresholds below which pods are evicted")
      .text("cluster-dns", &options.clusterDns, "address of cluster DNS")
      .text("cluster-domain", &options.clusterDomain, "domain of cluster DNS")
      .text("tls-cert-file", &tlsCert, "serving certificate")
      .text("tls-private-key-file", &tlsKey, "its key")
      .text("client-ca-file", &clientCa, "CA of those who may call")
      .integer("port", &options.port, "port of the kubelet")
      .integer("max-pods", &options.maxPods, "pods at the same time")
      .text("cgroup-root", &options.cgroupRoot, "parent of the pods' cgroups")
      .text("pod-manifest-path", &options.staticPodPath, "directory of static pods")
      .list("node-labels", &options.nodeLabels, "labels to register with")
      .list("register-with-taints", &options.registerWithTaints, "taints to register with");
  return runRole(args, "kubelet", common, options, [&](auto& filled) {
    for (auto status : {readInto(tlsCert, filled.servingCertPem), readInto(tlsKey, filled.servingKeyPem),
                        readInto(clientCa, filled.clientCaPem)})
      if (!status.ok()) log::error("File is not readable", {{"err", status.error().message()}});
    return kubelet::createKubelet(filled);
  });
}

int runProxy(const Args& args) {
  Common common;
  proxy::ProxyOptions options;
  options.nodeName = hostName();
  options.nodeIp = primaryAddress();
  common.flags.text("hostname-override", &options.nodeName, "name of the node")
      .text("bind-address", &options.nodeIp, "address of the node")
      .text("cluster-cidr", &options.clusterCidr, "addresses of pods")
      .text("table", &options.tableName, "nftables table");
  return runRole(args, "proxy", common, options, proxy::createProxy);
}

int runDns(const Args& args) {
  Common common;
  dns::DnsOptions options;
  common.flags.text("listen-address", &options.listenAddress, "address to answer on")
      .integer("port", &options.port, "port to answer on")
      .text("cluster-domain", &options.clusterDomain, "domain of the cluster")
      .list("upstreams", &options.upstreams, "resolvers for other names; default: those of /etc/resolv.conf");
  return runRole(args, "dns", common, options, dns::createDns);
}

namespace {

// Keys and certificates that were not named come from DIR/pki, and an administrator's kubeconfig from the same keys.
Status completeFromPki(const std::string& dataDir, ControlPlaneOptions& plane) {
  auto pki = TRY(ClusterPki::open(dataDir + "/pki", Clock::real()));
  TRY(fillFromPki(pki, plane));
  auto admin = TRY(pki.clientConfig("admin", {"kubernetes-admin", {"system:masters"}},
                                    concat("https://127.0.0.1:", plane.port)));
  return writeFile(dataDir + "/admin.kubeconfig", client::writeKubeconfig(admin, "skiff", "kubernetes-admin"));
}

struct ApiServerFiles {
  std::string cert, key, clientCa, requestHeaderCa, kubeletCa, kubeletCert, kubeletKey, proxyCert, proxyKey;
  Status read(ControlPlaneOptions& plane) const {
    TRY(readInto(cert, plane.serving.certificatePem));
    TRY(readInto(key, plane.serving.keyPem));
    TRY(readInto(clientCa, plane.api.security.clientCaPem));
    TRY(readInto(requestHeaderCa, plane.api.security.requestHeaderCaPem));
    TRY(readInto(proxyCert, plane.api.proxyClientCert));
    TRY(readInto(proxyKey, plane.api.proxyClientKey));
    TRY(readInto(kubeletCa, plane.api.kubeletCaPem));
    TRY(readInto(kubeletCert, plane.api.kubeletClientCert));
    return readInto(kubeletKey, plane.api.kubeletClientKey);
  }
};

}  // namespace

int runApiServer(const Args& args) {
  Common common;
  ControlPlaneOptions plane;
  ApiServerFiles files;
  std::string dataDir = "/var/lib/skiff";
  plane.advertiseAddress = primaryAddress();
  auto& security = plane.api.security;
  common.flags.text("data-dir", &dataDir, "store, and keys that are not named")
      .text("bind-address", &plane.bindAddress, "address to serve on")
      .text("advertise-address", &plane.advertiseAddress, "address told to the cluster")
      .integer("secure-port", &plane.port, "port to serve on")
      .text("tls-cert-file", &files.cert, "serving certificate")
      .text("tls-private-key-file", &files.key, "its key")
      .text("client-ca-file", &files.clientCa, "CA of client certificates")
      .text("requestheader-client-ca-file", &files.requestHeaderCa, "CA of front proxies")
      .list("requestheader-allowed-names", &security.requestHeaderAllowedNames, "common names of front proxies; default: any")
      .text("proxy-client-cert-file", &files.proxyCert, "certificate shown to aggregated API servers")
      .text("proxy-client-key-file", &files.proxyKey, "its key")
      .text("kubelet-certificate-authority", &files.kubeletCa, "CA of the kubelets")
      .text("kubelet-client-certificate", &files.kubeletCert, "certificate shown to kubelets")
      .text("kubelet-client-key", &files.kubeletKey, "its key");
  ApiServerFlags shared;
  shared.addTo(common.flags, plane);
  if (auto code = common.parse(args, "apiserver")) return *code;
  plane.api.accessLog = common.verbosity >= 3;
  blockStopSignals();
  plane.storeDir = dataDir + "/store";
  if (auto read = files.read(plane); !read.ok()) return fail(read.error().message());
  if (auto read = shared.complete(common.flags, plane); !read.ok()) return fail(read.error().message());
  auto lock = InstanceLock::acquire(dataDir);
  if (!lock.ok()) return fail(lock.error().message());
  if (auto filled = completeFromPki(dataDir, plane); !filled.ok()) return fail(filled.error().message());
  auto started = ControlPlane::start(std::move(plane));
  if (!started.ok()) return fail(started.error().message());
  waitForStopSignal();
  return 0;
}

}  // namespace skiff::cmd
