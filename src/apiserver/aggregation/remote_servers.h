// Connections to aggregated API servers: over TLS to a ready endpoint of the service, with the front proxy's certificate. They
// are kept and shared. Thread safe; calls block.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "apiserver/aggregation/api_service.h"
#include "apiserver/request.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/http_client.h"

namespace skiff::apiserver {

class RemoteServers {
 public:
  struct Options {
    std::string proxyClientCert, proxyClientKey;  // PEM; empty: none is shown
  };
  RemoteServers(Options options, const ClusterReader& cluster) : options_(std::move(options)), cluster_(cluster) {}

  enum class Use { Requests, Upgrades };  // upgrades exist on HTTP/1.1 only
  Result<std::shared_ptr<net::HttpClient>> clientFor(const ApiService& service, Use use);
  // A GET in the aggregator's own name. Answers of other statuses than 200 are handed out too.
  Result<net::Response> get(const ApiService& service, std::string_view path, std::string_view accept, milliseconds timeout,
                            std::string_view etag = {});

 private:
  Options options_;
  const ClusterReader& cluster_;
  std::mutex mutex_;  // guards clients_
  std::map<std::string, std::shared_ptr<net::HttpClient>> clients_;
};

// "metrics-server.kube-system.svc": the name in the server's certificate.
std::string serverNameOf(const ApiService& service);
// Who the request is from, told in the headers that the server trusts from a front proxy only. What the caller sent under these
// names is dropped.
void tellUser(net::Request& request, const UserInfo& user);

}  // namespace skiff::apiserver
