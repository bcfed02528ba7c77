#include "apiserver/node_proxy.h"

#include "apiserver/list.h"
#include "apiserver/relay.h"
#include "apiserver/rest.h"
#include "apiserver/status.h"
#include "base/log.h"
#include "base/strings.h"
#include "net/http_client.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

constexpr size_t kMaxStreams = 512;            // logs, execs and proxied requests at the same time
constexpr milliseconds kConnectTimeout{10000};
constexpr int kDefaultKubeletPort = 10250;

// "https:web:8443" -> scheme, name, port; "web" -> "", web, "".
struct ProxyName {
  std::string scheme, name, port;
};
std::optional<ProxyName> splitProxyName(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() == 1) return ProxyName{"", std::string(parts[0]), ""};
  if (parts.size() == 2) return ProxyName{"", std::string(parts[0]), std::string(parts[1])};
  if (parts.size() == 3 && (parts[0] == "http" || parts[0] == "https" || parts[0].empty()))
    return ProxyName{std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
  return std::nullopt;
}

// What follows the first segments of a path, byte for byte.
std::string_view backendPath(std::string_view path, int segments) {
  size_t at = 0;
  while (segments-- > 0 && at != std::string_view::npos) at = path.find('/', at + 1);
  return at == std::string_view::npos ? std::string_view() : path.substr(at);
}

bool hasContainer(const Value& pod, std::string_view name) {
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
    for (const Value& container : pod["spec"][list].items())
      if (container["name"].asString() == name) return true;
  return false;
}

// The container that is meant: the named one, the default annotation's, or the only one.
Result<std::string> chooseContainer(const Value& pod, std::string_view asked, bool annotated) {
  std::string_view podName = pod["metadata"]["name"].asString();
  if (!asked.empty()) {
    if (!hasContainer(pod, asked)) return badRequest(concat("container ", asked, " is not valid for pod ", podName));
    return std::string(asked);
  }
  const Value& containers = pod["spec"]["containers"];
  std::string_view preferred = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].asString();
  if (annotated && !preferred.empty() && hasContainer(pod, preferred)) return std::string(preferred);
  if (containers.size() == 1) return containers.at(0)["name"].str();
  std::vector<std::string_view> names, inits;
  for (const Value& container : containers.items()) names.push_back(container["name"].asString());
  for (const Value& container : pod["spec"]["initContainers"].items()) inits.push_back(container["name"].asString());
  std::string text = concat("a container name must be specified for pod ", podName, ", choose one of: [", join(names, " "), "]");
  if (!inits.empty()) text += concat(" or one of the init containers: [", join(inits, " "), "]");
  return badRequest(text);
}

std::string_view nodeAddress(const Value& node) {
  for (std::string_view type : {"InternalIP", "Hostname", "ExternalIP"})
    for (const Value& address : node["status"]["addresses"].items())
      if (address["type"].asString() == type) return address["address"].asString();
  return {};
}

}  // namespace

struct NodeProxy::Target {
  std::string scheme = "https", host;
  uint16_t port = 0;
  std::string path;   // with prefix
  std::string query;
  bool empty = false;  // nothing to ask: 204 (log of a pod that has no node)
  bool kubelet = true;  // show our client certificate
  std::string redirect;  // instead of asking: where the client shall go
  std::string prefix;    // of a proxied path: what stands before the backend's own
};

NodeProxy::NodeProxy(Options options, Registry& registry)
    : options_(std::move(options)),
      registry_(registry),
      workers_(rt::Executor::create({.name = "node-proxy", .maxThreads = kMaxStreams, .maxQueue = 64})) {
  net::TlsContext::Client client;
  client.caPem = options_.kubeletCaPem;
  client.keyPair = {options_.kubeletClientCert, options_.kubeletClientKey};
  client.insecureSkipVerify = options_.kubeletCaPem.empty();  // as upstream without --kubelet-certificate-authority
  client.alpn = {"http/1.1"};
  if (auto tls = net::TlsContext::client(std::move(client)); tls.ok()) tls_ = std::move(tls).value();
  else log::warn("Cannot set up TLS towards kubelets", {{"err", tls.error().message()}});
}

