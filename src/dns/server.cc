#include "dns/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "dns/address.h"

namespace skiff::dns {
namespace {

constexpr size_t kUdpBytes = 4096;            // no sound query is longer
constexpr int kPacketsPerTurn = 64;           // then others have their turn
constexpr size_t kMaxConnections = 256;
constexpr size_t kMaxPending = 32;            // questions of one connection at a time
constexpr size_t kMaxOut = 256 * 1024;        // unsent answers of one connection: then no more questions are read
constexpr milliseconds kIdle{10'000};         // RFC 7766, 6.2.3: a few seconds
constexpr int kPortAttempts = 16;             // a free UDP port may be taken for TCP

Error failed(std::string_view what) { return {Reason::ServiceUnavailable, concat("dns: ", what, ": ", std::strerror(errno))}; }

struct Bound {
  std::shared_ptr<Fd> fd;
  uint16_t port = 0;
};

uint16_t& portOf(sockaddr_storage& address) {
  return address.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(address).sin_port
                                      : reinterpret_cast<sockaddr_in6&>(address).sin6_port;
}

Result<Bound> bindSocket(const std::string& address, uint16_t port, int type) {
  auto bytes = addressBytes(address);
  if (!bytes) return badRequest(concat("dns: ", quoted(address), " is no IP address"));
  bool v4 = bytes->size() == 4;
  sockaddr_storage where{};
  socklen_t size = v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  where.ss_family = v4 ? AF_INET : AF_INET6;
  void* ip = v4 ? static_cast<void*>(&reinterpret_cast<sockaddr_in&>(where).sin_addr)
                : static_cast<void*>(&reinterpret_cast<sockaddr_in6&>(where).sin6_addr);
  std::memcpy(ip, bytes->data(), bytes->size());
  portOf(where) = htons(port);

  Bound bound{std::make_shared<Fd>(::socket(where.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))};
  int fd = bound.fd->get(), on = 1;
  if (fd < 0) return failed("socket");
  if (type == SOCK_STREAM) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // The answer must leave from the address that was asked: a client refuses any other.
  if (type == SOCK_DGRAM) {
    ::setsockopt(fd, v4 ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6),
                 v4 ? static_cast<int>(IP_PKTINFO) : static_cast<int>(IPV6_RECVPKTINFO), &on, sizeof on);
  }
  if (::bind(fd, reinterpret_cast<sockaddr*>(&where), size) != 0 || (type == SOCK_STREAM && ::listen(fd, 128) != 0)) {
    return failed(concat("listen on ", address, " port ", port));
  }
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
  bound.port = ntohs(portOf(where));
  return bound;
}

// A datagram with who sent it and to which of our addresses.
struct Datagram {
  sockaddr_storage peer{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  char bytes[kUdpBytes];

  // Received bytes; nothing when there is no more.
  std::optional<std::string_view> receive(int fd) {
    iovec part{bytes, sizeof bytes};
    header = {.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &part, .msg_iovlen = 1,
              .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = ::recvmsg(fd, &header, 0);
    if (got < 0) return std::nullopt;
    if (header.msg_flags & MSG_TRUNC) return std::string_view();
    return std::string_view(bytes, static_cast<size_t>(got));
  }
  msghdr header{};
};

// Where an answer goes: copied out of the datagram, since it may wait for upstream.
class ReturnPath {
 public:
  ReturnPath(std::shared_ptr<Fd> socket, const Datagram& datagram)
      : socket_(std::move(socket)), peer_(datagram.peer), peerSize_(datagram.header.msg_namelen) {
    auto& header = const_cast<msghdr&>(datagram.header);
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
      if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        in_pktinfo info;
        std::memcpy(&info, CMSG_DATA(c), sizeof info);
        info.ipi_spec_dst = info.ipi_addr;
        info.ipi_ifindex = 0;
        keep(IPPROTO_IP, IP_PKTINFO, info);
      } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        in6_pktinfo info;
        std::memcpy(&info, CMSG_DATA(c), sizeof info);
        if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
        keep(IPPROTO_IPV6, IPV6_PKTINFO, info);
      }
    }
  }
  // A full socket buffer loses the answer, as the network might: the client asks again.
  void send(std::string& packet) {
    iovec part{packet.data(), packet.size()};
    msghdr header{.msg_name = &peer_, .msg_namelen = peerSize_, .msg_iov = &part, .msg_iovlen = 1,
                  .msg_control = controlSize_ ? control_ : nullptr, .msg_controllen = controlSize_};
    (void)::sendmsg(socket_->get(), &header, MSG_NOSIGNAL);
  }

 private:
  template <class Info>
  void keep(int level, int type, const Info& info) {
    auto* c = reinterpret_cast<cmsghdr*>(control_);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(c), &info, sizeof info);
    controlSize_ = CMSG_SPACE(sizeof info);
  }

