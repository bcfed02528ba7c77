#include "apiserver/aggregation/remote_servers.h"

#include "apiserver/extension/webhook_client.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

constexpr milliseconds kConnectTimeout{5000};

// The keys of extra information are any text; in a header's name all but letters, digits and some marks is escaped.
std::string headerKey(std::string_view key) {
  constexpr std::string_view kPlain = "!#$&'*+-.^_`|~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (char c : key) {
    auto byte = uint8_t(c);
    if (byte < 0x80 && (std::isalnum(byte) || kPlain.find(c) != std::string_view::npos)) out += c;
    else out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

}  // namespace

std::string serverNameOf(const ApiService& service) {
  return concat(service.serviceName, ".", service.serviceNamespace, ".svc");
}

void tellUser(net::Request& request, const UserInfo& user) {
  std::vector<std::string> claimed;
  for (const auto& [name, value] : request.headers.items())
    if (toLower(name).starts_with("x-remote-")) claimed.push_back(name);
  for (const std::string& name : claimed) request.headers.remove(name);
  request.headers.set("X-Remote-User", user.name);
  if (!user.uid.empty()) request.headers.set("X-Remote-Uid", user.uid);
  for (const std::string& group : user.groups) request.headers.add("X-Remote-Group", group);
  for (const auto& [key, values] : user.extra)
    for (const std::string& value : values) request.headers.add(concat("X-Remote-Extra-", headerKey(key)), value);
}

Result<std::shared_ptr<net::HttpClient>> RemoteServers::clientFor(const ApiService& service, Use use) {
  auto address = TRY(extension::resolveService(cluster_, service.serviceNamespace, service.serviceName, service.port));
  HttpClients::Target target;
  target.endpoint.host = address.host;
  target.endpoint.port = address.port;
  target.endpoint.serverName = serverNameOf(service);
  target.caPem = TRY(decodeCaBundle(service.caBundle));
  target.keyPair = {options_.proxyClientCert, options_.proxyClientKey};
  target.insecureSkipVerify = service.insecureSkipTlsVerify;
  target.forceHttp1 = use == Use::Upgrades;
  target.connectTimeout = kConnectTimeout;
  return clients_.clientFor(target);
}

Result<net::Response> RemoteServers::get(const ApiService& service, std::string_view path, std::string_view accept,
                                         milliseconds timeout, std::string_view etag) {
  auto client = TRY(clientFor(service, Use::Requests));
  net::Request request;
  request.method = "GET";
  request.path = std::string(path);
  request.headers.set("host", serverNameOf(service));
  if (!accept.empty()) request.headers.set("accept", accept);
  if (!etag.empty()) request.headers.set("if-none-match", etag);
  request.headers.set("user-agent", "kube-aggregator");
  tellUser(request, {"system:kube-aggregator", "", {"system:masters"}, {}});
  return client->call(std::move(request), timeout);
}

}  // namespace skiff::apiserver
