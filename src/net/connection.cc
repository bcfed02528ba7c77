// One accepted socket.
//
//   Handshake -> Open -> (Draining -> Lingering) -> Closed
//        \-> Detect -^       (plain sockets tell the protocol by their first bytes)
#include <sys/epoll.h>
#include <sys/socket.h>

#include "net/server_core.h"

namespace skiff::net {
namespace {

constexpr auto kHandshakeTime = seconds(10);
constexpr auto kLingerTime = seconds(2);
constexpr auto kStallTime = seconds(120);         // a peer that takes nothing for so long is gone
constexpr size_t kLingerBytes = 8 * 1024 * 1024;  // read and dropped at most
constexpr int kReadsPerTurn = 16;                 // fairness among connections

}  // namespace

Connection::Connection(ServerCore& core, Fd fd, std::unique_ptr<TlsSession> tls,
                       std::string remoteAddress)
    : core_(core), socket_(std::move(fd), std::move(tls), core.buffers()) {
  peer_.remoteAddress = std::move(remoteAddress);
}

Connection::~Connection() = default;

void Connection::start() {
  lastRead_ = lastProgress_ = core_.now();
  if (socket_.tls() == nullptr) phase_ = Phase::Detect;
  interest_ = EPOLLIN;
  core_.loop().watch(socket_.fd(), interest_, [this](uint32_t events) { onEvents(events); });
  core_.armSweep(deadline());
}

void Connection::onEvents(uint32_t events) {
  if (phase_ == Phase::Closed) return;
  if ((events & EPOLLOUT) != 0) {
    blocked_ = false;
    updateInterest();
    markDirty();
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  if ((events & EPOLLIN) == 0 && (interest_ & EPOLLIN) == 0) return close();
  if (phase_ == Phase::Handshake) {
    finishHandshake();
  } else {
    readAll();
  }
}

void Connection::finishHandshake() {
  auto state = socket_.handshake();
  if (state != IoState::Closed) {
    auto flushed = socket_.flush();
    if (flushed == IoState::Closed) return close();
    blocked_ = flushed == IoState::WouldBlock;
    updateInterest();
  }
  if (state == IoState::Closed) {
    (void)socket_.flush();  // the alert that says why
    return close();
  }
  if (state == IoState::WouldBlock) return;
  peer_.certificateChain = socket_.tls()->peerChainDer();
  phase_ = Phase::Open;
  protocol_ = socket_.tls()->alpn() == "h2" ? makeHttp2(*this) : makeHttp1(*this);
  markDirty();
  readAll();
}

void Connection::chooseProtocol(std::string_view bytes) {
  constexpr std::string_view kPreface = "PRI ";
  detected_.append(bytes);
  bool isHttp2 = detected_.starts_with(kPreface);
  if (!isHttp2 && kPreface.starts_with(detected_)) return;  // too few to tell
  phase_ = Phase::Open;
  protocol_ = isHttp2 ? makeHttp2(*this) : makeHttp1(*this);
  markDirty();
  auto first = std::move(detected_);
  received(first);
}

void Connection::readAll() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (phase_ == Phase::Closed || phase_ == Phase::Draining) return;
    if (protocol_ != nullptr && phase_ == Phase::Open && !protocol_->wantsRead()) {
      updateInterest();
      return;
    }
    size_t got = 0;
    bool more = false;
    auto& scratch = core_.scratch();
    auto state = socket_.read(scratch.data(), scratch.size(), &got, &more);
    if (state == IoState::WouldBlock) return;
    if (state == IoState::Closed) {
      pump();  // what is answered already may still reach a peer that only closed its half
      return close();
    }
    lastRead_ = core_.now();
    if (!received({scratch.data(), got}) || !more) return;
  }
  // TLS may hold bytes that epoll does not know of.
  core_.loop().post([core = &core_, this] {
    if (core->owns(this)) readAll();
  });
}

bool Connection::received(std::string_view bytes) {
  switch (phase_) {
    case Phase::Detect:
      chooseProtocol(bytes);
      return true;
    case Phase::Lingering:
      lingered_ += bytes.size();
      if (lingered_ <= kLingerBytes) return true;
      close();
      return false;
    case Phase::Open:
      if (protocol_->consume(bytes)) return true;
      pump();
      if (phase_ == Phase::Open) lingerThenClose();
      return false;
    default:
      return false;
  }
}

