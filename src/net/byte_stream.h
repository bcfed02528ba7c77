// Blocking byte streams over sockets: upgraded connections and outgoing ones.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/http.h"
#include "net/socket.h"

namespace skiff::net {

// A socket that blocks with poll(2), optionally until a deadline. One reader and one writer thread
// at a time, close() from a third. OpenSSL wants one caller at a time, so its calls are made under
// a mutex, and waiting is done outside.
class SocketStream final : public ByteStream {
 public:
  // `first` is read before the socket: bytes that arrived behind the head of an upgrade.
  SocketStream(Fd fd, std::unique_ptr<TlsSession> tls, std::string first);
  ~SocketStream() override;

  Result<size_t> read(char* into, size_t capacity) override;
  Status write(std::string_view bytes) override;
  void closeWrite() override;
  void close() override;

  // For reads and writes from now on; nullopt: none. Missed: Reason::Timeout, and the stream stays
  // usable.
  void setDeadline(std::optional<SteadyTime> deadline);
  Status handshake();
  // Puts bytes back, to be read again before others.
  void unread(std::string bytes);
  bool idleAndAlive() const;  // nothing to read, and the peer has not closed
  TlsSession* tls() { return tls_.get(); }
  int fd() const { return fd_.get(); }
  // The parts, for a loop to go on with. Nothing may be unread.
  std::pair<Fd, std::unique_ptr<TlsSession>> release();

 private:
  enum class Want { Read, Write };
  Status wait(Want want);
  Result<size_t> readTls(char* into, size_t capacity);

  Fd fd_;
  std::unique_ptr<TlsSession> tls_;
  mutable std::mutex tlsMutex_;  // guards calls into tls_
  std::string first_;            // the reader's
  size_t firstUsed_ = 0;
  std::atomic<int64_t> deadlineNanos_{0};  // of the steady clock; 0: none
  std::atomic<bool> closed_{false};
};

// Deadline-aware: name resolution, TCP or unix connect, TLS handshake.
enum class Alpn { OfContext, Http1Only };
Result<std::unique_ptr<SocketStream>> dial(const struct Endpoint& endpoint, SteadyTime deadline,
                                           Alpn alpn = Alpn::OfContext);

}  // namespace skiff::net
