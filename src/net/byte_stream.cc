#include "net/byte_stream.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/strings.h"

namespace skiff::net {
namespace {

constexpr size_t kMaxTlsWrite = 64 * 1024;  // bounds how long a write keeps a read out

Error closedError() { return {Reason::ServiceUnavailable, "use of closed network connection"}; }

Error socketError(std::string_view operation, int code) {
  char text[128];
  return {Reason::ServiceUnavailable,
          concat(operation, ": ", std::string_view(strerror_r(code, text, sizeof text)))};
}

}  // namespace

SocketStream::SocketStream(Fd fd, std::unique_ptr<TlsSession> tls, std::string first)
    : fd_(std::move(fd)), tls_(std::move(tls)), first_(std::move(first)) {
  setNonBlocking(fd_.get());
}

SocketStream::~SocketStream() {
  if (tls_ && fd_.get() >= 0 && !closed_.load()) {
    ERR_clear_error();
    SSL_shutdown(tls_->ssl());  // says goodbye once, without waiting for the answer
    ERR_clear_error();
  }
}

void SocketStream::setDeadline(std::optional<SteadyTime> deadline) {
  deadlineNanos_ = deadline ? std::max<int64_t>(1, deadline->time_since_epoch().count()) : 0;
}

Status SocketStream::wait(Want want) {
  pollfd poller{.fd = fd_.get(), .events = short(want == Want::Read ? POLLIN : POLLOUT)};
  for (;;) {
    if (closed_.load()) return closedError();
    int millis = -1;
    if (int64_t nanos = deadlineNanos_.load(); nanos != 0) {
      auto left = SteadyTime(SteadyTime::duration(nanos)) - Clock::real().steadyNow();
      if (left <= SteadyTime::duration::zero()) return Error(Reason::Timeout, "i/o timeout");
      millis = int(std::min<int64_t>(std::chrono::ceil<milliseconds>(left).count(), 3600 * 1000));
    }
    int ready = poll(&poller, 1, millis);
    if (ready > 0) return okStatus();
    if (ready < 0 && errno != EINTR) return socketError("poll", errno);
  }
}

Result<size_t> SocketStream::read(char* into, size_t capacity) {
  if (firstUsed_ < first_.size()) {
    size_t count = std::min(capacity, first_.size() - firstUsed_);
    std::memcpy(into, first_.data() + firstUsed_, count);
    firstUsed_ += count;
    if (firstUsed_ == first_.size()) {
      first_ = {};
      firstUsed_ = 0;
    }
    return count;
  }
  if (tls_) return readTls(into, capacity);
  for (;;) {
    ssize_t count = recv(fd_.get(), into, capacity, 0);
    if (count >= 0) return size_t(count);
    if (errno != EAGAIN && errno != EINTR) return socketError("read", errno);
    TRY(wait(Want::Read));
  }
}

Result<size_t> SocketStream::readTls(char* into, size_t capacity) {
  for (;;) {
    Want want = Want::Read;
    {
      std::lock_guard lock(tlsMutex_);
      ERR_clear_error();
      size_t count = 0;
      if (SSL_read_ex(tls_->ssl(), into, capacity, &count) == 1) return count;
      switch (SSL_get_error(tls_->ssl(), 0)) {
        case SSL_ERROR_WANT_READ:
          break;
        case SSL_ERROR_WANT_WRITE:
          want = Want::Write;
          break;
        case SSL_ERROR_ZERO_RETURN:
          return size_t(0);
        case SSL_ERROR_SYSCALL:
          return socketError("read", errno);
        default:
          return tls_->handshakeError(0);
      }
    }
    TRY(wait(want));
  }
}

Status SocketStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    Want want = Want::Write;
    if (tls_) {
      std::lock_guard lock(tlsMutex_);
      ERR_clear_error();
      size_t count = 0;
      // After WouldBlock the same bytes are offered again, as OpenSSL demands.
      if (SSL_write_ex(tls_->ssl(), bytes.data(), std::min(bytes.size(), kMaxTlsWrite), &count) ==
          1) {
        bytes.remove_prefix(count);
        continue;
      }
      switch (SSL_get_error(tls_->ssl(), 0)) {
        case SSL_ERROR_WANT_READ:
          want = Want::Read;
          break;
        case SSL_ERROR_WANT_WRITE:
          break;
        default:
          return closedError();
      }
    } else {
      ssize_t count = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        bytes.remove_prefix(size_t(count));
        continue;
      }
      if (errno != EAGAIN && errno != EINTR) return socketError("write", errno);
    }
    TRY(wait(want));
  }
  return okStatus();
}

void SocketStream::closeWrite() {
  if (tls_) {
    std::lock_guard lock(tlsMutex_);
    ERR_clear_error();
    SSL_shutdown(tls_->ssl());
    ERR_clear_error();
  }
  shutdown(fd_.get(), SHUT_WR);
}

void SocketStream::close() {
  if (closed_.exchange(true)) return;
  // Wakes whoever polls; the descriptor itself lives as long as this object.
  shutdown(fd_.get(), SHUT_RDWR);
}

Status SocketStream::handshake() {
  if (!tls_) return okStatus();
  for (;;) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls_->ssl());
    if (result == 1) return okStatus();
    int error = SSL_get_error(tls_->ssl(), result);
    if (error == SSL_ERROR_WANT_READ) {
      TRY(wait(Want::Read));
    } else if (error == SSL_ERROR_WANT_WRITE) {
      TRY(wait(Want::Write));
    } else {
      return tls_->handshakeError(result);
    }
  }
}

void SocketStream::unread(std::string bytes) {
  first_ = bytes + first_.substr(firstUsed_);
  firstUsed_ = 0;
}

bool SocketStream::idleAndAlive() const {
  if (!first_.empty() || closed_.load()) return false;
  if (tls_) {
    std::lock_guard lock(tlsMutex_);
    if (SSL_has_pending(tls_->ssl()) == 1) return false;
  }
  pollfd poller{.fd = fd_.get(), .events = POLLIN};
  return poll(&poller, 1, 0) == 0;
}

std::pair<Fd, std::unique_ptr<TlsSession>> SocketStream::release() {
  return {std::move(fd_), std::move(tls_)};
}

}  // namespace skiff::net
