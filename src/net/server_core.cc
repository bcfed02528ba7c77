#include "net/server_core.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "base/log.h"
#include "base/strings.h"
#include "net/response_writer.h"

namespace skiff::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr size_t kWaitingUpgrades = 64;  // of them wait for a thread, the others are dropped
constexpr auto kAcceptPause = milliseconds(100);  // when out of file descriptors
constexpr auto kSweepResolution = milliseconds(1000);

std::string addressText(const sockaddr_storage& address);

}  // namespace

ServerCore::ServerCore(ServerOptions options, Handler& handler)
    : options_(std::move(options)), handler_(handler), loop_(rt::EventLoop::create()) {
  tls_ = options_.tls;
  upgrades_ = rt::Executor::create(
      {.name = "upgraded", .maxThreads = options_.upgradeThreads, .maxQueue = kWaitingUpgrades});
}

// ---- operations of writers ----

void ServerCore::submit(Op op) {
  if (loop_->inLoop()) {
    // Keeps the order with what other threads asked for before.
    if (haveOps_.load(std::memory_order_acquire)) drainOps();
    apply(op);
    return;
  }
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    first = ops_.empty();
    ops_.push_back(std::move(op));
    haveOps_.store(true, std::memory_order_release);
  }
  if (first) {
    loop_->post([core = shared_from_this()] { core->drainOps(); });
  }
}

void ServerCore::drainOps() {
  if (!applying_.empty()) return;  // the outer call goes on with the newer ones
  while (haveOps_.load(std::memory_order_acquire)) {
    {
      std::lock_guard lock(mutex_);
      applying_.swap(ops_);
      haveOps_.store(false, std::memory_order_release);
    }
    for (auto& op : applying_) apply(op);
    applying_.clear();
  }
}

void ServerCore::apply(Op& op) {
  auto& exchange = *op.exchange;
  if (exchange.connection == nullptr) {  // the peer is gone
    if (op.kind == Op::Kind::OnDrain || op.kind == Op::Kind::OnClose) {
      runLater(std::move(op.heavy->callback));
    }
    return;
  }
  auto& protocol = *exchange.connection->protocol();
  switch (op.kind) {
    case Op::Kind::Respond:
    case Op::Kind::Begin:
    case Op::Kind::Upgrade:
      if (exchange.phase != Exchange::Phase::Waiting) return;
      exchange.phase = Exchange::Phase::Ready;
      exchange.status = op.heavy->status;
      exchange.headers = std::move(op.heavy->headers);
      for (auto& piece : op.heavy->body) {
        if (!piece.empty()) exchange.addBody(std::move(piece));
      }
      exchange.upgrade = std::move(op.heavy->upgrade);
      exchange.whole = exchange.finished = op.kind == Op::Kind::Respond;
      protocol.answerReady(exchange);
      break;
    case Op::Kind::Write:
      if (exchange.finished || exchange.head) {
        exchange.pending.fetch_sub(op.piece.size(), std::memory_order_relaxed);
        return;
      }
      exchange.addBody(std::move(op.piece));
      protocol.bodyReady(exchange);
      break;
    case Op::Kind::Finish:
      if (exchange.finished) return;
      exchange.finished = true;
      if (op.heavy) exchange.trailers = std::move(op.heavy->headers);
      protocol.bodyReady(exchange);
      break;
    case Op::Kind::OnDrain:
      exchange.onDrain = std::move(op.heavy->callback);
      return;
    case Op::Kind::OnClose:
      exchange.onClose = std::move(op.heavy->callback);
      return;
    case Op::Kind::Abandon:
      if (exchange.phase == Exchange::Phase::Waiting) refuse(exchange, {500, "no answer was given"});
      return;
  }
  exchange.connection->markDirty();
}

