#include "kubelet/handlers.h"

#include "base/strings.h"
#include "codec/wire.h"
#include "net/grpc.h"
#include "net/http_client.h"

namespace skiff::kubelet {
namespace {

using Kind = ActionResult::Kind;
constexpr size_t kMaxOutput = 10 * 1024;
constexpr int kMaxRedirects = 10;

std::string bodyOf(const net::Response& response) {
  std::string out;
  for (const auto& piece : response.body) {
    out += piece.view();
    if (out.size() > kMaxOutput) break;
  }
  if (out.size() > kMaxOutput) out.resize(kMaxOutput);
  return out;
}

struct Target {
  std::string scheme, host, path;
  uint16_t port;
  std::string authority() const {
    bool usual = (scheme == "http" && port == 80) || (scheme == "https" && port == 443);
    std::string name = host.find(':') == std::string::npos ? host : concat("[", host, "]");
    return usual ? name : concat(name, ":", port);
  }
  std::string url() const { return concat(scheme, "://", authority(), path); }
};

// Where a Location header leads from here; nullopt when it cannot be followed.
std::optional<Target> follow(const Target& from, std::string_view location) {
  Target to = from;
  if (location.starts_with("/")) {
    to.path = std::string(location);
    return to;
  }
  bool tls = false;
  std::string prefix;
  auto endpoint = net::parseUrl(location, &tls, &prefix);
  if (!endpoint.ok()) return std::nullopt;
  to.scheme = tls ? "https" : "http";
  to.host = endpoint->host;
  to.port = endpoint->port;
  to.path = prefix.empty() ? "/" : prefix;
  return to;
}

Result<net::Response> get(const Target& target, const api::core::v1::HTTPGetAction& action, std::string_view userAgent,
                          milliseconds timeout) {
  net::HttpClient::Options options;
  options.endpoint.host = target.host;
  options.endpoint.port = target.port;
  options.connectTimeout = timeout;
  options.forceHttp1 = true;
  if (target.scheme == "https") {
    net::TlsContext::Client tls;
    tls.insecureSkipVerify = true;  // as the API says of probes: the certificate is not checked
    tls.alpn = {"http/1.1"};
    options.endpoint.tls = TRY(net::TlsContext::client(tls));
  }
  net::Request request;
  request.method = "GET";
  auto parts = cut(target.path, "?");
  request.path = parts ? std::string(parts->first) : target.path;
  if (parts) request.query = std::string(parts->second);
  if (!request.path.starts_with("/")) request.path = "/" + request.path;
  request.headers.set("host", target.authority());
  request.headers.set("user-agent", userAgent);
  request.headers.set("accept", "*/*");
  for (const auto& header : action.httpHeaders) {
    if (equalsIgnoreCase(header.name, "host") || equalsIgnoreCase(header.name, "user-agent") ||
        equalsIgnoreCase(header.name, "accept")) {
      request.headers.set(header.name, header.value);
    } else {
      request.headers.add(header.name, header.value);
    }
  }
  request.headers.set("connection", "close");
  return net::HttpClient::create(options)->call(std::move(request), timeout);
}

}  // namespace

Result<uint16_t> resolvePort(const api::IntOrString& port, const Container& container) {
  int64_t number = port.number;
  if (port.isString) {
    number = parseInt(port.text).value_or(0);
    for (const auto& p : container.ports)
      if (p.name == port.text) number = p.containerPort;
  }
  if (number < 1 || number > 65535) return badRequest(concat("couldn't resolve port: ", port.str()));
  return uint16_t(number);
}

ActionResult HandlerRunner::exec(std::string_view containerId, const std::vector<std::string>& command, seconds timeout) {
  auto done = runtime_.execSync(containerId, command, timeout);
  if (!done.ok()) {
    bool late = done.failedWith(Reason::Timeout) || done.error().message().find("timeout") != std::string::npos ||
                done.error().message().find("timed out") != std::string::npos;
    if (late) return {Kind::Failure, concat("command timed out: ", quoted(join(command, " ")), " timed out after ",
                                            timeout.count(), "s")};
    return {Kind::Unknown, done.error().message()};
  }
  std::string output = done->stdout_ + done->stderr_;
  if (output.size() > kMaxOutput) output.resize(kMaxOutput);
  return {done->exitCode == 0 ? Kind::Success : Kind::Failure, std::move(output)};
}

ActionResult HandlerRunner::httpGet(const api::core::v1::HTTPGetAction& action, const Container& container,
                                    std::string_view podIp, seconds timeout, std::string_view userAgent) {
  auto port = resolvePort(action.port, container);
  if (!port.ok()) return {Kind::Unknown, port.error().message()};
  Target target{toLower(action.scheme.empty() ? "http" : action.scheme),
                action.host.empty() ? std::string(podIp) : action.host, action.path.empty() ? "/" : action.path, *port};
  if (!target.path.starts_with("/")) target.path = "/" + target.path;
  const std::string origin = target.host;
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    auto answer = get(target, action, userAgent, timeout);
    if (!answer.ok()) return {Kind::Failure, concat("Get ", quoted(target.url()), ": ", answer.error().message())};
    std::string body = bodyOf(*answer);
    if (answer->status < 200 || answer->status >= 400)
      return {Kind::Failure, concat("HTTP probe failed with statuscode: ", answer->status)};
    bool redirect = answer->status >= 300 && answer->status != 304 && answer->headers.has("location");
    if (!redirect) return {Kind::Success, std::move(body)};
    auto next = follow(target, answer->headers.get("location"));
    // A redirect to another host proves that this one answers, and is not followed.
    if (!next || next->host != origin)
      return {Kind::Warning, concat("Probe terminated redirects, Response body: ", body)};
    target = *next;
  }
  return {Kind::Failure, concat("Get ", quoted(target.url()), ": stopped after 10 redirects")};
}

ActionResult HandlerRunner::tcp(const api::core::v1::TCPSocketAction& action, const Container& container,
                                std::string_view podIp, seconds timeout) {
  auto port = resolvePort(action.port, container);
  if (!port.ok()) return {Kind::Unknown, port.error().message()};
  net::Endpoint endpoint;
  endpoint.host = action.host.empty() ? std::string(podIp) : action.host;
  endpoint.port = *port;
  auto connection = net::connect(endpoint, timeout);
  if (!connection.ok()) return {Kind::Failure, connection.error().message()};
  (*connection)->close();
  return {Kind::Success, {}};
}

ActionResult HandlerRunner::grpc(const api::core::v1::GRPCAction& action, std::string_view podIp, seconds timeout) {
  net::Endpoint endpoint;
  endpoint.host = std::string(podIp);
  endpoint.port = uint16_t(action.port);
  std::string request;
  if (!action.service.value_or("").empty()) codec::writeBytesField(request, 1, *action.service);
  auto answer = net::GrpcChannel::create(endpoint)->call("/grpc.health.v1.Health/Check", request, timeout);
  if (!answer.ok()) return {Kind::Failure, concat("service unhealthy (responded with ", quoted(answer.error().message()), ")")};
  constexpr uint64_t kServing = 1;
  codec::WireReader reader(*answer);
  uint64_t status = 0;
  while (reader.next())
    if (reader.field() == 1) status = reader.varint();
  if (status == kServing) return {Kind::Success, {}};
  return {Kind::Failure, concat("service unhealthy (responded with ", quoted(status == 2 ? "NOT_SERVING" : "UNKNOWN"), ")")};
}

}  // namespace skiff::kubelet