void Connection::markDirty() {
  if (dirty_ || phase_ == Phase::Closed) return;
  dirty_ = true;
  core_.markDirty(*this);
}

void Connection::pump() {
  dirty_ = false;
  if (phase_ == Phase::Closed || phase_ == Phase::Handshake || blocked_) return;
  bool open = true, again = true;
  while (again) {
    if (phase_ == Phase::Open) open = protocol_->produce();
    if (phase_ == Phase::Closed) return;
    again = open && phase_ == Phase::Open && !roomToWrite();
    size_t before = socket_.unsent();
    auto state = socket_.flush();
    if (state == IoState::Closed) return close();
    if (socket_.unsent() < before) lastProgress_ = core_.now();
    if (state == IoState::WouldBlock) {
      blocked_ = true;
      core_.armSweep(deadline());
      break;
    }
  }
  bool sent = socket_.unsent() == 0;
  if (sent && upgrade_) return finishUpgrade();
  if (sent && !open && phase_ == Phase::Open) return close();
  if (sent && phase_ == Phase::Draining) {
    phase_ = Phase::Lingering;
    shutdown(socket_.fd(), SHUT_WR);
    lastRead_ = core_.now();
  }
  bool wasReading = (interest_ & EPOLLIN) != 0;
  updateInterest();
  if (!wasReading && (interest_ & EPOLLIN) != 0) readAll();
  if (phase_ != Phase::Closed && deadline() != SteadyTime::max()) core_.armSweep(deadline());
}

void Connection::updateInterest() {
  if (phase_ == Phase::Closed) return;
  bool reads =
      phase_ != Phase::Draining && (phase_ != Phase::Open || (protocol_->wantsRead() && !upgrade_));
  uint32_t wanted = (reads ? uint32_t(EPOLLIN) : 0U) | (blocked_ ? uint32_t(EPOLLOUT) : 0U);
  if (wanted == interest_) return;
  interest_ = wanted;
  core_.loop().modify(socket_.fd(), wanted);
}

void Connection::upgradeWhenSent(UpgradeThen then, std::string unread) {
  upgrade_ = std::move(then);
  upgradeUnread_ = std::move(unread);
  markDirty();
}

void Connection::finishUpgrade() {
  core_.loop().unwatch(socket_.fd());
  protocol_->detachAll();
  phase_ = Phase::Closed;
  auto tls = socket_.releaseTls();
  auto stream = std::make_unique<SocketStream>(socket_.releaseFd(), std::move(tls),
                                               std::move(upgradeUnread_));
  core_.runUpgrade(std::move(stream), std::move(upgrade_));
  core_.forget(*this);
}

void Connection::lingerThenClose() {
  if (phase_ != Phase::Open) return;
  phase_ = Phase::Draining;
  protocol_->detachAll();
  markDirty();
}

void Connection::close() {
  if (phase_ == Phase::Closed) return;
  phase_ = Phase::Closed;
  core_.loop().unwatch(socket_.fd());
  if (protocol_) protocol_->detachAll();
  core_.forget(*this);
}

// A peer that sends a request at this very moment learns from the goodbye that it was not served.
void Connection::expire() {
  if (phase_ == Phase::Open && !blocked_) {
    protocol_->goAway();
    pump();
  }
  close();
}

void Connection::goAway() {
  if (phase_ != Phase::Open) return close();
  protocol_->goAway();
  markDirty();
}

SteadyTime Connection::deadline() const {
  if (blocked_) return lastProgress_ + kStallTime;
  switch (phase_) {
    case Phase::Handshake:
    case Phase::Detect:
      return lastRead_ + kHandshakeTime;
    case Phase::Draining:
    case Phase::Lingering:
      return lastRead_ + kLingerTime;
    case Phase::Open:
      return idle() ? lastRead_ + seconds(core_.options().idleTimeoutSeconds) : SteadyTime::max();
    case Phase::Closed:
      break;
  }
  return SteadyTime::max();
}

}  // namespace skiff::net
