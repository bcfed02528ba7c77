// Store and API server behind a TLS port: what `skiff up` and `skiff apiserver` share.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apiserver/encryption/encryption_at_rest.h"
#include "apiserver/server.h"
#include "base/result.h"
#include "cmd/cluster_pki.h"
#include "net/server.h"
#include "store/etcd/etcd.h"
#include "store/store.h"

namespace skiff::cmd {

struct ControlPlaneOptions {
  std::string storeDir;
  store::EtcdOptions etcd;  // with servers: instead of storeDir
  std::string bindAddress = "0.0.0.0";
  std::string advertiseAddress;  // default: the primary address
  int port = 6443;
  net::KeyPair serving;
  apiserver::encryption::EncryptionAtRest::Options encryption;  // without a file: none
  apiserver::ApiServerOptions api;
};

// What the options leave open is taken from the cluster's keys: CAs, the serving certificate, the front proxy's, the signing key.
Status fillFromPki(const ClusterPki& pki, ControlPlaneOptions& plane);

class ControlPlane {
 public:
  static Result<std::unique_ptr<ControlPlane>> start(ControlPlaneOptions options);
  ~ControlPlane();
  apiserver::ApiServer& api() { return *api_; }
  int port() const { return server_->port(); }

 private:
  std::shared_ptr<store::Store> store_;
  std::unique_ptr<apiserver::ApiServer> api_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace skiff::cmd
