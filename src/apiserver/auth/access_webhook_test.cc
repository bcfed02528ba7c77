// Authorizers by configuration: webhooks with conditions, policies of ABAC, reload.
#include <doctest/doctest.h>

#include <fstream>

#include "apiserver/auth/abac.h"
#include "apiserver/auth/access_webhook.h"
#include "apiserver/auth/authentication.h"
#include "apiserver/auth/authorization_configuration.h"
#include "apiserver/auth/fake_cluster.h"
#include "apiserver/auth/fake_reviewer.h"

namespace skiff::apiserver {
namespace {

RequestInfo listPods() {
  RequestInfo info;
  info.isResource = true;
  info.path = "/api/v1/namespaces/a/pods";
  info.verb = "list";
  info.version = "v1";
  info.resource = "pods";
  info.ns = "a";
  return info;
}
const UserInfo kAnn{.name = "ann", .uid = "1", .groups = {"dev"}, .extra = {}};

std::string scratchFile(std::string_view text) {
  std::string path = concat("/tmp/skiff-authorization-test-", newUid());
  std::ofstream(path) << text;
  return path;
}

TEST_CASE("a webhook is asked once, and its answers are kept by their kind") {
  FakeReviewer reviewer;
  MovableClock clock;
  AccessWebhook webhook(reviewer.webhook(), {.authorizedTtl = seconds(300), .unauthorizedTtl = seconds(30), .clock = &clock});
  RequestInfo info = listPods();
  info.fieldSelector = "spec.nodeName=n1";
  info.labelSelector = "app in (a,b),!old";
  reviewer.status = R"({"allowed":true,"reason":"because"})";
  CHECK_FALSE(webhook.tryAuthorize(kAnn, info).has_value());
  Verdict verdict = webhook.authorize(kAnn, info);
  CHECK(verdict.decision == Decision::Allow);
  CHECK(verdict.reason == "because");
  CHECK(reviewer.seen.at(0) ==
        R"({"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"resourceAttributes":{"namespace":"a","verb":"list",)"
        R"("version":"v1","resource":"pods","fieldSelector":{"requirements":[{"key":"spec.nodeName","operator":"In","values":["n1"]}]},)"
        R"("labelSelector":{"requirements":[{"key":"app","operator":"In","values":["a","b"]},{"key":"old","operator":"DoesNotExist"}]}},)"
        R"("user":"ann","groups":["dev"],"uid":"1"}})");
  clock.moved = seconds(299);
  REQUIRE(webhook.tryAuthorize(kAnn, info).has_value());
  clock.moved = seconds(301);
  CHECK_FALSE(webhook.tryAuthorize(kAnn, info).has_value());

  reviewer.status = R"({"denied":true})";
  CHECK(webhook.authorize(kAnn, info).decision == Decision::Deny);
  clock.moved += seconds(31);
  CHECK_FALSE(webhook.tryAuthorize(kAnn, info).has_value());
  reviewer.status = R"({"allowed":true,"denied":true})";
  CHECK(webhook.authorize(kAnn, info).error == "webhook subject access review returned both allow and deny response");
}

TEST_CASE("a webhook that fails has no opinion, or denies, as it is told") {
  FakeReviewer reviewer;
  reviewer.fail = 1000;
  for (Decision onFailure : {Decision::NoOpinion, Decision::Deny}) {
    AccessWebhook webhook(reviewer.webhook(), {.onFailure = onFailure});
    Verdict verdict = webhook.authorize(kAnn, listPods());
    CHECK(verdict.decision == onFailure);
    CHECK(verdict.error.find("the server returned status 503") != std::string::npos);
  }
}

TEST_CASE("match conditions decide whether a webhook is asked at all") {
  FakeReviewer reviewer;
  reviewer.status = R"({"allowed":true})";
  auto withCondition = [&](std::string_view source) {
    return std::make_unique<AccessWebhook>(reviewer.webhook(), AccessWebhook::Options{.matchConditions = {*compileOver("request", source)},
                                                                                      .onFailure = Decision::Deny});
  };
  auto verdictOf = [&](std::string_view source) { return withCondition(source)->tryAuthorize(kAnn, listPods()); };
  CHECK_FALSE(verdictOf("has(request.resourceAttributes) && request.resourceAttributes.namespace == 'a'").has_value());
  CHECK(verdictOf("request.user == 'bob'")->decision == Decision::NoOpinion);
  CHECK(verdictOf("!('dev' in request.groups)")->decision == Decision::NoOpinion);
  CHECK(verdictOf("request.nonResourceAttributes.path == '/x'")->decision == Decision::Deny);  // fails
  CHECK(reviewer.seen.empty());
}

TEST_CASE("a configuration orders authorizers, and a change of it is applied") {
  FakeReviewer reviewer;
  FakeCluster cluster;
  reviewer.status = R"({"allowed":true})";
  std::string path = scratchFile(R"(apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: RBAC, name: rbac}
- type: Webhook
  name: hook
  webhook:
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: /some/kubeconfig}
    matchConditions: [{expression: "request.user == 'ann'"}]
)");
  SecurityOptions options;
  options.authorization.configFile = path;
  options.readKubeconfig = [&](const std::string& file) -> Result<WebhookServer> {
    CHECK(file == "/some/kubeconfig");
    return reviewer.address();
  };
  auto authorizer = makeAuthorizer(options, cluster);
  REQUIRE(authorizer->start().ok());
  CHECK(authorizer->tryAuthorize({.name = "bob"}, listPods())->decision == Decision::NoOpinion);
  CHECK_FALSE(authorizer->tryAuthorize(kAnn, listPods()).has_value());
  CHECK(authorizer->authorize(kAnn, listPods()).decision == Decision::Allow);
  CHECK(authorizer->tryAuthorize({.name = "root", .groups = {"system:masters"}}, listPods())->decision == Decision::Allow);
  auto* lister = dynamic_cast<RuleLister*>(authorizer.get());
  REQUIRE(lister != nullptr);
  CHECK(lister->listRules(kAnn, "a").problem == "webhook authorizer does not support user rule resolution");
  std::remove(path.c_str());
}

TEST_CASE("configurations that are refused") {
  auto problem = [](std::string_view authorizers) {
    auto parsed = parseAuthorizationConfiguration(concat("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers: ", authorizers));
    return parsed.ok() ? std::string() : parsed.error().message();
  };
  CHECK(problem("[{type: RBAC, name: a}, {type: Node, name: b}]") == "");
  CHECK(problem("[]").find("at least one authorization mode must be defined") != std::string::npos);
  CHECK(problem("[{type: RBAC, name: a}, {type: RBAC, name: b}]").find("authorizers[1].type: Duplicate value: \"RBAC\"") != std::string::npos);
  CHECK(problem("[{type: Magic, name: a}]").find("Unsupported value: \"Magic\"") != std::string::npos);
  CHECK(problem("[{type: Webhook, name: a}]").find("authorizers[0].webhook: Required value: required when type=Webhook") != std::string::npos);
  CHECK(problem("[{type: Webhook, name: a, webhook: {}}]").find("authorizers[0].webhook.timeout: Required value") != std::string::npos);
  CHECK(problem("[{type: RBAC, name: a, extra: 1}]").find("authorizers[0].extra: unknown field") != std::string::npos);
}

TEST_CASE("ABAC: the first policy that is of the user and covers the request") {
  std::string path = scratchFile(
      "# comment\n"
      R"({"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"ann","namespace":"a","resource":"pods","apiGroup":"*","readonly":true}})" "\n"
      R"({"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"group":"ops","nonResourcePath":"/metrics*"}})" "\n");
  auto abac = AbacAuthorizer::fromFile(path);
  REQUIRE(abac.ok());
  RequestInfo info = listPods();
  CHECK((*abac)->authorize(kAnn, info).decision == Decision::Allow);
  info.verb = "delete";
  CHECK((*abac)->authorize(kAnn, info).reason == "No policy matched.");
  info.verb = "list";
  info.ns = "b";
  CHECK((*abac)->authorize(kAnn, info).decision == Decision::NoOpinion);
  RequestInfo metrics{.path = "/metrics/slis", .verb = "get"};
  CHECK((*abac)->authorize({.name = "x", .groups = {"ops"}}, metrics).decision == Decision::Allow);
  CHECK((*abac)->authorize(kAnn, metrics).decision == Decision::NoOpinion);
  CHECK((*abac)->rulesFor(kAnn, "a").size() == 1);
  std::ofstream(path) << "{\"kind\":\"Pod\"}";
  CHECK_FALSE(AbacAuthorizer::fromFile(path).ok());
  std::remove(path.c_str());
}

}  // namespace
}  // namespace skiff::apiserver
