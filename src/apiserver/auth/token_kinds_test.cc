// Static, bootstrap and webhook tokens, and how long answers about them are kept.
#include <doctest/doctest.h>

#include "apiserver/auth/bootstrap_tokens.h"
#include "apiserver/auth/fake_cluster.h"
#include "apiserver/auth/fake_reviewer.h"
#include "apiserver/auth/token_cache.h"
#include "apiserver/auth/token_webhook.h"
#include "apiserver/security.h"

namespace skiff::apiserver {
namespace {

void addSecret(FakeCluster& cluster, std::string_view expiration, std::string_view usage = "true", std::string_view groups = "") {
  cluster.add("", "secrets", concat(R"({"metadata":{"namespace":"kube-system","name":"bootstrap-token-abcdef"},"type":"bootstrap.kubernetes.io/token","data":{)",
      R"("token-id":")", base64Encode("abcdef"), R"(","token-secret":")", base64Encode("0123456789abcdef"), R"(","expiration":")",
      base64Encode(expiration), R"(","usage-bootstrap-authentication":")", base64Encode(usage), R"(","auth-extra-groups":")",
      base64Encode(groups), R"("}})"));
}

TEST_CASE("bootstrap tokens are secrets of kube-system with a purpose and an end") {
  FakeCluster cluster;
  MovableClock clock;
  BootstrapTokens tokens(cluster, clock, {"api"});
  const std::string token = "abcdef.0123456789abcdef";
  auto known = [&](const std::string& text) { return tokens.authenticate(text, {"api"}).value(); };
  CHECK_FALSE(known(token));
  addSecret(cluster, "2026-11-22T11:00:00Z", "true", "system:bootstrappers:workers");
  REQUIRE(known(token));
  CHECK(known(token)->user.name == "system:bootstrap:abcdef");
  CHECK(known(token)->user.groups == std::vector<std::string>{"system:bootstrappers", "system:bootstrappers:workers"});
  CHECK_FALSE(known("abcdef.0123456789abcdeX"));
  CHECK_FALSE(known("abcdef.0123456789abcdee"));
  clock.moved = seconds(3600);
  CHECK_FALSE(known(token));
  addSecret(cluster, "", "false");
  CHECK_FALSE(known(token));
  addSecret(cluster, "", "true", "system:masters");
  CHECK_FALSE(known(token));
}

TEST_CASE("a webhook's answer is kept for a while") {
  FakeReviewer reviewer;
  MovableClock clock;
  CachedTokens tokens(std::make_unique<TokenWebhook>(reviewer.webhook(), "v1", std::vector<std::string>{"api"}),
                      {.good = seconds(120), .bad = seconds(120)}, clock);
  reviewer.status = R"({"authenticated":true,"user":{"username":"ann","uid":"1","groups":["dev"],"extra":{"a":["b"]}}})";
  CHECK_FALSE(tokens.tryAuthenticate("t", {"api"}).has_value());
  auto answer = tokens.authenticate("t", {"api"});
  REQUIRE((answer.ok() && answer->has_value()));
  CHECK((*answer)->user.name == "ann");
  CHECK((*answer)->user.extra.at("a") == std::vector<std::string>{"b"});
  CHECK(reviewer.seen.at(0) == R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"t","audiences":["api"]}})");
  CHECK(tokens.tryAuthenticate("t", {"api"}).has_value());
  CHECK_FALSE(tokens.tryAuthenticate("t", {"vault"}).has_value());
  clock.moved = seconds(121);
  CHECK_FALSE(tokens.tryAuthenticate("t", {"api"}).has_value());
  reviewer.fail = 2;
  reviewer.status = R"({"authenticated":false,"error":"no such token"})";
  CHECK(tokens.authenticate("t", {"api"}).error().message() == "no such token");
  CHECK(reviewer.seen.size() == 4);
}

TEST_CASE("what a webhook accepts for others is not accepted here") {
  FakeReviewer reviewer;
  TokenWebhook tokens(reviewer.webhook(), "v1beta1", {"api"});
  reviewer.status = R"({"authenticated":true,"user":{"username":"ann"},"audiences":["vault"]})";
  CHECK_FALSE(tokens.authenticate("t", {"api"}).value().has_value());
  CHECK(tokens.authenticate("t", {"api", "vault"}).value()->audiences == std::vector<std::string>{"vault"});
  reviewer.fail = 100;
  CHECK(tokens.authenticate("t", {"api"}).failedWith(Reason::InternalError));
}

}  // namespace
}  // namespace skiff::apiserver