void ServerCore::refuse(Exchange& exchange, const Refusal& refusal) {
  if (exchange.phase != Exchange::Phase::Waiting) return;
  exchange.phase = Exchange::Phase::Ready;
  exchange.refused = !exchange.dispatched;
  exchange.dispatched = true;
  Response answer = handler_.refused(refusal);
  exchange.status = answer.status;
  exchange.headers = std::move(answer.headers);
  for (SharedBytes& piece : answer.body) exchange.addBody(std::move(piece));
  exchange.pending = exchange.bodyBytes;
  exchange.finished = exchange.whole = true;
  exchange.connection->protocol()->answerReady(exchange);
  exchange.connection->markDirty();
}

void ServerCore::dispatch(Exchange& exchange) {
  exchange.dispatched = true;
  exchange.request->body = SharedBytes(std::move(exchange.requestBody));
  exchange.request->peer = exchange.connection->peer();
  auto shared = exchange.shared_from_this();
  handler_.handle(std::move(exchange.request), makeWriter(shared));
}

void ServerCore::detach(Exchange& exchange) {
  exchange.connection = nullptr;
  exchange.closed.store(true, std::memory_order_release);
  exchange.body.clear();
  exchange.request.reset();
  // The callbacks may own the writer, and with it this exchange: they must go.
  if (exchange.onDrain) runLater(std::move(exchange.onDrain));
  if (exchange.onClose) runLater(std::move(exchange.onClose));
  exchange.onDrain = nullptr;
  exchange.onClose = nullptr;
}

void ServerCore::noteSent(Exchange& exchange) {
  if (exchange.onDrain && exchange.unsentBody() == 0) {
    drained_.push_back(exchange.shared_from_this());
    scheduleFlush();
  }
}

void ServerCore::runLater(UniqueFunction<void()> callback) {
  callbacks_.push_back(std::move(callback));
  scheduleFlush();
}

// ---- the end of a turn ----

void ServerCore::markDirty(Connection& connection) {
  dirty_.push_back(&connection);
  scheduleFlush();
}

void ServerCore::scheduleFlush() {
  if (flushScheduled_) return;
  flushScheduled_ = true;
  loop_->post([this] { flushDirty(); });
}

void ServerCore::flushDirty() {
  flushScheduled_ = false;
  auto dirty = std::move(dirty_);
  dirty_.clear();
  for (auto* connection : dirty) connection->pump();
  auto drained = std::move(drained_);
  drained_.clear();
  for (auto& exchange : drained) {
    if (!exchange->onDrain || exchange->unsentBody() > 0) continue;
    auto callback = std::move(exchange->onDrain);
    exchange->onDrain = nullptr;
    callback();
    if (exchange->connection != nullptr && !exchange->onDrain) {
      exchange->onDrain = std::move(callback);
    }
  }
  auto callbacks = std::move(callbacks_);
  callbacks_.clear();
  for (auto& callback : callbacks) callback();
  if (!flushScheduled_) graveyard_.clear();
}

void ServerCore::forget(Connection& connection) {
  std::erase(dirty_, &connection);
  auto node = connections_.extract(&connection);
  if (node.empty()) return;
  graveyard_.push_back(std::move(node.mapped()));
  scheduleFlush();
  if (!accepting_ && listener_.get() >= 0) {
    accepting_ = true;
    loop_->modify(listener_.get(), EPOLLIN);
  }
}

// ---- time ----

void ServerCore::armSweep(SteadyTime when) {
  if (when >= sweepAt_) return;
  if (sweepTimer_ != 0) loop_->cancel(sweepTimer_);
  sweepAt_ = when;
  auto delay = std::chrono::ceil<milliseconds>(when - now());
  sweepTimer_ = loop_->after(std::max(delay, milliseconds(kSweepResolution)), [this] { sweep(); });
}

