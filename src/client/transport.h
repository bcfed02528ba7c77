// How a client reaches an API server: over HTTPS, or by a direct call inside one process. Nothing else differs.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/object.h"
#include "base/result.h"
#include "net/http.h"
#include "net/http_client.h"

namespace skiff::client {

class WatchStream {
 public:
  virtual ~WatchStream() = default;
  // The next event; nullopt when the server ended the watch. Blocks; Reason::Timeout after `timeout`.
  virtual Result<std::optional<api::WatchEvent>> next(std::chrono::milliseconds timeout) = 0;
  virtual void cancel() = 0;  // from any thread: next() ends
};

// What a request carries and an answer gives, as objects: an in-process transport passes them on as they are, an HTTP
// transport encodes and decodes them.
struct ApiRequest {
  std::string method;       // "GET"
  std::string path;         // "/api/v1/namespaces/a/pods"
  std::vector<std::pair<std::string, std::string>> query;
  api::ObjectPtr body;      // or null
  std::string rawBody;      // instead of body: patches
  std::string contentType;  // of rawBody
  std::string accept;       // default: application/json; only raw() and stream() heed it
  std::chrono::milliseconds timeout{30000};
};

class Transport {
 public:
  virtual ~Transport() = default;
  // An answer of status >= 400 comes back as the Error of its Status. Empty answers give a null object.
  virtual Result<api::ObjectPtr> call(ApiRequest request) = 0;
  virtual Result<api::ObjectList> list(ApiRequest request) = 0;
  virtual Result<std::unique_ptr<WatchStream>> watch(ApiRequest request) = 0;
  // Bytes as they are (logs, /version, proxies).
  virtual Result<net::Response> raw(ApiRequest request) = 0;
  // A streaming answer (logs -f), and an upgraded connection (exec, attach, port-forward).
  virtual Result<std::unique_ptr<net::ResponseStream>> stream(ApiRequest request) = 0;
  virtual Result<std::unique_ptr<net::ByteStream>> upgrade(ApiRequest request, net::Headers headers,
                                                           net::Response* answer) = 0;
};

// kubeconfig as kubectl resolves it: --kubeconfig, $KUBECONFIG (merged list), ~/.kube/config, in-cluster.
struct KubeconfigOverrides {
  std::string path;  // --kubeconfig
  std::string context, cluster, user, ns;
  std::string server, token, caFile, certFile, keyFile, tlsServerName;
  std::string asUser;
  std::vector<std::string> asGroups;
  bool insecure = false;
};
struct Config {
  std::string server;  // URL
  std::string caPem, certPem, keyPem, token, tokenFile, tlsServerName, username, password;
  bool insecure = false;
  std::string defaultNamespace = "default";
  std::string asUser;
  std::vector<std::string> asGroups;
  std::string userAgent = "skiff";
};
Result<Config> loadKubeconfig(const KubeconfigOverrides& overrides = {});
// One user, one cluster, certificates inline, current context set.
std::string writeKubeconfig(const Config& config, std::string_view clusterName, std::string_view userName);
Result<std::unique_ptr<Transport>> httpTransport(const Config& config);

// The Error of a metav1.Status.
Error errorFromStatus(const codec::Value& status, int httpStatus);

}  // namespace skiff::client
