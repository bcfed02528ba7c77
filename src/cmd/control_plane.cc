#include "cmd/control_plane.h"

#include "base/strings.h"
#include "cmd/host.h"
#include "cmd/instance.h"
#include "store/engine.h"

namespace skiff::cmd {
namespace {
constexpr milliseconds kDrain{2000};  // open answers get this long when the server stops
// An event keeps the value that it replaced, some 5 KB for a pod: resident memory under churn is bounded by this.
constexpr size_t kWindowEvents = 20000;
constexpr std::chrono::hours kForEver{24 * 366};
}

namespace {

Result<std::unique_ptr<store::Store>> openStoreOf(const ControlPlaneOptions& options, std::shared_ptr<store::Transformer> transformer) {
  if (options.etcd.servers.empty()) {
    auto interval = std::chrono::ceil<seconds>(options.etcd.compactionInterval);
    return store::openStore({.directory = options.storeDir, .historyAge = interval.count() > 0 ? interval : kForEver,
                             .maxWindowEvents = kWindowEvents, .transformer = std::move(transformer)});
  }
  store::EtcdOptions etcd = options.etcd;
  etcd.transformer = std::move(transformer);
  etcd.maxWindowEvents = kWindowEvents;
  etcd.startAbandoned = stopSignalWaits;
  return store::openEtcdStore(std::move(etcd));
}

}  // namespace

Status fillFromPki(const ClusterPki& pki, ControlPlaneOptions& plane) {
  auto& security = plane.api.security;
  if (security.clientCaPem.empty()) security.clientCaPem = pki.ca().certificatePem;
  if (security.requestHeaderCaPem.empty()) {
    security.requestHeaderCaPem = pki.frontProxyCa().certificatePem;
    security.requestHeaderAllowedNames = {std::string(kFrontProxyName)};
  }
  if (plane.api.proxyClientCert.empty()) {
    auto frontProxy = TRY(pki.frontProxyCertificate());
    plane.api.proxyClientCert = frontProxy.certificatePem;
    plane.api.proxyClientKey = frontProxy.keyPem;
  }
  if (security.serviceAccountKeys.empty()) security.serviceAccountKeys = pki.serviceAccountKeys();
  if (plane.serving.certificatePem.empty()) {
    auto serviceAddress = TRY(nthServiceAddress(security.serviceCidr, 1));
    auto made = TRY(pki.serverCertificate("apiserver",
                                          {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                                           "kubernetes.default.svc.cluster.local", "localhost", hostName()},
                                          {"127.0.0.1", serviceAddress, plane.advertiseAddress}));
    plane.serving = {made.certificatePem, made.keyPem};
  }
  return okStatus();
}

Result<std::unique_ptr<ControlPlane>> ControlPlane::start(ControlPlaneOptions options) {
  auto plane = std::make_unique<ControlPlane>();
  auto clientCas = options.api.security.clientCaPem + options.api.security.requestHeaderCaPem;
  auto tls = TRY(net::TlsContext::server({.keyPair = options.serving, .clientCaPem = clientCas}));
  std::shared_ptr<apiserver::encryption::EncryptionAtRest> encryption;
  if (!options.encryption.configFile.empty()) {
    if (!options.etcd.servers.empty()) options.encryption.prefix = options.etcd.prefix;
    encryption = TRY(apiserver::encryption::EncryptionAtRest::create(options.encryption));
    options.api.keyServices = [encryption] { return encryption->healthy(); };
  }
  plane->store_ = TRY(openStoreOf(options, encryption));
  options.api.port = options.port;
  options.api.advertiseAddress = options.advertiseAddress;
  plane->api_ = TRY(apiserver::ApiServer::create(options.api, plane->store_));
  auto server = net::Server::start({.address = options.bindAddress, .port = uint16_t(options.port), .tls = tls},
                                   plane->api_->handler());
  if (!server.ok()) return std::move(server).error().wrap(concat("API server port ", options.port));
  plane->server_ = std::move(*server);
  return plane;
}

ControlPlane::~ControlPlane() {
  if (api_) api_->stop();  // ends watches, so that the drain is short
  if (server_) server_->stop(kDrain);
  server_.reset();
  api_.reset();
}

}  // namespace skiff::cmd
