// An OpenID issuer over TLS, for tests: its discovery document, its keys, and how often it was asked.
#pragma once
#include <atomic>
#include <mutex>

#include "base/strings.h"
#include "net/server.h"
#include "net/test_tls.h"
#include "pki/jwt.h"
#include "pki/x509.h"

namespace skiff::apiserver {

class FakeIssuer final : public net::Handler {
 public:
  FakeIssuer() {
    auto started = net::Server::start({.address = "127.0.0.1", .tls = net::testTls().server}, *this);
    server_ = std::move(started).value();
    addKey();
  }
  ~FakeIssuer() override { server_->stop(std::chrono::milliseconds(0)); }

  std::string url() const { return concat("https://127.0.0.1:", server_->port()); }
  void addKey(const std::string& pem = pki::newRsaKeyPem()) {
    std::lock_guard lock(mutex_);
    keys_.push_back(*pki::jwtKeyFromPem(pem));
  }
  // A token of the newest key; `claims` without iss, aud and exp.
  std::string token(std::string_view claims, std::string_view audience = "client", int64_t expiry = 4102444800,
                    std::string_view algorithm = "") const {
    return *pki::signJwt(keys_.back(), concat(R"({"iss":")", url(), R"(","aud":")", audience, R"(","exp":)", expiry, ",", claims, "}"),
                         algorithm);
  }
  int asked() const { return asked_; }

  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    ++asked_;
    net::Response response;
    std::lock_guard lock(mutex_);
    if (request->path == "/.well-known/openid-configuration")
      response.body.emplace_back(concat(R"({"issuer":")", url(), R"(","jwks_uri":")", url(), R"(/keys?x=1"})"));
    else if (request->path == "/keys" && request->query == "x=1")
      response.body.emplace_back(pki::jwksJson(keys_));
    else
      response.status = 404;
    writer->respond(std::move(response));
  }

 private:
  std::atomic<int> asked_ = 0;
  std::mutex mutex_;  // guards keys_ against the server's thread
  std::vector<pki::JwtKey> keys_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace skiff::apiserver
