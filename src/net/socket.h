// A non-blocking socket, plain or TLS, as the loop uses it: reads at once, writes gathered until
// flush.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "net/tls_impl.h"

namespace skiff::net {

// Output buffers are wanted for one turn of the loop by whoever writes in it: they are lent, so
// that thousands of idle connections keep none.
class BufferPool {
 public:
  std::string take();
  void give(std::string buffer);

 private:
  std::vector<std::string> free_;
};

enum class IoState { Done, WouldBlock, Closed };

// Lives on one loop's thread.
class Socket {
 public:
  Socket(Fd fd, std::unique_ptr<TlsSession> tls, BufferPool& pool);
  ~Socket();

  int fd() const { return fd_.get(); }
  TlsSession* tls() { return tls_.get(); }
  IoState handshake();  // Done at once without TLS; flush() after every call

  // Some bytes, or why there are none. *more: data may be left, read again before waiting.
  IoState read(char* into, size_t capacity, size_t* got, bool* more);
  void write(std::string_view bytes);
  IoState flush();  // WouldBlock: wait until writable
  // Once a read says Closed: why, as far as the peer said so in TLS (it wants a certificate, say).
  const char* closedBy() const { return closedBy_; }
  size_t unsent() const { return staged_.size() + out_.size() - sent_; }

  // Ends the loop's use: everything must have been flushed.
  Fd releaseFd() { return std::move(fd_); }
  std::unique_ptr<TlsSession> releaseTls();

 private:
  void encrypt(bool all);

  Fd fd_;
  std::unique_ptr<TlsSession> tls_;
  BufferPool& pool_;
  std::string staged_;  // TLS only: plain text, cut into full records
  std::string out_;     // bytes of the wire
  size_t sent_ = 0;     // of out_
  bool broken_ = false;
  const char* closedBy_ = "the peer closed it";
};

void setNonBlocking(int fd);
void tuneTcp(int fd);  // no delay, keep-alive: a dead peer is noticed within two minutes

}  // namespace skiff::net