void ServerCore::sweep() {
  sweepTimer_ = 0;
  sweepAt_ = SteadyTime::max();
  auto current = now();
  auto next = SteadyTime::max();
  std::vector<Connection*> expired;
  for (auto& [connection, owned] : connections_) {
    auto due = connection->deadline();
    if (due <= current) {
      expired.push_back(connection);
    } else {
      next = std::min(next, due);
    }
  }
  for (auto* connection : expired) connection->expire();
  if (next != SteadyTime::max()) armSweep(next);
}

std::string_view ServerCore::date() {
  auto wall = std::chrono::time_point_cast<seconds>(Clock::real().now());
  int64_t second = wall.time_since_epoch().count();
  if (second != dateSecond_) {
    dateSecond_ = second;
    std::time_t time = second;
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[64];
    size_t size = strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    date_.assign(text, size);
  }
  return date_;
}

// ---- connections ----

void ServerCore::acceptAll() {
  std::shared_ptr<TlsContext> tls;
  {
    std::lock_guard lock(mutex_);
    tls = tls_;
  }
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (connections_.size() >= options_.maxConnections) {
      accepting_ = false;  // until one closes; the kernel's backlog holds the others
      loop_->modify(listener_.get(), 0);
      return;
    }
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd fd(accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                  SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log::warn("Cannot accept connections for a moment", {{"err", strerrorname_np(errno)}});
        loop_->modify(listener_.get(), 0);
        loop_->after(kAcceptPause, [this] {
          if (listener_.get() >= 0) loop_->modify(listener_.get(), EPOLLIN);
        });
      }
      return;
    }
    tuneTcp(fd.get());
    auto session = tls ? TlsSession::accept(tls, fd.get()) : nullptr;
    auto connection = std::make_unique<Connection>(*this, std::move(fd), std::move(session),
                                                   addressText(address));
    auto* raw = connection.get();
    connections_.emplace(raw, std::move(connection));
    raw->start();
  }
}

void ServerCore::runUpgrade(std::unique_ptr<SocketStream> stream, UpgradeThen then) {
  // The registry lets stop() end streams that would block for ever.
  class Registered final : public ByteStream {
   public:
    Registered(std::shared_ptr<ServerCore> core, std::unique_ptr<SocketStream> stream)
        : core_(std::move(core)), stream_(std::move(stream)) {
      std::lock_guard lock(core_->mutex_);
      core_->upgraded_.insert(stream_.get());
      if (core_->stopped_) stream_->close();
    }
    ~Registered() override {
      std::lock_guard lock(core_->mutex_);
      core_->upgraded_.erase(stream_.get());
    }
    Result<size_t> read(char* into, size_t capacity) override {
      return stream_->read(into, capacity);
    }
    Status write(std::string_view bytes) override { return stream_->write(bytes); }
    void closeWrite() override { stream_->closeWrite(); }
    void close() override { stream_->close(); }

   private:
    const std::shared_ptr<ServerCore> core_;
    const std::unique_ptr<SocketStream> stream_;
  };
  auto shared = shared_from_this();
  bool taken = upgrades_->submit(
      [core = std::move(shared), stream = std::move(stream), then = std::move(then)]() mutable {
        then(std::make_unique<Registered>(std::move(core), std::move(stream)));
      });
  if (!taken) log::warn("Dropped an upgraded connection: too many are open");
}

namespace {

std::string addressText(const sockaddr_storage& address) {
  char host[64] = "";
  if (address.ss_family == AF_INET) {
    auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    auto* bytes = reinterpret_cast<const unsigned char*>(&v4.sin_addr);
    return concat(int(bytes[0]), '.', int(bytes[1]), '.', int(bytes[2]), '.', int(bytes[3]), ':',
                  ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      auto* bytes = v6.sin6_addr.s6_addr + 12;
      return concat(int(bytes[0]), '.', int(bytes[1]), '.', int(bytes[2]), '.', int(bytes[3]), ':',
                    ntohs(v6.sin6_port));
    }
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    return concat('[', std::string_view(host), "]:", ntohs(v6.sin6_port));
  }
  return "@";
}

}  // namespace

}  // namespace skiff::net
