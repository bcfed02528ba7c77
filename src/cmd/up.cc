#include "cmd/up.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/flags.h"
#include "base/log.h"
#include "base/strings.h"
#include "cmd/addons.h"
#include "cmd/apiserver_flags.h"
#include "cmd/commands.h"
#include "cmd/files.h"
#include "cmd/host.h"
#include "cmd/inprocess_transport.h"
#include "cmd/instance.h"
#include "controllers/controllers.h"
#include "dns/dns.h"
#include "kubelet/kubelet.h"
#include "proxy/proxy.h"
#include "scheduler/scheduler.h"

namespace skiff::cmd {
namespace {

// Where the install or build left Skiff's own files (the pause image): beside the binary.
std::string besideBinary(std::string_view file) {
  std::error_code ignored;
  auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (self.parent_path() / file).string();
}

Status writeAdminKubeconfig(const ClusterPki& pki, const UpOptions& options, const std::string& server) {
  auto config = TRY(pki.clientConfig("admin", {"kubernetes-admin", {"system:masters"}}, server));
  return writeFile(options.dataDir + "/admin.kubeconfig", client::writeKubeconfig(config, "skiff", "kubernetes-admin"));
}

}  // namespace

std::string serviceTableName(const std::string& dataDir) {
  if (dataDir == UpOptions().dataDir) return "skiff";
  return concat("skiff_", fnv32a(dataDir));
}

Result<std::unique_ptr<Cluster>> Cluster::start(const UpOptions& options) {
  auto cluster = std::make_unique<Cluster>();
  cluster->pki_ = std::make_unique<ClusterPki>(TRY(ClusterPki::open(options.dataDir + "/pki", Clock::real())));
  TRY(cluster->startControlPlane(options));
  TRY(cluster->startRoles(options));
  if (!options.noNode) TRY(cluster->startNode(options));
  TRY(writeAdminKubeconfig(*cluster->pki_, options, cluster->server_));
  return cluster;
}

Cluster::~Cluster() {
  while (!roles_.empty()) {
    roles_.back()->stop();
    roles_.pop_back();
  }
}

Status Cluster::startControlPlane(const UpOptions& options) {
  ControlPlaneOptions plane = options.plane;
  plane.storeDir = options.dataDir + "/store";
  plane.port = options.apiPort;
  plane.advertiseAddress = options.nodeIp;
  auto kubeletClient = TRY(pki_->clientCertificate("apiserver-kubelet-client",
                                                   {"kube-apiserver-kubelet-client", {"system:masters"}}));
  plane.api.kubeletCaPem = pki_->ca().certificatePem;
  plane.api.kubeletClientCert = kubeletClient.certificatePem;
  plane.api.kubeletClientKey = kubeletClient.keyPem;
  TRY(fillFromPki(*pki_, plane));
  plane_ = TRY(ControlPlane::start(std::move(plane)));
  server_ = concat("https://127.0.0.1:", plane_->port());
  return okStatus();
}

std::shared_ptr<client::Transport> Cluster::transportFor(pki::Subject subject) {
  return inProcessTransport(plane_->api(), {.name = subject.commonName, .groups = subject.organizations});
}

Status Cluster::run(std::unique_ptr<client::Role> role) {
  TRY(role->start());
  roles_.push_back(std::move(role));
  return okStatus();
}

Status Cluster::startRoles(const UpOptions& options) {
  TRY(run(controllers::createControllerManager(
      {.transport = transportFor({"system:kube-controller-manager", {"system:masters"}}),
       .clusterCidr = options.podCidr,
       .serviceCidr = options.plane.api.security.serviceCidr,
       .rootCaPem = pki_->ca().certificatePem,
       .signingCertPem = pki_->ca().certificatePem,
       .signingKeyPem = pki_->ca().keyPem})));
  return run(scheduler::createScheduler(
      {.transport = transportFor({"system:kube-scheduler", {}})}));
}

Status Cluster::startNode(const UpOptions& options) {
  auto node = concat("system:node:", options.nodeName);
  auto serving = TRY(pki_->serverCertificate("kubelet", {options.nodeName, "localhost"}, {options.nodeIp, "127.0.0.1"}));
  auto clusterDns = TRY(nthServiceAddress(options.plane.api.security.serviceCidr, 10));
  TRY(startDns(options));
  TRY(run(proxy::createProxy({.transport = transportFor({"system:kube-proxy", {}}),
                              .nodeName = options.nodeName,
                              .nodeIp = options.nodeIp,
                              .clusterCidr = options.podCidr,
                              .tableName = serviceTableName(options.dataDir)})));
  return run(kubelet::createKubelet({.transport = transportFor({node, {"system:nodes"}}),
                                     .nodeName = options.nodeName,
                                     .nodeIp = options.nodeIp,
                                     .rootDir = options.dataDir + "/kubelet",
                                     .runtimeDir = options.dataDir,
                                     .imagesDir = options.imagesDir,
                                     .pauseImageArchive = besideBinary("pause.tar"),
                                     .clusterDns = clusterDns,
                                     .servingCertPem = serving.certificatePem,
                                     .servingKeyPem = serving.keyPem,
                                     .clientCaPem = pki_->ca().certificatePem,
                                     .port = options.kubeletPort,
                                     .clusterCidr = options.podCidr,
                                     .staticPodPath = options.staticPodPath,
                                     .evictionHard = options.evictionHard}));
}

// DNS listens beside the node on a port of its own; the kube-dns service leads port 53 there.
Status Cluster::startDns(const UpOptions& options) {
  auto transport = transportFor({"system:coredns", {"system:masters"}});
  auto clusterDns = TRY(nthServiceAddress(options.plane.api.security.serviceCidr, 10));
  TRY(run(dns::createDns({.transport = transport, .listenAddress = options.nodeIp, .port = options.dnsPort})));
  client::Client client(transport, "skiff");
  return ensureDnsService(client, clusterDns, options.nodeIp, options.nodeName, options.dnsPort);
}

namespace {

Status checkNodeNeeds(const UpOptions& options) {
  if (options.noNode) return okStatus();
  if (geteuid() != 0)
    return Error(Reason::Forbidden, "running a node needs root; use --no-node for a control plane only");
  struct Need {
    const char* path;
    const char* package;
  };
  for (const Need& need : {Need{"/usr/bin/containerd", "containerd"}, Need{"/usr/sbin/runc", "runc"},
                           Need{"/usr/lib/cni/bridge", "containernetworking-plugins"},
                           Need{"/usr/sbin/nft", "nftables"}})
    if (!exists(need.path))
      return Error(Reason::NotFound, concat(std::string_view(need.path), " is missing: apt-get install ",
                                            std::string_view(need.package)));
  return okStatus();
}

Result<UpOptions> parseUp(const Args& args, bool* help) {
  UpOptions options;
  options.plane.api.security.authentication.bootstrapTokens = true;
  std::string logLevel = "info";
  Flags flags;
  flags.text("data-dir", &options.dataDir, "where the cluster's state lives")
      .integer("api-port", &options.apiPort, "port of the API server")
      .boolean("no-node", &options.noNode, "control plane only: no containers, no root, no host network")
      .boolean("detach", &options.detach, "go to the background when ready")
      .text("images", &options.imagesDir, "image archives to import at boot")
      .text("pod-cidr", &options.podCidr, "addresses of pods")
      .text("service-cidr", &options.plane.api.security.serviceCidr, "addresses of services")
      .text("node-name", &options.nodeName, "name of the node; default: the host's name")
      .text("node-ip", &options.nodeIp, "address of the node; default: that of the default route")
      .integer("kubelet-port", &options.kubeletPort, "port of the kubelet")
      .text("pod-manifest-path", &options.staticPodPath, "directory of static pods")
      .text("eviction-hard", &options.evictionHard, "thresholds below which pods are evicted")
      .integer("dns-port", &options.dnsPort, "port of cluster DNS on the node's address")
      .text("log-level", &logLevel, "debug, info, warn or error")
      .boolean("help", help, "this text", 'h');
  ApiServerFlags shared;
  shared.addTo(flags, options.plane);
  auto rest = TRY(flags.parse(args));
  TRY(shared.complete(flags, options.plane));
  if (*help) std::printf("Usage: skiff up [flags]\n\n%s", flags.usage().c_str());
  if (!rest.empty()) return badRequest(concat("unexpected argument ", skiff::quoted(rest[0])));
  if (logLevel == "debug") log::setLevel(log::Level::Debug);
  if (logLevel == "warn") log::setLevel(log::Level::Warn);
  if (logLevel == "error") log::setLevel(log::Level::Error);
  if (options.nodeName.empty()) options.nodeName = hostName();
  if (options.nodeIp.empty()) options.nodeIp = primaryAddress();
  std::error_code ignored;
  options.dataDir = std::filesystem::absolute(options.dataDir, ignored).string();
  while (options.dataDir.size() > 1 && options.dataDir.ends_with('/')) options.dataDir.pop_back();
  return options;
}

Status serve(const UpOptions& options, Detached& detached) {
  auto lock = TRY(InstanceLock::acquire(options.dataDir));
  blockStopSignals();
  auto started = Clock::real().steadyNow();
  auto cluster = TRY(Cluster::start(options));
  auto took = std::chrono::duration_cast<milliseconds>(Clock::real().steadyNow() - started);
  log::info("Cluster is up", {{"ms", took.count()}, {"port", options.apiPort}, {"dataDir", options.dataDir}});
  detached.report(okStatus());
  waitForStopSignal();
  log::info("Stopping");
  cluster.reset();
  return okStatus();
}

}  // namespace

int runUp(const Args& args) {
  bool help = false;
  auto options = parseUp(args, &help);
  if (!options.ok()) return fail(options.error().message());
  if (help) return 0;
  if (auto needs = checkNodeNeeds(*options); !needs.ok()) return fail(needs.error().message());
  Detached detached;
  if (options->detach) {
    if (auto made = makeDirectories(options->dataDir + "/log"); !made.ok()) return fail(made.error().message());
    auto forked = Detached::fork(options->dataDir + "/log/skiff.log");
    if (!forked.ok()) return fail(forked.error().message());
    detached = std::move(*forked);
  }
  auto status = serve(*options, detached);
  if (status.ok()) return 0;
  detached.report(status);
  return fail(status.error().message());
}

}  // namespace skiff::cmd
