// Calls to HTTPS endpoints that the cluster's objects name: by URL, or by service. Connections are kept and shared.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "apiserver/http_clients.h"
#include "apiserver/request.h"
#include "base/result.h"
#include "net/http_client.h"

namespace skiff::apiserver::extension {

class WebhookClient {
 public:
  explicit WebhookClient(const ClusterReader& cluster) : cluster_(cluster), clients_(kMaxClients) {}

  // POSTs JSON to where a clientConfig (url | service, caBundle) says and returns the answer's JSON. Blocks for at most
  // `timeout`. The error's text reads as Go's http client writes it (`Post "https://...": context deadline exceeded`).
  // `traceparent`: W3C trace context that the call is part of. `httpStatus`: set if there was an answer.
  Result<std::shared_ptr<codec::Document>> post(const codec::Value& clientConfig, std::string body,
                                                std::chrono::seconds timeout, std::string_view traceparent = {},
                                                int* httpStatus = nullptr);

 private:
  struct Target {
    net::Endpoint endpoint;
    std::string path, query, url;
  };
  Result<Target> resolve(const codec::Value& clientConfig, std::chrono::seconds timeout) const;
  Result<std::shared_ptr<net::HttpClient>> clientFor(const Target& target, std::string_view caBundle);

  static constexpr size_t kMaxClients = 64;  // clusters have a handful of webhooks
  const ClusterReader& cluster_;
  HttpClients clients_;
};

// Where a service's port is answered now: a ready endpoint, else its cluster IP. ServiceUnavailable when nothing is ready.
struct ServiceAddress {
  std::string host;
  uint16_t port = 0;
};
Result<ServiceAddress> resolveService(const ClusterReader& cluster, std::string_view ns, std::string_view name, int64_t port);

}  // namespace skiff::apiserver::extension
