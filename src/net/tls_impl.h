// OpenSSL behind tls.h: contexts, and one TLS session on a non-blocking socket. For .cc files of
// this room.
#pragma once
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "net/tls.h"

namespace skiff::net {

struct SslFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

struct TlsContext::Impl {
  std::unique_ptr<BIO_METHOD, SslFree> writeMethod;
  std::unique_ptr<SSL_CTX, SslFree> context;
  std::string alpn;  // wire form: length-prefixed names in order of preference
  bool verifyPeer = false;
};

// One TLS session. Records to send go to `buffer` while it is set (the loop sends them in large
// pieces), else straight to the socket without raising SIGPIPE.
class TlsSession {
 public:
  static std::unique_ptr<TlsSession> accept(std::shared_ptr<TlsContext> context, int fd);
  // Verifies the peer's certificate against `serverName`, a DNS name or an IP address.
  static std::unique_ptr<TlsSession> connect(std::shared_ptr<TlsContext> context, int fd,
                                             const std::string& serverName);

  SSL* ssl() { return ssl_.get(); }
  void writeTo(std::string* buffer) { buffer_ = buffer; }
  void offerOnlyHttp1();  // whatever the context offers
  std::string_view alpn() const;
  std::vector<std::string> peerChainDer() const;  // leaf first
  Error handshakeError(int result) const;

 private:
  friend struct TlsWriteBio;
  static std::unique_ptr<TlsSession> create(std::shared_ptr<TlsContext> context, int fd);

  std::shared_ptr<TlsContext> context_;  // its BIO_METHOD must outlive ssl_
  std::unique_ptr<SSL, SslFree> ssl_;
  std::string* buffer_ = nullptr;
  int fd_ = -1;
};

}  // namespace skiff::net
