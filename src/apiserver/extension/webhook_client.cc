#include "apiserver/extension/webhook_client.h"

#include "base/clock.h"
#include "base/strings.h"
#include "codec/json.h"
#include "net/body.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Value;

constexpr std::string_view kUserAgent = "kube-apiserver-admission";

// A ready endpoint of the service's port, chosen at random.
std::optional<ServiceAddress> readyEndpoint(const ClusterReader& cluster, std::string_view ns, std::string_view name,
                                            std::string_view portName) {
  std::vector<ServiceAddress> ready;
  for (const codec::DocumentPtr& slice : cluster.list("discovery.k8s.io", "endpointslices", ns)) {
    if (slice->root["metadata"]["labels"]["kubernetes.io/service-name"].asString() != name) continue;
    for (const Value& port : slice->root["ports"].items()) {
      if (port["name"].asString() != portName) continue;
      for (const Value& endpoint : slice->root["endpoints"].items()) {
        const Value& condition = endpoint["conditions"]["ready"];
        if (condition.isBool() && !condition.asBool()) continue;
        if (endpoint["addresses"].empty()) continue;
        ready.push_back({endpoint["addresses"].at(0).str(), uint16_t(port["port"].asInt())});
      }
    }
  }
  if (ready.empty()) return std::nullopt;
  return ready[Rng::real().below(ready.size())];
}

Error callError(const std::string& url, std::string_view why) {
  return {Reason::InternalError, concat("Post ", quoted(url), ": ", why)};
}

}  // namespace

Result<ServiceAddress> resolveService(const ClusterReader& cluster, std::string_view ns, std::string_view name,
                                      int64_t port) {
  codec::DocumentPtr service = cluster.get("", "services", ns, name);
  if (!service) return Error(Reason::NotFound, concat("service ", quoted(name), " not found"));
  const Value& spec = service->root["spec"];
  if (spec["type"].asString() == "ExternalName") return ServiceAddress{spec["externalName"].str(), uint16_t(port)};
  for (const Value& entry : spec["ports"].items()) {
    if (entry["port"].asInt() != port) continue;
    if (auto endpoint = readyEndpoint(cluster, ns, name, entry["name"].asString())) return *endpoint;
    return Error(Reason::ServiceUnavailable, concat("no endpoints available for service ", quoted(name)));
  }
  return Error(Reason::ServiceUnavailable, concat("no service port ", port, " found for service ", quoted(name)));
}

Result<WebhookClient::Target> WebhookClient::resolve(const Value& config, std::chrono::seconds timeout) const {
  Target target;
  target.query = concat("timeout=", timeout.count(), "s");
  if (config.has("url")) {
    bool isTls = false;
    target.endpoint = TRY(net::parseUrl(config["url"].asString(), &isTls, &target.path));
    if (!isTls) return badRequest(concat("webhook URL ", quoted(config["url"].asString()), " must use https"));
    if (auto parts = cut(target.path, "?")) {
      target.query = concat(parts->second, "&", target.query);
      target.path = std::string(parts->first);
    }
    if (target.path.empty()) target.path = "/";
    std::string_view base = config["url"].asString();
    target.url = concat(base.substr(0, base.find('?')), "?", target.query);
    return target;
  }
  const Value& service = config["service"];
  std::string_view ns = service["namespace"].asString(), name = service["name"].asString();
  int64_t port = service["port"].asInt(443);
  target.path = service["path"].str();
  if (!target.path.starts_with('/')) target.path.insert(0, "/");
  target.endpoint.serverName = concat(name, ".", ns, ".svc");
  target.url = concat("https://", target.endpoint.serverName, ":", port, target.path, "?", target.query);
  auto address = resolveService(cluster_, ns, name, port);
  if (!address.ok()) return callError(target.url, address.error().message());
  target.endpoint.host = address->host;
  target.endpoint.port = address->port;
  return target;
}

Result<std::shared_ptr<net::HttpClient>> WebhookClient::clientFor(const Target& target, std::string_view caBundle) {
  HttpClients::Target wanted;
  wanted.endpoint = target.endpoint;
  wanted.caPem = TRY(decodeCaBundle(caBundle));
  return clients_.clientFor(wanted);
}

Result<std::shared_ptr<codec::Document>> WebhookClient::post(const Value& config, std::string body,
                                                             std::chrono::seconds timeout, std::string_view traceparent,
                                                             int* httpStatus) {
  Target target = TRY(resolve(config, timeout));
  auto client = clientFor(target, config["caBundle"].asString());
  if (!client.ok()) return callError(target.url, client.error().message());
  net::Request request;
  request.method = "POST";
  request.path = target.path;
  request.query = target.query;
  const net::Endpoint& endpoint = target.endpoint;
  request.headers.set("host", endpoint.serverName.empty() ? concat(endpoint.host, ":", endpoint.port) : endpoint.serverName);
  request.headers.set("content-type", "application/json");
  request.headers.set("accept", "application/json");
  request.headers.set("user-agent", kUserAgent);
  if (!traceparent.empty()) request.headers.set("traceparent", traceparent);
  request.body = SharedBytes(std::move(body));
  auto answer = (*client)->call(std::move(request), timeout);
  if (!answer.ok())
    return callError(target.url, answer.failedWith(Reason::Timeout) ? "context deadline exceeded" : answer.error().message());
  if (httpStatus) *httpStatus = answer->status;
  std::string text = net::bodyText(*answer);
  if (answer->status != 200) {
    std::string why = text.empty() || text.size() > 256 ? concat("the server returned status ", answer->status) : text;
    return Error(Reason::InternalError, std::move(why));
  }
  return codec::parseJsonDocument(text);
}

}  // namespace skiff::apiserver::extension
