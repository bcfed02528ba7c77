// HTTP clients of the server's own calls (webhooks, issuers of tokens, aggregated servers): made on first use, kept and shared by
// who is called and how. Thread safe.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_client.h"

namespace skiff::apiserver {

class HttpClients {
 public:
  // A churn of addresses or certificates must not collect clients for ever: at `capacity` all are given up.
  explicit HttpClients(size_t capacity) : capacity_(capacity) {}

  struct Target {
    net::Endpoint endpoint;  // without its tls
    bool isTls = true;
    std::string caPem;       // empty: the system's roots
    net::KeyPair keyPair;    // shown to the server; may be empty
    bool insecureSkipVerify = false;
    bool forceHttp1 = false;  // upgrades exist there only
    milliseconds connectTimeout{10000};
  };
  Result<std::shared_ptr<net::HttpClient>> clientFor(const Target& target);

 private:
  const size_t capacity_;
  std::mutex mutex_;  // guards clients_
  std::map<std::string, std::shared_ptr<net::HttpClient>> clients_;
};

// What a clientConfig or an APIService has as caBundle: base64 of PEM, or nothing.
Result<std::string> decodeCaBundle(std::string_view caBundle);

}  // namespace skiff::apiserver
