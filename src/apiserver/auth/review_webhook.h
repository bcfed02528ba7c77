// A server outside that is asked for reviews: of tokens (TokenReview) or of access (SubjectAccessReview).
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "apiserver/auth/options.h"
#include "apiserver/http_clients.h"
#include "codec/value.h"

namespace skiff::apiserver {

class ReviewWebhook {
 public:
  struct Options {
    WebhookServer server;
    milliseconds timeout{30000};  // of one call
    milliseconds firstPause{500};  // before it is tried again; then half as long again each time
  };
  static Result<std::unique_ptr<ReviewWebhook>> create(Options options);
  ~ReviewWebhook() { stop(); }

  // POSTs the review and returns the answer's tree. Blocks; a server that is overloaded is asked up to five times.
  Result<codec::DocumentPtr> review(const codec::Value& review);
  void stop();  // ends pauses

 private:
  explicit ReviewWebhook(Options options) : options_(std::move(options)), clients_(1) {}
  Result<codec::DocumentPtr> call(const std::string& body, bool& again);
  bool pause(milliseconds length);

  static constexpr int kTries = 5;
  const Options options_;
  HttpClients::Target target_;
  std::string path_, query_, url_;
  HttpClients clients_;
  std::mutex mutex_;  // guards stopped_
  std::condition_variable stopping_;
  bool stopped_ = false;
};

}  // namespace skiff::apiserver
