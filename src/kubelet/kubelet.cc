#include "kubelet/kubelet.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"
#include "client/informer.h"
#include "kubelet/cni.h"
#include "kubelet/containerd.h"
#include "kubelet/eviction.h"
#include "kubelet/files.h"
#include "kubelet/housekeeping.h"
#include "kubelet/node_agent.h"
#include "kubelet/node_config.h"
#include "kubelet/objects.h"
#include "kubelet/pod_workers.h"
#include "kubelet/runtime_events.h"
#include "kubelet/server.h"
#include "kubelet/static_pods.h"
#include "pki/x509.h"

namespace skiff::kubelet {
namespace {

// The parts in order of creation: each sees only those before it. Destroyed in reverse.
class Kubelet : public client::Role {
 public:
  explicit Kubelet(KubeletOptions options) { config_.options = std::move(options); }
  ~Kubelet() override { stop(); }

  Status start() override {
    auto& options = config_.options;
    if (::geteuid() != 0) return Error(Reason::Forbidden, "the kubelet needs root");
    TRY(makeDirs(options.rootDir, 0750));
    TRY(makeDirs(config_.podsDir(), 0755));
    TRY(makeDirs(options.podLogsDir));
    const std::string ip = options.nodeIp.empty() ? defaultRouteAddress() : options.nodeIp;
    if (ip.empty()) return internalError("no default route: give the node's address with --node-ip");
    config_.nodeIps = {ip};
    auto capacity = nodeCapacity(options.rootDir, options.maxPods);
    config_.memoryBytes = capacity["memory"].value();
    config_.milliCpu = capacity["cpu"].milliValue();
    config_.thresholds = TRY(parseThresholds(options.evictionHard));
    config_.allocatable = nodeAllocatable(capacity, config_.thresholds);
    TRY(ensureServingCertificate());
    TRY(startRuntime());
    makeParts();
    TRY(cgroups_->ensureTop(config_.milliCpu));
    TRY(server_->start());
    node_->setPort(server_->port());
    TRY(node_->registerNode());
    setUpNetwork();
    node_->start();
    probes_->start();
    workers_->start();
    events_->start();
    eviction_->start();
    static_->start();
    startInformers();
    return okStatus();
  }

  void stop() override {
    stop_.raise();
    if (server_) server_->stop();
    if (informers_) informers_->stop();
    if (static_) static_->stop();
    if (eviction_) eviction_->stop();
    if (node_) node_->stop();
    if (networkThread_.joinable()) networkThread_.join();
    if (housekeeping_.joinable()) housekeeping_.join();
    if (events_) events_->stop();
    if (probes_) probes_->stop();
    if (workers_) workers_->stop();
  }

 private:
  // As upstream does where none is given: one signed by nobody that callers know.
  Status ensureServingCertificate() {
    auto& options = config_.options;
    if (!options.servingCertPem.empty()) return okStatus();
    const seconds year = std::chrono::hours(24 * 365);
    auto ca = TRY(pki::selfSignedCa(options.nodeName + "-ca", year, *config_.clock));
    pki::IssueOptions issue;
    issue.subject.commonName = options.nodeName;
    issue.dnsNames = {options.nodeName};
    issue.ipAddresses = config_.nodeIps;
    issue.serverAuth = true;
    issue.lifetime = year;
    auto pair = TRY(pki::issue(ca, issue, *config_.clock));
    options.servingCertPem = pair.certificatePem;
    options.servingKeyPem = pair.keyPem;
    return okStatus();
  }

  Status startRuntime() {
    auto& options = config_.options;
    if (options.containerRuntimeEndpoint.empty()) {
      containerd_ = std::make_unique<Containerd>(Containerd::Options{options.runtimeDir, options.pauseImage});
      TRY(containerd_->start());
      cri_ = cri::Client::create(containerd_->socketPath());
      return importImages();
    }
    cri_ = cri::Client::create(options.containerRuntimeEndpoint);
    auto version = cri_->version();
    if (!version.ok())
      return std::move(version).error().wrap(concat("container runtime at ", options.containerRuntimeEndpoint));
    return okStatus();
  }

