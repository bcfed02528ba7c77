#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>

#include "base/strings.h"
#include "net/byte_stream.h"
#include "net/http_client.h"

namespace skiff::net {
namespace {

struct AddressesFree {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesFree>;

std::string errnoText(int code) {
  // As Go words it, since clients match on "connection refused".
  if (code == ECONNREFUSED) return "connection refused";
  if (code == ENOENT) return "no such file or directory";
  if (code == EHOSTUNREACH) return "no route to host";
  if (code == ENETUNREACH) return "network is unreachable";
  char text[128];
  return strerror_r(code, text, sizeof text);
}

Error dialError(std::string_view network, std::string_view address, int code) {
  return {Reason::ServiceUnavailable,
          concat("dial ", network, ' ', address, ": connect: ", errnoText(code))};
}

Status connectTo(int fd, const sockaddr* address, socklen_t size, std::string_view network,
                 std::string_view name, SteadyTime deadline) {
  if (::connect(fd, address, size) == 0) return okStatus();
  if (errno != EINPROGRESS) return dialError(network, name, errno);
  for (;;) {
    auto left = deadline - Clock::real().steadyNow();
    if (left <= SteadyTime::duration::zero()) {
      return Error(Reason::Timeout, concat("dial ", network, ' ', name, ": i/o timeout"));
    }
    pollfd poller{.fd = fd, .events = POLLOUT};
    int millis = int(std::min<int64_t>(std::chrono::ceil<milliseconds>(left).count(), 3600000));
    int ready = poll(&poller, 1, millis);
    if (ready < 0 && errno != EINTR) return dialError(network, name, errno);
    if (ready > 0) break;
  }
  int code = 0;
  socklen_t codeSize = sizeof code;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &codeSize);
  if (code != 0) return dialError(network, name, code);
  return okStatus();
}

Result<Fd> dialUnix(const std::string& path, SteadyTime deadline) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) {
    return Error(Reason::Invalid, "unix socket path is too long: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return dialError("unix", path, errno);
  TRY(connectTo(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address, "unix", path,
                deadline));
  return fd;
}

Result<Addresses> resolve(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  auto service = std::to_string(port);
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), service.c_str(), &hints, &list) == 0) return Addresses(list);
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  if (getaddrinfo(host.c_str(), service.c_str(), &hints, &list) != 0) {
    return Error(Reason::ServiceUnavailable, concat("dial tcp: lookup ", host, ": no such host"));
  }
  return Addresses(list);
}

std::string addressText(const addrinfo& info) {
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";
  getnameinfo(info.ai_addr, info.ai_addrlen, host, sizeof host, service, sizeof service,
              NI_NUMERICHOST | NI_NUMERICSERV);
  return info.ai_family == AF_INET6 ? concat('[', host, "]:", service)
                                    : concat(std::string_view(host), ':', service);
}

Result<Fd> dialTcp(const std::string& host, uint16_t port, SteadyTime deadline) {
  auto addresses = TRY(resolve(host, port));
  std::optional<Error> firstError;
  for (auto* info = addresses.get(); info != nullptr; info = info->ai_next) {
    Fd fd(socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd.get() < 0) continue;
    tuneTcp(fd.get());
    auto connected =
        connectTo(fd.get(), info->ai_addr, info->ai_addrlen, "tcp", addressText(*info), deadline);
    if (connected.ok()) return fd;
    if (!firstError) firstError = std::move(connected).error();
  }
  if (firstError) return *std::move(firstError);
  return Error(Reason::ServiceUnavailable, concat("dial tcp: no usable address of ", host));
}

}  // namespace

Result<std::unique_ptr<SocketStream>> dial(const Endpoint& endpoint, SteadyTime deadline,
                                           Alpn alpn) {
  Fd fd = endpoint.unixPath.empty() ? TRY(dialTcp(endpoint.host, endpoint.port, deadline))
                                    : TRY(dialUnix(endpoint.unixPath, deadline));
  std::unique_ptr<TlsSession> tls;
  if (endpoint.tls) {
    const auto& name = endpoint.serverName.empty() ? endpoint.host : endpoint.serverName;
    tls = TlsSession::connect(endpoint.tls, fd.get(), name);
    if (alpn == Alpn::Http1Only) tls->offerOnlyHttp1();
  }
  auto stream = std::make_unique<SocketStream>(std::move(fd), std::move(tls), "");
  stream->setDeadline(deadline);
  TRY(stream->handshake());
  stream->setDeadline(std::nullopt);
  return stream;
}

Result<std::unique_ptr<ByteStream>> connect(const Endpoint& endpoint, milliseconds timeout) {
  auto stream = TRY(dial(endpoint, Clock::real().steadyNow() + timeout));
  return std::unique_ptr<ByteStream>(std::move(stream));
}

Result<Endpoint> parseUrl(std::string_view url, bool* isTls, std::string* pathPrefix) {
  auto bad = [&] { return Error(Reason::Invalid, concat("not a URL of a server: ", quoted(url))); };
  auto rest = url;
  *isTls = true;
  if (auto parts = cut(url, "://")) {
    if (equalsIgnoreCase(parts->first, "http")) {
      *isTls = false;
    } else if (!equalsIgnoreCase(parts->first, "https")) {
      return bad();
    }
    rest = parts->second;
  }
  size_t slash = rest.find('/');
  auto authority = rest.substr(0, slash);
  auto prefix = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  while (!prefix.empty() && prefix.back() == '/') prefix.remove_suffix(1);

  Endpoint endpoint;
  endpoint.port = *isTls ? 443 : 80;
  std::string_view port;
  bool hasPort = false;
  if (!authority.empty() && authority.front() == '[') {
    size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad();
    endpoint.host = authority.substr(1, end - 1);
    auto after = authority.substr(end + 1);
    hasPort = !after.empty();
    if (hasPort && after.front() != ':') return bad();
    if (hasPort) port = after.substr(1);
  } else {
    auto parts = cut(authority, ":");
    endpoint.host = parts ? parts->first : authority;
    hasPort = parts.has_value();
    if (parts) port = parts->second;
  }
  if (hasPort) {
    auto number = parseUint(port);
    if (!number || *number == 0 || *number > 65535) return bad();
    endpoint.port = uint16_t(*number);
  }
  if (endpoint.host.empty()) return bad();
  if (pathPrefix != nullptr) *pathPrefix = prefix;
  return endpoint;
}

}  // namespace skiff::net
