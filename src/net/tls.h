// TLS 1.2/1.3 contexts over OpenSSL. PEM in memory; reload by making a new context.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace skiff::net {

struct KeyPair {
  std::string certificatePem;  // leaf first, then intermediates
  std::string keyPem;
};

class TlsContext {  // immutable, shared by connections
 public:
  struct Server {
    KeyPair keyPair;
    std::string
        clientCaPem;  // asks for a client certificate (optional for the client) when not empty
    std::vector<std::string> alpn{"h2", "http/1.1"};
  };
  struct Client {
    std::string caPem;  // empty and !insecure: the system's roots
    KeyPair keyPair;    // may be empty
    bool insecureSkipVerify = false;
    std::vector<std::string> alpn{"h2", "http/1.1"};
  };
  static Result<std::shared_ptr<TlsContext>> server(Server options);
  static Result<std::shared_ptr<TlsContext>> client(Client options);
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  ~TlsContext();
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace skiff::net
