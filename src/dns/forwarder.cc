#include "dns/forwarder.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "dns/address.h"

namespace skiff::dns {
namespace {

// What fits a datagram without fragments on any path (DNS flag day 2020).
constexpr uint16_t kUdpBytes = 1232;

class Socket {
 public:
  Socket(int family, int type) : fd_(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  Socket(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socketAddress(const UpstreamAddress& upstream) {
  SocketAddress address;
  std::string bytes = addressBytes(upstream.host).value_or(std::string(4, '\0'));
  if (bytes.size() == 4) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(upstream.port);
    std::memcpy(&v4->sin_addr, bytes.data(), 4);
    address.size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(upstream.port);
    std::memcpy(&v6->sin6_addr, bytes.data(), 16);
    address.size = sizeof *v6;
  }
  return address;
}

Error failed(std::string_view what) { return {Reason::ServiceUnavailable, concat(what, ": ", std::strerror(errno))}; }
Error timedOut() { return {Reason::Timeout, "no answer in time"}; }

// Blocking steps on one socket, until a deadline.
class Exchange {
 public:
  Exchange(const Socket& socket, const Clock& clock, SteadyTime deadline)
      : fd_(socket.fd()), clock_(clock), deadline_(deadline) {}

  Status connect(const SocketAddress& to) {
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0) return okStatus();
    if (errno != EINPROGRESS) return failed("connect");
    TRY(wait(POLLOUT));
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    return error == 0 ? okStatus() : Status(failed("connect"));
  }
  Status send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno == EAGAIN) {
        TRY(wait(POLLOUT));
      } else if (errno != EINTR) {
        return failed("send");
      }
    }
    return okStatus();
  }
  // What is there, at least one byte or datagram; 0 at the end of the stream.
  Result<size_t> receive(char* into, size_t capacity) {
    while (true) {
      ssize_t got = ::recv(fd_, into, capacity, 0);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno == EAGAIN) {
        TRY(wait(POLLIN));
      } else if (errno != EINTR) {
        return failed("receive");
      }
    }
  }
  Result<std::string> receiveExactly(size_t count) {
    std::string bytes(count, '\0');
    for (size_t have = 0; have < count;) {
      size_t got = TRY(receive(bytes.data() + have, count - have));
      if (got == 0) return Error(Reason::ServiceUnavailable, "connection closed");
      have += got;
    }
    return bytes;
  }

 private:
  Status wait(short events) {
    while (true) {
      auto left = std::chrono::ceil<milliseconds>(deadline_ - clock_.steadyNow());
      if (left.count() <= 0) return timedOut();
      pollfd poll{fd_, events, 0};
      int ready = ::poll(&poll, 1, static_cast<int>(left.count()));
      if (ready > 0) return okStatus();
      if (ready < 0 && errno != EINTR) return failed("poll");
    }
  }
  int fd_;
  const Clock& clock_;
  SteadyTime deadline_;
};

// A stranger may write to our port: only the very answer counts.
bool answers(const Message& answer, const Message& query) {
  if (!answer.response || answer.id != query.id || answer.questions.size() != 1) return false;
  const Question &asked = query.questions.front(), &answered = answer.questions.front();
  return answered.type == asked.type && answered.cls == asked.cls && answered.name == asked.name;
}

Result<Message> receiveAnswer(Exchange& exchange, const Message& query, int socketType) {
  while (true) {
    std::string packet;
    if (socketType == SOCK_DGRAM) {
      packet.resize(kMaxTcpBytes);
      packet.resize(TRY(exchange.receive(packet.data(), packet.size())));
    } else {
      std::string length = TRY(exchange.receiveExactly(2));
      size_t size = static_cast<size_t>(static_cast<unsigned char>(length[0])) << 8 | static_cast<unsigned char>(length[1]);
      packet = TRY(exchange.receiveExactly(size));
    }
    std::optional<Message> answer = decodeMessage(packet);
    if (answer && answers(*answer, query)) return std::move(*answer);
    if (socketType == SOCK_STREAM) return Error(Reason::ServiceUnavailable, "not an answer to the question");
  }
}

bool isAnswer(const Result<Message>& result) {
  return result.ok() && (result.value().rcode == kNoError || result.value().rcode == kNxDomain);
}

}  // namespace

