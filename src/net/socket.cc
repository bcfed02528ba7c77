#include "net/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::net {
namespace {

constexpr size_t kRecordBytes = 16384;  // the largest TLS record
constexpr size_t kBufferBytes =
    64 * 1024;  // kept capacity of a pooled buffer: up to four records a send
constexpr size_t kPooledBuffers = 64;  // 8 MiB at most

}  // namespace

std::string BufferPool::take() {
  if (free_.empty()) {
    std::string fresh;
    fresh.reserve(kBufferBytes);
    return fresh;
  }
  auto buffer = std::move(free_.back());
  free_.pop_back();
  return buffer;
}

void BufferPool::give(std::string buffer) {
  if (buffer.capacity() > 2 * kBufferBytes || free_.size() >= kPooledBuffers) return;
  buffer.clear();
  free_.push_back(std::move(buffer));
}

Socket::Socket(Fd fd, std::unique_ptr<TlsSession> tls, BufferPool& pool)
    : fd_(std::move(fd)), tls_(std::move(tls)), pool_(pool) {
  if (tls_) tls_->writeTo(&out_);
}

Socket::~Socket() = default;

std::unique_ptr<TlsSession> Socket::releaseTls() {
  if (tls_) tls_->writeTo(nullptr);
  return std::move(tls_);
}

IoState Socket::handshake() {
  if (!tls_) return IoState::Done;
  ERR_clear_error();
  int result = SSL_do_handshake(tls_->ssl());
  if (result == 1) return IoState::Done;
  int error = SSL_get_error(tls_->ssl(), result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? IoState::WouldBlock
                                                                       : IoState::Closed;
}

IoState Socket::read(char* into, size_t capacity, size_t* got, bool* more) {
  *more = false;
  if (tls_) {
    ERR_clear_error();
    if (SSL_read_ex(tls_->ssl(), into, capacity, got) == 1) {
      *more = SSL_has_pending(tls_->ssl()) == 1;
      return IoState::Done;
    }
    int error = SSL_get_error(tls_->ssl(), 0);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return IoState::WouldBlock;
    const char* alert = error == SSL_ERROR_SSL ? ERR_reason_error_string(ERR_peek_error()) : nullptr;
    if (alert) closedBy_ = alert;
    return IoState::Closed;
  }
  ssize_t count = recv(fd_.get(), into, capacity, 0);
  if (count > 0) {
    *got = size_t(count);
    *more = *got == capacity;
    return IoState::Done;
  }
  return count < 0 && (errno == EAGAIN || errno == EINTR) ? IoState::WouldBlock : IoState::Closed;
}

void Socket::write(std::string_view bytes) {
  if (broken_) return;
  auto& target = tls_ ? staged_ : out_;
  if (target.capacity() < kRecordBytes) {
    auto pooled = pool_.take();
    pooled.append(target);
    target = std::move(pooled);
  }
  target.append(bytes);
  if (tls_ && staged_.size() >= kRecordBytes) encrypt(false);
}

// Whole records while writing, the rest at flush.
void Socket::encrypt(bool all) {
  if (out_.capacity() < kRecordBytes && out_.empty()) out_ = pool_.take();
  size_t from = 0;
  while (staged_.size() - from >= (all ? 1 : kRecordBytes)) {
    size_t done = 0;
    ERR_clear_error();
    // The sink is memory and takes everything.
    if (SSL_write_ex(tls_->ssl(), staged_.data() + from,
                     std::min(staged_.size() - from, kRecordBytes), &done) != 1) {
      broken_ = true;
      from = staged_.size();
      break;
    }
    from += done;
  }
  staged_.erase(0, from);
}

IoState Socket::flush() {
  if (tls_ && !staged_.empty()) encrypt(true);
  if (broken_) return IoState::Closed;
  while (sent_ < out_.size()) {
    ssize_t count = send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return IoState::WouldBlock;
      broken_ = true;
      return IoState::Closed;
    }
    sent_ += size_t(count);
  }
  if (out_.capacity() > 0) pool_.give(std::move(out_));
  out_ = {};
  sent_ = 0;
  if (staged_.capacity() > 0) pool_.give(std::move(staged_));
  staged_ = {};
  return IoState::Done;
}

void setNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

void tuneTcp(int fd) {
  auto set = [&](int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);  // a unix socket refuses: no harm
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 5);
}

}  // namespace skiff::net
