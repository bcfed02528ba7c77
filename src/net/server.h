// HTTP/1.1 and HTTP/2 server on one event loop thread, TLS with ALPN or plain.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "net/tls.h"

namespace skiff::net {

struct ServerOptions {
  std::string address = "0.0.0.0";
  uint16_t port = 0;     // 0: any free one
  std::string unixPath;  // instead of address and port; a stale socket is replaced, mode 0600
  std::shared_ptr<TlsContext> tls;        // null: plain HTTP/1.1 and h2c with prior knowledge
  size_t maxBodyBytes = 3 * 1024 * 1024;  // as upstream; larger bodies get 413
  size_t maxHeaderBytes = 1024 * 1024;
  uint32_t maxConcurrentStreams = 1000;  // per HTTP/2 connection
  size_t maxConnections = 20000;
  int idleTimeoutSeconds = 180;
  size_t upgradeThreads = 256;  // streams after an upgrade, at the same time
};

class Server {
 public:
  // Binds and serves on its own loop thread until stop(). "address already in use" is a plain
  // Error.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler& handler);
  virtual ~Server() = default;  // as stop
  virtual uint16_t port() const = 0;
  virtual void setTls(std::shared_ptr<TlsContext> tls) = 0;  // for new connections
  // No new requests; streams get GOAWAY; waits at most `drain` for the open answers; then closes
  // all.
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

}  // namespace skiff::net