std::optional<UpstreamAddress> parseUpstream(std::string_view text) {
  UpstreamAddress upstream;
  std::string_view host = trim(text), port;
  if (host.starts_with('[')) {
    auto parts = cut(host.substr(1), "]");
    if (!parts || (!parts->second.empty() && !parts->second.starts_with(':'))) return std::nullopt;
    host = parts->first;
    port = parts->second.empty() ? "" : parts->second.substr(1);
  } else if (size_t colon = host.find(':'); colon != std::string_view::npos && host.rfind(':') == colon) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (!addressBytes(host)) return std::nullopt;
  upstream.host = host;
  if (!port.empty()) {
    auto number = parseUint(port);
    if (!number || *number == 0 || *number > 65535) return std::nullopt;
    upstream.port = static_cast<uint16_t>(*number);
  }
  return upstream;
}

std::vector<std::string> nameserversOf(std::string_view resolvConf) {
  std::vector<std::string> servers;
  for (std::string_view line : split(resolvConf, '\n')) {
    std::string words(line);
    std::replace(words.begin(), words.end(), '\t', ' ');
    auto parts = splitNonEmpty(words, ' ');
    if (parts.size() < 2 || parts[0] != "nameserver") continue;
    std::string_view address = parts[1].substr(0, parts[1].find('%'));  // without the zone of a link-local address
    if (addressBytes(address)) servers.emplace_back(address);
  }
  return servers;
}

Result<Message> Forwarder::resolve(const Message& query) {
  if (upstreams_.empty()) return Error(Reason::ServiceUnavailable, "no upstream resolver");
  std::string key = AnswerCache::keyOf(query);
  SteadyTime deadline = clock_.steadyNow() + timing_.total;
  size_t first;
  {
    std::lock_guard lock(mutex_);
    first = preferred_;
  }
  Result<Message> best = timedOut();
  for (size_t i = 0; i < upstreams_.size() && clock_.steadyNow() < deadline && !stop_.raised(); ++i) {
    size_t which = (first + i) % upstreams_.size();
    auto result = ask(upstreams_[which], query, std::min(deadline, clock_.steadyNow() + timing_.attempt));
    if (isAnswer(result)) {
      cache_.put(key, *result);
      if (which != first) {
        std::lock_guard lock(mutex_);
        preferred_ = which;
      }
      return result;
    }
    if (result.ok() || !best.ok()) best = std::move(result);
  }
  return best;
}

// Over UDP; over TCP what does not fit; without EDNS where a server does not know it.
Result<Message> Forwarder::ask(const UpstreamAddress& upstream, const Message& query, SteadyTime deadline) {
  Message ours;
  ours.recursionDesired = true;
  ours.checkingDisabled = query.checkingDisabled;
  ours.authenticData = query.authenticData;
  ours.questions = query.questions;
  ours.edns = Edns{.udpSize = kUdpBytes, .dnssecOk = query.edns && query.edns->dnssecOk};
  auto result = exchange(upstream, ours, SOCK_DGRAM, deadline);
  if (result.ok() && (result->rcode == kFormErr || result->rcode == kNotImp)) {
    ours.edns.reset();
    result = exchange(upstream, ours, SOCK_DGRAM, deadline);
  }
  if (result.ok() && result->truncated) {
    auto whole = exchange(upstream, ours, SOCK_STREAM, deadline);
    if (whole.ok()) result = std::move(whole);
  }
  return result;
}

Result<Message> Forwarder::exchange(const UpstreamAddress& upstream, const Message& query, int socketType,
                                    SteadyTime deadline) {
  // A port of its own and a random id for each question: what a forger has to guess.
  SocketAddress to = socketAddress(upstream);
  Socket socket(to.storage.ss_family, socketType);
  if (socket.fd() < 0) return failed("socket");
  Exchange exchange(socket, clock_, deadline);
  TRY(exchange.connect(to));
  Message ours = query;
  ours.id = static_cast<uint16_t>(rng_.next());
  std::string packet = encodeMessage(ours, kMaxTcpBytes);
  if (socketType == SOCK_STREAM) {
    packet.insert(0, {static_cast<char>(packet.size() >> 8), static_cast<char>(packet.size())});
  }
  TRY(exchange.send(packet));
  return receiveAnswer(exchange, ours, socketType);
}

}  // namespace skiff::dns
