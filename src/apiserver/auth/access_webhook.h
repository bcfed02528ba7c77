// An authorizer outside: it is asked by SubjectAccessReviews, and what it said is kept for a while.
// https://kubernetes.io/docs/reference/access-authn-authz/webhook/
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "apiserver/auth/claims.h"
#include "apiserver/auth/review_webhook.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

class AccessWebhook final : public Authorizer {
 public:
  struct Options {
    std::string version = "v1";  // of the SubjectAccessReview sent
    seconds authorizedTtl{300}, unauthorizedTtl{30};  // 0: not kept
    std::vector<Program> matchConditions;  // over `request`; it is asked when all are true
    Decision onFailure = Decision::NoOpinion;
    const Clock* clock = &Clock::real();
  };
  AccessWebhook(std::unique_ptr<ReviewWebhook> webhook, Options options) : webhook_(std::move(webhook)), options_(std::move(options)) {}

  Verdict authorize(const UserInfo& user, const RequestInfo& request) override;
  std::optional<Verdict> tryAuthorize(const UserInfo& user, const RequestInfo& request) override;
  void stop() override { webhook_->stop(); }

 private:
  struct Question {
    codec::Arena arena;
    codec::Value spec;  // of the review, in v1
    std::string key;    // of the answers that are kept
  };
  struct Known {
    Verdict verdict;
    SteadyTime until;
  };
  Question questionOf(const UserInfo& user, const RequestInfo& request) const;
  // What needs no asking: a condition that is false, an answer that is known.
  std::optional<Verdict> known(const Question& question);
  std::optional<Verdict> unmatched(const Question& question) const;
  Result<Verdict> ask(Question& question);

  static constexpr size_t kMaxKnown = 8192;     // then all are forgotten
  static constexpr size_t kMaxKeptBytes = 10000;  // of a question, as upstream
  const std::unique_ptr<ReviewWebhook> webhook_;
  const Options options_;
  std::mutex mutex_;  // guards known_
  std::unordered_map<std::string, Known> known_;
};

}  // namespace skiff::apiserver
