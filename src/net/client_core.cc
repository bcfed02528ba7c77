#include "net/client_core.h"

#include "base/strings.h"

namespace skiff::net {
namespace {

constexpr size_t kIdleConnections = 16;  // HTTP/1.1 ones kept for the next request
constexpr auto kForever = std::chrono::hours(24 * 365);

std::string authorityOf(const Endpoint& endpoint) {
  if (!endpoint.unixPath.empty()) return "localhost";
  bool v6 = endpoint.host.find(':') != std::string::npos;
  std::string host = v6 ? concat('[', endpoint.host, ']') : endpoint.host;
  uint16_t usual = endpoint.tls ? 443 : 80;
  return endpoint.port == usual ? host : concat(host, ':', endpoint.port);
}

}  // namespace

SteadyTime deadlineAfter(milliseconds timeout) {
  return Clock::real().steadyNow() + std::min<milliseconds>(timeout, kForever);
}

Reason reasonOfStatus(int status) {
  switch (status) {
    case 400:
      return Reason::BadRequest;
    case 401:
      return Reason::Unauthorized;
    case 403:
      return Reason::Forbidden;
    case 404:
      return Reason::NotFound;
    case 405:
      return Reason::MethodNotAllowed;
    case 406:
      return Reason::NotAcceptable;
    case 409:
      return Reason::Conflict;
    case 410:
      return Reason::Gone;
    case 413:
      return Reason::RequestEntityTooLarge;
    case 415:
      return Reason::UnsupportedMediaType;
    case 422:
      return Reason::Invalid;
    case 429:
      return Reason::TooManyRequests;
    case 500:
      return Reason::InternalError;
    case 503:
      return Reason::ServiceUnavailable;
    case 504:
      return Reason::Timeout;
    default:
      return Reason::Unknown;
  }
}

ClientCore::ClientCore(Endpoint endpoint, milliseconds connectTimeout, Protocol protocol)
    : endpoint_(std::move(endpoint)),
      connectTimeout_(connectTimeout),
      authority_(authorityOf(endpoint_)),
      protocol_(protocol) {
  // Without TLS there is nothing to negotiate with.
  if (protocol_ == Protocol::Negotiate && !endpoint_.tls) protocol_ = Protocol::Http1;
}

ClientCore::~ClientCore() { close(); }

void ClientCore::close() {
  std::unique_lock lock(mutex_);
  if (std::exchange(closed_, true)) return;
  dialed_.notify_all();
  auto connections = std::move(http2_);
  http2_.clear();
  idle_.clear();
  for (auto& connection : connections) connection->shutdown();
  lock.unlock();
  if (loop_) {
    loop_->post([loop = loop_.get()] { loop->post([loop] { loop->stop(); }); });
    thread_.join();
  }
}

std::shared_ptr<rt::EventLoop> ClientCore::loop() {
  if (!loop_) {
    loop_ = rt::EventLoop::create();
    thread_ = rt::Thread("http-client", [loop = loop_.get()] { loop->run(); });
  }
  return loop_;
}

Result<std::unique_ptr<SocketStream>> ClientCore::dialOnce(SteadyTime deadline, bool http1Only) {
  deadline = std::min(deadline, deadlineAfter(connectTimeout_));
  return dial(endpoint_, deadline, http1Only ? Alpn::Http1Only : Alpn::OfContext);
}

Result<std::unique_ptr<SocketStream>> ClientCore::dialHttp1(SteadyTime deadline) {
  return dialOnce(deadline, true);
}

bool ClientCore::takeExisting(Lease& lease, bool fresh) {
  std::erase_if(http2_, [](const auto& connection) { return !connection->usable(); });
  if (fresh) {
    idle_.clear();
  }
  for (auto& connection : http2_) {
    if (!connection->tryReserve()) continue;
    lease.http2 = connection;
    lease.reused = true;
    return true;
  }
  while (!idle_.empty()) {
    auto stream = std::move(idle_.back());
    idle_.pop_back();
    if (!stream->idleAndAlive()) continue;
    lease.http1 = std::move(stream);
    lease.reused = true;
    return true;
  }
  return false;
}

Result<ClientCore::Lease> ClientCore::acquire(SteadyTime deadline, bool fresh) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (closed_) return Error(Reason::ServiceUnavailable, "the client is closed");
    Lease lease;
    if (takeExisting(lease, fresh)) return lease;
    if (protocol_ == Protocol::Http1) break;
    if (!dialing_) break;
    // One dials, the others wait: they will share its connection.
    if (dialed_.wait_until(lock, deadline) == std::cv_status::timeout && dialing_) {
      return Error(Reason::Timeout, "context deadline exceeded");
    }
  }
  bool http1Only = protocol_ == Protocol::Http1;
  bool alone = !http1Only;
  if (alone) dialing_ = true;
  lock.unlock();
  auto dialed = dialOnce(deadline, http1Only);
  lock.lock();
  if (alone) {
    dialing_ = false;
    dialed_.notify_all();
  }
  if (!dialed.ok()) return std::move(dialed).error();
  if (closed_) return Error(Reason::ServiceUnavailable, "the client is closed");
  auto stream = std::move(dialed).value();
  bool isHttp2 = !http1Only && (stream->tls() == nullptr || stream->tls()->alpn() == "h2");
  Lease lease;
  if (!isHttp2) {
    if (protocol_ == Protocol::Http2) {
      return Error(Reason::ServiceUnavailable, "the server does not speak HTTP/2");
    }
    protocol_ = Protocol::Http1;
    lease.http1 = std::move(stream);
    return lease;
  }
  auto parts = stream->release();
  lease.http2 = Http2Connection::create(
      loop(), std::move(parts.first), std::move(parts.second),
      {.scheme = endpoint_.tls ? "https" : "http", .authority = authority_});
  lease.http2->tryReserve();
  http2_.push_back(lease.http2);
  return lease;
}

void ClientCore::giveBack(std::unique_ptr<SocketStream> http1) {
  http1->setDeadline(std::nullopt);
  std::lock_guard lock(mutex_);
  if (!closed_ && idle_.size() < kIdleConnections) idle_.push_back(std::move(http1));
}

}  // namespace skiff::net
