// Connections to aggregated API servers: over TLS to a ready endpoint of the service, with the front proxy's certificate. They
// are kept and shared. Thread safe; calls block.
#pragma once
#include <memory>
#include <string>

#include "apiserver/aggregation/api_service.h"
#include "apiserver/http_clients.h"
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
  RemoteServers(Options options, const ClusterReader& cluster) : options_(std::move(options)), cluster_(cluster), clients_(kMaxClients) {}

  enum class Use { Requests, Upgrades };  // upgrades exist on HTTP/1.1 only
  Result<std::shared_ptr<net::HttpClient>> clientFor(const ApiService& service, Use use);
  // A GET in the aggregator's own name. Answers of other statuses than 200 are handed out too.
  Result<net::Response> get(const ApiService& service, std::string_view path, std::string_view accept, milliseconds timeout,
                            std::string_view etag = {});

 private:
  static constexpr size_t kMaxClients = 128;  // clusters have a handful of aggregated servers with a few endpoints each
  Options options_;
  const ClusterReader& cluster_;
  HttpClients clients_;
};

// "metrics-server.kube-system.svc": the name in the server's certificate.
std::string serverNameOf(const ApiService& service);
// Who the request is from, told in the headers that the server trusts from a front proxy only. What the caller sent under these
// names is dropped.
void tellUser(net::Request& request, const UserInfo& user);

}  // namespace skiff::apiserver