NodeProxy::~NodeProxy() { stop(); }
void NodeProxy::stop() {
  streams_.stop();
  workers_->stop();
}

void NodeProxy::serve(ExchangePtr exchange) {
  if (!workers_->submit([this, exchange] { run(exchange); }))
    exchange->fail(tooManyRequests("Too many requests, please try again later.", 1));
}

// Streams into a pod or node are admitted as CONNECT, with their options as the object. Reading logs is not.
Status NodeProxy::admitConnect(Exchange& exchange) const {
  struct OptionsKind {
    std::string_view resource, subresource, kind;
  };
  constexpr OptionsKind kKinds[] = {
      {"pods", "exec", "PodExecOptions"},     {"pods", "attach", "PodAttachOptions"}, {"pods", "portforward", "PodPortForwardOptions"},
      {"pods", "proxy", "PodProxyOptions"},   {"nodes", "proxy", "NodeProxyOptions"}, {"services", "proxy", "ServiceProxyOptions"}};
  auto kind = std::ranges::find_if(kKinds, [&](const OptionsKind& known) {
    return known.resource == exchange.info.resource && known.subresource == exchange.info.subresource;
  });
  if (kind == std::end(kKinds)) return okStatus();
  codec::Arena arena;
  Value options = Value::map();
  options.set(arena, "kind", Value::string(kind->kind));
  options.set(arena, "apiVersion", Value::string("v1"));
  for (const auto& [key, value] : exchange.query.items()) {
    if (key == "stdin" || key == "stdout" || key == "stderr" || key == "tty")
      options.set(arena, key, Value::boolean(exchange.query.flag(key).value_or(false)));
    else if (key == "command")
      options.child(arena, key).push(arena, Value::text(arena, value));
    else if (key == "container" || key == "path")
      options.set(arena, key, Value::text(arena, value));
  }
  return registry_.admit(callOf(exchange, "", false), Operation::Connect, &options, nullptr, arena);
}

void NodeProxy::run(const ExchangePtr& exchange) {
  if (Status admitted = admitConnect(*exchange); !admitted.ok()) return exchange->fail(admitted.error());
  auto target = resolve(*exchange);
  if (!target.ok()) return exchange->fail(target.error());
  if (target->empty || !target->redirect.empty()) {
    net::Response response;
    response.status = target->empty ? 204 : 301;
    response.headers = exchange->headers("");
    if (!target->redirect.empty()) response.headers.set("location", target->redirect);
    return exchange->respond(std::move(response));
  }
  forward(exchange, *target);
}

Result<codec::DocumentPtr> NodeProxy::object(std::string_view resource, std::string_view ns, std::string_view name) const {
  ServedPtr served = registry_.resources().current()->find("", "v1", resource);
  return TRY(registry_.get(*served, ns, name))->document();
}

Result<NodeProxy::Target> NodeProxy::resolve(Exchange& exchange) {
  const RequestInfo& info = exchange.info;
  if (info.subresource == "proxy") return proxyTarget(exchange);
  codec::DocumentPtr pod = TRY(object("pods", info.ns, info.parts[1]));
  return podTarget(exchange, pod->root);
}

