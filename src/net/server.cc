#include "net/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.h"
#include "net/server_core.h"

namespace skiff::net {
namespace {

Error listenError(std::string_view network, std::string_view where, int code) {
  char text[128];
  std::string why =
      code == EADDRINUSE ? "address already in use" : strerror_r(code, text, sizeof text);
  return {Reason::ServiceUnavailable, concat("listen ", network, ' ', where, ": bind: ", why)};
}

Result<Fd> listenUnix(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) {
    return Error(Reason::Invalid, "unix socket path is too long: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return listenError("unix", path, errno);
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
    // Only a socket that nobody answers on is stale.
    Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      return listenError("unix", path, EADDRINUSE);
    }
    unlink(path.c_str());
  }
  fchmod(fd.get(), 0600);  // the bound file takes its mode from here, without a moment of any other
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), 1024) != 0) {
    return listenError("unix", path, errno);
  }
  return fd;
}

Result<Fd> listenOn(const std::string& address, uint16_t port) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    size = sizeof *v4;
  } else if (auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
             inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof *v6;
  } else {
    return Error(Reason::Invalid, "not an IP address to listen on: " + address);
  }
  auto failed = [&](int code) { return listenError("tcp", concat(address, ':', port), code); };
  Fd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return failed(errno);
  int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) return failed(errno);
  if (listen(fd.get(), 1024) != 0) return failed(errno);
  return fd;
}

uint16_t boundPort(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  if (storage.ss_family == AF_UNIX) return 0;
  return ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(storage).sin_port);
}

}  // namespace

class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, Handler& handler, Fd listener)
      : core_(std::make_shared<ServerCore>(std::move(options), handler)),
        port_(boundPort(listener.get())) {
    core_->listener_ = std::move(listener);
    core_->accepting_ = true;
    core_->loop().post([core = core_.get()] {
      core->loop().watch(core->listener_.get(), EPOLLIN, [core](uint32_t) { core->acceptAll(); });
    });
    thread_ = rt::Thread("http", [core = core_.get()] { core->loop().run(); });
  }

  ~ServerImpl() override { stop(milliseconds(0)); }

  uint16_t port() const override { return port_; }

  void setTls(std::shared_ptr<TlsContext> tls) override {
    std::lock_guard lock(core_->mutex_);
    core_->tls_ = std::move(tls);
  }

  void stop(milliseconds drain) override {
    if (!thread_.joinable()) return;
    core_->loop().post([this, drain] { beginStop(drain); });
    thread_.join();
    {
      std::lock_guard lock(core_->mutex_);
      for (auto* stream : core_->upgraded_) stream->close();
    }
    core_->upgrades_->stop();
    if (!core_->options().unixPath.empty()) unlink(core_->options().unixPath.c_str());
  }

 private:
  // On the loop, from here on.
  void beginStop(milliseconds drain) {
    auto& core = *core_;
    core.loop().unwatch(core.listener_.get());
    core.listener_.reset();
    std::vector<Connection*> all;
    for (auto& [connection, owned] : core.connections_) all.push_back(connection);
    for (auto* connection : all) connection->goAway();
    stopAt_ = core.now() + drain;
    waitForAnswers();
  }

  void waitForAnswers() {
    auto& core = *core_;
    bool busy = false;
    for (auto& [connection, owned] : core.connections_) {
      busy = busy || !connection->idle() || connection->socket().unsent() > 0;
    }
    if (!busy || core.now() >= stopAt_) return endStop();
    core.loop().after(milliseconds(5), [this] { waitForAnswers(); });
  }

  void endStop() {
    auto& core = *core_;
    {
      std::lock_guard lock(core.mutex_);
      core.stopped_ = true;
      core.ops_.clear();
    }
    std::vector<Connection*> all;
    for (auto& [connection, owned] : core.connections_) all.push_back(connection);
    for (auto* connection : all) {
      connection->pump();  // the goodbye, if the socket takes it
      connection->close();
    }
    // The callbacks of closed answers run once more, then nothing is left to do.
    core.loop().post([&core] { core.loop().stop(); });
  }

  const std::shared_ptr<ServerCore> core_;
  const uint16_t port_;
  SteadyTime stopAt_;
  rt::Thread thread_;
};

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler& handler) {
  auto listener = options.unixPath.empty() ? TRY(listenOn(options.address, options.port))
                                           : TRY(listenUnix(options.unixPath));
  return std::unique_ptr<Server>(
      std::make_unique<ServerImpl>(std::move(options), handler, std::move(listener)));
}

}  // namespace skiff::net