  std::shared_ptr<Fd> socket_;
  sockaddr_storage peer_;
  socklen_t peerSize_;
  alignas(cmsghdr) char control_[CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  size_t controlSize_ = 0;
};

// The length of the whole frame at the front; 0 while it is not complete.
size_t frameSize(std::string_view in) {
  if (in.size() < 2) return 0;
  size_t size = 2 + (static_cast<size_t>(static_cast<unsigned char>(in[0])) << 8 | static_cast<unsigned char>(in[1]));
  return in.size() >= size ? size : 0;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::bind(const std::string& address, uint16_t port, const Responder& responder) {
  for (int attempt = 1;; ++attempt) {
    Bound udp = TRY(bindSocket(address, port, SOCK_DGRAM));
    auto tcp = bindSocket(address, udp.port, SOCK_STREAM);
    if (tcp.ok()) {
      return std::unique_ptr<Server>(new Server(std::move(udp.fd), std::move(tcp->fd), udp.port, responder));
    }
    if (port != 0 || attempt == kPortAttempts) return std::move(tcp).error();
  }
}

Server::Server(std::shared_ptr<Fd> udp, std::shared_ptr<Fd> tcp, uint16_t port, const Responder& responder)
    : udp_(std::move(udp)), tcp_(std::move(tcp)), port_(port), responder_(responder), loop_(rt::EventLoop::create()) {}

void Server::start() {
  loop_->post([this] {
    loop_->watch(udp_->get(), EPOLLIN, [this](uint32_t) { onUdp(); });
    loop_->watch(tcp_->get(), EPOLLIN, [this](uint32_t) { onAccept(); });
  });
  thread_ = rt::Thread("dns", [this] { loop_->run(); });
}

void Server::stop() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
}

void Server::onUdp() {
  Datagram datagram;
  for (int i = 0; i < kPacketsPerTurn; ++i) {
    auto packet = datagram.receive(udp_->get());
    if (!packet) return;
    responder_.handle(*packet, Responder::Carrier::Udp, [path = ReturnPath(udp_, datagram)](std::string answer) mutable {
      if (!answer.empty()) path.send(answer);
    });
  }
}

void Server::onAccept() {
  while (true) {
    int fd = ::accept4(tcp_->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto connection = std::make_unique<Connection>(fd);
    if (connections_.size() >= kMaxConnections) continue;
    ConnectionId id = nextId_++;
    connection->events = EPOLLIN;
    loop_->watch(fd, EPOLLIN, [this, id](uint32_t events) { onConnection(id, events); });
    armIdle(id, *connection);
    connections_.emplace(id, std::move(connection));
  }
}

void Server::onConnection(ConnectionId id, uint32_t events) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if (events & (EPOLLERR | EPOLLHUP)) return close(id);
  if (events & EPOLLIN) {
    char bytes[16 * 1024];
    ssize_t got = ::recv(connection.socket.get(), bytes, sizeof bytes, 0);
    if (got < 0 && errno != EAGAIN && errno != EINTR) return close(id);
    if (got == 0) connection.ended = true;
    if (got > 0) {
      connection.in.append(bytes, static_cast<size_t>(got));
      armIdle(id, connection);
    }
  }
  pump(id);
}

// Moves a connection on: questions to the responder, answers to the socket, and tells the loop what it waits for.
void Server::pump(ConnectionId id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  while (true) {
    takeFrames(id, c);
    if (c.out.empty()) break;
    ssize_t sent = ::send(c.socket.get(), c.out.data(), c.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (sent < 0) return close(id);
    c.out.erase(0, static_cast<size_t>(sent));
  }
  if (c.ended && c.pending == 0 && c.out.empty()) return close(id);
  bool reading = !c.ended && c.pending < kMaxPending && c.out.size() < kMaxOut;
  uint32_t events = (reading ? EPOLLIN : 0U) | (c.out.empty() ? 0U : EPOLLOUT);
  if (events != c.events) loop_->modify(c.socket.get(), events);
  c.events = events;
}

void Server::takeFrames(ConnectionId id, Connection& c) {
  size_t taken = 0;
  while (c.pending < kMaxPending && c.out.size() < kMaxOut) {
    std::string_view rest = std::string_view(c.in).substr(taken);
    size_t size = frameSize(rest);
    if (size == 0) break;
    ++c.pending;
    responder_.handle(rest.substr(2, size - 2), Responder::Carrier::Tcp, [this, id](std::string packet) {
      if (loop_->inLoop()) return answer(id, packet);
      loop_->post([this, id, late = std::move(packet)] {
        answer(id, late);
        pump(id);
      });
    });
    taken += size;
  }
  c.in.erase(0, taken);
}

// Queues an answer; an empty one is none, and what is no question is no partner: the connection ends.
void Server::answer(ConnectionId id, std::string_view packet) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  --c.pending;
  if (packet.empty()) {
    c.ended = true;
    return;
  }
  c.out += static_cast<char>(packet.size() >> 8);
  c.out += static_cast<char>(packet.size());
  c.out += packet;
}

void Server::armIdle(ConnectionId id, Connection& c) {
  if (c.idle != 0) loop_->cancel(c.idle);
  c.idle = loop_->after(kIdle, [this, id] {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    found->second->idle = 0;
    close(id);
  });
}

void Server::close(ConnectionId id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  if (c.idle != 0) loop_->cancel(c.idle);
  loop_->unwatch(c.socket.get());
  connections_.erase(found);
}

}  // namespace skiff::dns
