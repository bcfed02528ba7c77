// For tests: a server that is asked for reviews, and a clock that is moved by hand.
#pragma once
#include "apiserver/auth/review_webhook.h"
#include "base/clock.h"
#include "base/strings.h"
#include "net/server.h"
#include "net/test_tls.h"

namespace skiff::apiserver {

class MovableClock final : public Clock {
 public:
  WallTime now() const override { return *parseRfc3339("2026-11-22T10:00:00Z") + std::chrono::duration_cast<microseconds>(moved); }
  SteadyTime steadyNow() const override { return SteadyTime(moved); }
  seconds moved{0};
};

// Answers each review with what the test gives.
struct FakeReviewer final : net::Handler {
  std::string status;
  std::vector<std::string> seen;
  int fail = 0;  // so many times first
  std::unique_ptr<net::Server> server;
  FakeReviewer() { server = net::Server::start({.address = "127.0.0.1", .tls = net::testTls().server}, *this).value(); }
  ~FakeReviewer() override { server->stop(std::chrono::milliseconds(0)); }
  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    seen.emplace_back(request->body.view());
    net::Response response;
    if (fail > 0) {
      --fail;
      response.status = 503;
    } else {
      response.body.emplace_back(concat(R"({"status":)", status, "}"));
    }
    writer->respond(std::move(response));
  }
  WebhookServer address() const {
    WebhookServer to;
    to.url = concat("https://127.0.0.1:", server->port(), "/review");
    to.caPem = net::testTls().caPem;
    return to;
  }
  std::unique_ptr<ReviewWebhook> webhook() const {
    return ReviewWebhook::create({.server = address(), .firstPause = milliseconds(1)}).value();
  }
};

}  // namespace skiff::apiserver
