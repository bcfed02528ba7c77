#include "apiserver/http_clients.h"

#include "base/strings.h"

namespace skiff::apiserver {
namespace {

std::string keyOf(const HttpClients::Target& target) {
  const net::Endpoint& endpoint = target.endpoint;
  return concat(endpoint.host, ":", endpoint.port, "/", endpoint.serverName, "/", target.isTls, target.insecureSkipVerify,
                target.forceHttp1, "/", target.connectTimeout.count(), "/", target.caPem, "/", target.keyPair.certificatePem, "/",
                target.keyPair.keyPem);
}

}  // namespace

Result<std::shared_ptr<net::HttpClient>> HttpClients::clientFor(const Target& target) {
  std::string key = keyOf(target);
  {
    std::lock_guard lock(mutex_);
    if (auto found = clients_.find(key); found != clients_.end()) return found->second;
  }
  net::HttpClient::Options options;
  options.endpoint = target.endpoint;
  options.connectTimeout = target.connectTimeout;
  options.forceHttp1 = target.forceHttp1;
  if (target.isTls) {
    net::TlsContext::Client tls;
    tls.caPem = target.caPem;
    tls.keyPair = target.keyPair;
    tls.insecureSkipVerify = target.insecureSkipVerify;
    if (target.forceHttp1) tls.alpn = {"http/1.1"};
    options.endpoint.tls = TRY(net::TlsContext::client(std::move(tls)));
  }
  std::shared_ptr<net::HttpClient> client = net::HttpClient::create(std::move(options));
  std::lock_guard lock(mutex_);
  if (clients_.size() >= capacity_) clients_.clear();
  return clients_.emplace(std::move(key), std::move(client)).first->second;
}

Result<std::string> decodeCaBundle(std::string_view caBundle) {
  auto pem = base64Decode(caBundle);
  if (!pem) return badRequest("invalid caBundle");
  return *std::move(pem);
}

}  // namespace skiff::apiserver