Result<NodeProxy::Target> NodeProxy::nodeTarget(std::string_view nodeName, std::string path) {
  codec::DocumentPtr node = TRY(object("nodes", "", nodeName));
  Target target;
  target.host = std::string(nodeAddress(node->root));
  if (target.host.empty()) return internalError(concat("no preferred addresses found; known addresses: []"));
  int64_t port = node->root["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].asInt(kDefaultKubeletPort);
  target.port = uint16_t(port > 0 && port < 65536 ? port : kDefaultKubeletPort);
  target.path = std::move(path);
  return target;
}

Result<NodeProxy::Target> NodeProxy::podTarget(Exchange& exchange, const Value& pod) {
  const RequestInfo& info = exchange.info;
  std::string_view nodeName = pod["spec"]["nodeName"].asString();
  bool isLog = info.subresource == "log", isForward = info.subresource == "portforward";
  std::string container;
  if (!isForward) container = TRY(chooseContainer(pod, exchange.query.get("container"), true));
  if (nodeName.empty()) {
    if (!isLog) return badRequest(concat("pod ", info.parts[1], " does not have a host assigned"));
    Target nothing;
    nothing.empty = true;
    return nothing;
  }
  std::string where = concat('/', percentEncode(info.ns), '/', percentEncode(info.parts[1]));
  std::string path;
  if (isLog) path = concat("/containerLogs", where, '/', percentEncode(container));
  else if (isForward) path = concat("/portForward", where);
  else path = concat('/', info.subresource, where, '/', percentEncode(container));
  Target target = TRY(nodeTarget(nodeName, std::move(path)));
  // The kubelet names its switches otherwise than the API's options do.
  std::vector<std::pair<std::string, std::string>> query;
  for (const auto& [key, value] : exchange.query.items()) {
    if (key == "container") continue;
    bool stream = key == "stdin" || key == "stdout" || key == "stderr";
    if (stream && !isLog) {
      if (Query(concat("x=", value)).flag("x").value_or(false)) query.emplace_back(key == "stdin" ? "input" : key == "stdout" ? "output" : "error", "1");
    } else if (key == "tty" && !isLog) {
      if (Query(concat("x=", value)).flag("x").value_or(false)) query.emplace_back("tty", "1");
    } else {
      query.emplace_back(key, value);
    }
  }
  target.query = net::buildQuery(query);
  return target;
}

Result<NodeProxy::Target> NodeProxy::proxyTarget(Exchange& exchange) {
  const RequestInfo& info = exchange.info;
  auto name = splitProxyName(info.parts[1]);
  if (!name) return badRequest(concat("invalid ", info.resource, " request ", quoted(info.parts[1])));
  std::string_view raw = exchange.request().path;
  std::string_view below = backendPath(raw, info.ns.empty() ? 5 : 7);  // /api/v1/nodes/n/proxy, /api/v1/namespaces/x/pods/p/proxy
  std::string tail(below);
  Target target;
  if (tail.empty() && (exchange.request().method == "GET" || exchange.request().method == "HEAD")) {
    // Relative links of the backend's front page only work below a path that ends in a slash.
    target.redirect = concat(raw, '/', exchange.request().query.empty() ? "" : "?", exchange.request().query);
    return target;
  }
  if (tail.empty()) tail = "/";
  if (info.resource == "nodes") {
    target = TRY(nodeTarget(name->name, tail));
    if (auto port = parseUint(name->port); port && *port < 65536) target.port = uint16_t(*port);
    if (!name->scheme.empty()) target.scheme = name->scheme;
  } else if (info.resource == "services") {
    target = TRY(serviceTarget(exchange, name->scheme, name->name, name->port));
  } else {
    codec::DocumentPtr pod = TRY(object("pods", info.ns, name->name));
    target.kubelet = false;
    target.scheme = name->scheme.empty() ? "http" : name->scheme;
    target.host = pod->root["status"]["podIP"].str();
    if (target.host.empty()) return badRequest("address not allowed");
    auto port = parseUint(name->port);
    if (!name->port.empty() && (!port || *port > 65535)) return badRequest(concat("invalid port ", quoted(name->port)));
    if (!port)
      for (const Value& container : pod->root["spec"]["containers"].items())
        if (!port && !container["ports"].empty()) port = uint64_t(container["ports"].at(0)["containerPort"].asInt());
    target.port = uint16_t(port.value_or(80));
  }
  target.prefix = std::string(raw.substr(0, raw.size() - below.size()));
  target.path = std::move(tail);
  target.query = exchange.request().query;
  return target;
}

Result<NodeProxy::Target> NodeProxy::serviceTarget(Exchange& exchange, std::string_view scheme, std::string_view name,
                                                   std::string_view port) {
  const std::string& ns = exchange.info.ns;
  Error none(Reason::ServiceUnavailable, concat("no endpoints available for service ", quoted(name)));
  auto service = object("services", ns, name);
  if (!service.ok()) return none;
  std::string portName(port);
  bool portKnown = false;
  for (const Value& entry : (*service)->root["spec"]["ports"].items()) {
    bool same = port.empty() || entry["name"].asString() == port || std::to_string(entry["port"].asInt()) == port;
    if (!same) continue;
    portName = entry["name"].str();
    portKnown = true;
    break;
  }
  if (!portKnown) return Error(Reason::ServiceUnavailable, concat("no service port ", quoted(port), " found for service ", quoted(name)));
  ServedPtr slices = registry_.resources().current()->find("discovery.k8s.io", "v1", "endpointslices");
  ListPage page = TRY(listPage(registry_, *slices, ns, {}));
  for (const api::ObjectPtr& slice : page.items) {
    if (slice->labels()["kubernetes.io/service-name"].asString() != name) continue;
    for (const Value& slicePort : slice->root()["ports"].items()) {
      if (slicePort["name"].asString() != portName) continue;
      for (const Value& endpoint : slice->root()["endpoints"].items()) {
        const Value& ready = endpoint["conditions"]["ready"];
        if (ready.isBool() && !ready.asBool()) continue;
        Target target;
        target.kubelet = false;
        target.scheme = scheme.empty() ? "http" : std::string(scheme);
        target.host = endpoint["addresses"].at(0).str();
        target.port = uint16_t(slicePort["port"].asInt());
        return target;
      }
    }
  }
  return none;
}

namespace {

Error backendError(const Error& error) {
  return {Reason::ServiceUnavailable, concat("error trying to reach service: ", error.message())};
}

}  // namespace

void NodeProxy::forward(const ExchangePtr& exchange, const Target& target) {
  bool upgrade = wantsUpgrade(*exchange);
  net::Endpoint endpoint;
  endpoint.host = target.host;
  endpoint.port = target.port;
  if (target.scheme == "https") {
    endpoint.tls = tls_;
    if (!target.kubelet) {
      auto plain = net::TlsContext::client({.insecureSkipVerify = true, .alpn = {"http/1.1"}});
      if (!plain.ok()) return exchange->fail(plain.error());
      endpoint.tls = std::move(plain).value();
    }
  }
  auto client = net::HttpClient::create({.endpoint = endpoint, .connectTimeout = kConnectTimeout, .forceHttp1 = true});
  net::Request request = relayedRequest(*exchange, target.path, target.query, concat(target.host, ':', target.port));
  auto told = [kubelet = target.kubelet, upgrade](const Error& error) {
    if (upgrade) return internalError(concat("error dialing backend: ", error.message()));
    return kubelet ? internalError(error.message()) : backendError(error);
  };
  if (upgrade) return relayUpgrade(exchange, *client, std::move(request), told);
  if (target.prefix.empty()) return relay(exchange, *client, std::move(request), told, streams_);
  LinkRewriter links(concat(target.host, ':', target.port), target.prefix);
  request.headers.remove("accept-encoding");  // links in compressed pages cannot be rewritten
  request.headers.set("x-forwarded-uri", concat(target.prefix, target.path));
  request.headers.set("x-forwarded-host", exchange->request().headers.get("host"));
  request.headers.set("x-forwarded-proto", "https");
  relay(exchange, *client, std::move(request), told, streams_, &links);
}

}  // namespace skiff::apiserver