  Status importImages() {
    auto& options = config_.options;
    if (!options.pauseImageArchive.empty()) {
      auto present = cri_->imageStatus(options.pauseImage);
      if (!present.ok() || !*present) TRY(containerd_->importImages(options.pauseImageArchive));
    }
    if (options.imagesDir.empty()) return okStatus();
    // Each archive once: its size and time are noted beside the runtime's data.
    const std::string notes = options.runtimeDir + "/containerd/imported";
    TRY(makeDirs(notes));
    for (const auto& name : listDir(options.imagesDir)) {
      if (!name.ends_with(".tar") && !name.ends_with(".tar.gz") && !name.ends_with(".tgz")) continue;
      const std::string path = concat(options.imagesDir, "/", name);
      struct stat info {};
      if (::stat(path.c_str(), &info) != 0) continue;
      const std::string stamp = concat(info.st_size, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
      const std::string note = concat(notes, "/", name);
      if (readFile(note).valueOr("") == stamp) continue;
      if (auto done = containerd_->importImages(path); !done.ok()) {
        log::warn("Could not import an image archive", {{"archive", path}, {"err", done.error().message()}});
        continue;
      }
      TRY(writeFile(note, stamp));
    }
    return okStatus();
  }

  void makeParts() {
    auto& options = config_.options;
    api_ = std::make_shared<client::Client>(options.transport, "kubelet");
    recorder_ = client::EventRecorder::create(api_, "kubelet", options.nodeName);
    informers_ = client::InformerFactory::create(api_);
    auto ownNode = informers_->of<api::core::v1::Node>({.fieldSelector = concat("metadata.name=", options.nodeName)});
    objects_ = std::make_unique<ApiObjects>(*api_, informers_->of<api::core::v1::Service>(), options.nodeName);
    reader_ = std::make_unique<RuntimeReader>(*cri_);
    cgroups_ = std::make_unique<Cgroups>(options.cgroupRoot);
    volumes_ = std::make_unique<VolumeManager>(config_.podsDir(), *objects_, *objects_, *config_.clock);
    images_ = std::make_unique<ImageManager>(*cri_, *objects_, *recorder_, *config_.clock);
    handlers_ = std::make_unique<HandlerRunner>(*cri_);
    probes_ = std::make_unique<ProbeManager>(*cri_, *recorder_, *config_.clock,
                                             [this](const std::string& uid) { workers_->wake(uid); });
    runtime_ = std::make_unique<PodRuntime>(PodRuntime::Deps{config_, *cri_, *reader_, *images_, *volumes_, *objects_,
                                                             *cgroups_, *recorder_, *handlers_, *probes_, *api_});
    statuses_ = std::make_unique<StatusManager>(*api_);
    workers_ = std::make_unique<PodWorkers>(PodWorkers::Deps{config_, *runtime_, *reader_, *images_, *volumes_, *cgroups_,
                                                             *probes_, *statuses_, *recorder_, ownNode,
                                                             [this] { return eviction_->scarce(); }});
    events_ = std::make_unique<RuntimeEvents>(
        *cri_, *reader_,
        RuntimeEvents::Handler{[this](const std::string& id) { workers_->containerEnded(id); },
                               [this](const std::string& uid) { workers_->wake(uid); },
                               [this] {
                                 if (!containerd_ || containerd_->alive()) return;
                                 log::warn("containerd has ended, starting it again");
                                 if (auto again = containerd_->start(); !again.ok())
                                   log::error("Could not start containerd", {{"err", again.error().message()}});
                               }});
    node_ = std::make_unique<NodeAgent>(config_, *api_, *cri_);
    eviction_ = std::make_unique<EvictionManager>(
        EvictionManager::Deps{config_, *cri_, *workers_, *volumes_,
                              [this](bool memory, bool disk) { node_->setPressure(memory, disk); },
                              [this] { removeUnusedImages(*cri_, config_.options.pauseImage); }});
    static_ = std::make_unique<StaticPods>(
        config_, *api_,
        StaticPods::Handler{[this](PodPtr pod) { workers_->podChanged(std::move(pod)); },
                            [this](const PodPtr& pod) { workers_->podGone(pod); },
                            [this](const std::string& uid, const PodPtr& mirror) { workers_->mirrorSeen(uid, mirror); }});
    server_ = std::make_unique<KubeletServer>(KubeletServer::Deps{config_, *cri_, *workers_, *api_});
  }

  // With a foreign runtime the network is its owner's business.
  void setUpNetwork() {
    auto configure = [this](const std::string& cidr) {
      auto& options = config_.options;
      if (containerd_) {
        PodNetwork network{cidr, options.clusterCidr, options.runtimeDir};
        auto done = configurePodNetwork(network, containerd_->cniConfDir(), options.runtimeDir + "/cni/data");
        if (!done.ok()) {
          log::error("Could not set up the pod network", {{"err", done.error().message()}});
          return;
        }
      }
      node_->setNetworkReady(true);
    };
    // A node that was here before has its network before it says that it is ready: it never seems lost by a restart.
    for (const std::string& cidr : {config_.options.podCidr, node_->knownPodCidr()}) {
      if (cidr.empty()) continue;
      configure(cidr);
      return;
    }
    networkThread_ = rt::Thread("kubelet-network", [this, configure] {
      if (std::string cidr = node_->awaitPodCidr(); !cidr.empty()) configure(cidr);
    });
  }

  void startInformers() {
    auto pods = informers_->of<Pod>({.fieldSelector = concat("spec.nodeName=", config_.options.nodeName)});
    client::Informer<Pod>::Handler handler;
    auto changed = [this](const PodPtr& pod) {
      if (isMirrorPod(*pod)) {
        static_->mirrorChanged(pod);
      } else {
        workers_->podChanged(pod);
      }
    };
    auto gone = [this](const PodPtr& pod) {
      if (isMirrorPod(*pod)) {
        static_->mirrorGone(pod);
      } else {
        workers_->podGone(pod);
      }
    };
    handler.onAdd = changed;
    handler.onUpdate = [changed, gone](const PodPtr& before, const PodPtr& pod) {
      // Deleted and made again between two looks: the old one is gone.
      if (before->metadata.uid != pod->metadata.uid) gone(before);
      changed(pod);
    };
    handler.onDelete = gone;
    pods.addHandler(std::move(handler));
    informers_->start();
    housekeeping_ = rt::Thread("kubelet-clean", [this] {
      while (!stop_.raised() && !informers_->waitForSync(seconds(1))) {
      }
      if (!stop_.raised()) workers_->removeOrphans();
      // Every half minute a look at sizes: a busy log can write its 10 MiB in that time, hardly much more.
      for (int round = 0; !stop_.waitFor(seconds(30)); ++round) {
        rotateLogs(config_, *cri_, *workers_);
        if (round % 10 == 9) collectImages(config_, *cri_, config_.options.pauseImage);
      }
    });
  }

  NodeConfig config_;
  rt::StopSignal stop_;
  std::unique_ptr<Containerd> containerd_;
  std::unique_ptr<cri::Client> cri_;
  std::shared_ptr<client::Client> api_;
  std::unique_ptr<client::EventRecorder> recorder_;
  std::unique_ptr<client::InformerFactory> informers_;
  std::unique_ptr<ApiObjects> objects_;
  std::unique_ptr<RuntimeReader> reader_;
  std::unique_ptr<Cgroups> cgroups_;
  std::unique_ptr<VolumeManager> volumes_;
  std::unique_ptr<ImageManager> images_;
  std::unique_ptr<HandlerRunner> handlers_;
  std::unique_ptr<ProbeManager> probes_;
  std::unique_ptr<PodRuntime> runtime_;
  std::unique_ptr<StatusManager> statuses_;
  std::unique_ptr<PodWorkers> workers_;
  std::unique_ptr<RuntimeEvents> events_;
  std::unique_ptr<NodeAgent> node_;
  std::unique_ptr<EvictionManager> eviction_;
  std::unique_ptr<StaticPods> static_;
  std::unique_ptr<KubeletServer> server_;
  rt::Thread networkThread_, housekeeping_;
};

}  // namespace

std::unique_ptr<client::Role> createKubelet(KubeletOptions options) {
  return std::make_unique<Kubelet>(std::move(options));
}

}  // namespace skiff::kubelet
