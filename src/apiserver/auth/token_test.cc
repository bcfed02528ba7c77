#include <doctest/doctest.h>

#include "apiserver/auth/fake_cluster.h"
#include "apiserver/security.h"
#include "pki/x509.h"

namespace skiff::apiserver {
namespace {

class FixedClock final : public Clock {
 public:
  WallTime now() const override { return time; }
  SteadyTime steadyNow() const override { return {}; }
  WallTime time = *parseRfc3339("2026-11-22T10:00:00Z");
};

// A cluster with an account, a pod that uses it, and a server that issues and takes tokens.
struct Fixture {
  FixedClock clock;
  FakeCluster cluster;
  SecurityOptions options;
  std::unique_ptr<Authenticator> authenticator;
  UserInfo admin{.name = "admin"};

  Fixture() {
    options.clock = &clock;
    options.serviceAccountKeys = {*pki::jwtKeyFromPem(pki::newRsaKeyPem())};
    cluster.add("", "serviceaccounts", R"({"metadata":{"namespace":"ns","name":"sa","uid":"s1"}})");
    cluster.add("", "pods", R"({"metadata":{"namespace":"ns","name":"p","uid":"p1"},"spec":{"serviceAccountName":"sa"}})");
    authenticator = makeAuthenticator(options, cluster);
  }

  Result<std::string> issue(std::string_view spec) {
    auto document = *codec::parseJsonDocument(concat(R"({"metadata":{},"spec":)", spec, "}"));
    AdmissionRequest request{.user = &admin, .ns = "ns", .name = "sa"};
    TRY(issueToken(document->root, document->arena, request, options, cluster));
    return document->root["status"]["token"].str();
  }

  Result<std::optional<UserInfo>> ask(const std::string& token) {
    net::Request request{.method = "GET", .path = "/api"};
    request.headers.add("authorization", "Bearer " + token);
    return authenticator->authenticate(request);
  }
};

constexpr std::string_view kForPod =
    R"({"expirationSeconds":600,"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"p","uid":"p1"}})";

TEST_CASE("a bound token names the account and its pod") {
  Fixture f;
  auto token = f.issue(kForPod);
  REQUIRE(token.ok());
  auto user = f.ask(*token);
  REQUIRE(user.ok());
  REQUIRE(user->has_value());
  CHECK((*user)->name == "system:serviceaccount:ns:sa");
  CHECK((*user)->uid == "s1");
  CHECK((*user)->groups == std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"});
  CHECK((*user)->extra.at("authentication.kubernetes.io/pod-uid") == std::vector<std::string>{"p1"});
}

TEST_CASE("a token dies with what it is bound to, with its account, and in time") {
  Fixture f;
  std::string token = *f.issue(kForPod);
  SUBCASE("pod gone") { f.cluster.remove("", "pods", "ns/p"); }
  SUBCASE("another pod of that name") {
    f.cluster.add("", "pods", R"({"metadata":{"namespace":"ns","name":"p","uid":"p2"},"spec":{"serviceAccountName":"sa"}})");
  }
  SUBCASE("account gone") { f.cluster.remove("", "serviceaccounts", "ns/sa"); }
  SUBCASE("expired") { f.clock.time += std::chrono::minutes(12); }
  SUBCASE("signed by another") { token.back() = token.back() == 'A' ? 'B' : 'A', token[token.size() - 20] ^= 1; }
  auto user = f.ask(token);
  CHECK(user.failedWith(Reason::Unauthorized));
}

TEST_CASE("audiences and refusals") {
  Fixture f;
  CHECK(f.ask(*f.issue(R"({"audiences":["vault"]})")).failedWith(Reason::Unauthorized));
  CHECK(f.issue(R"({"expirationSeconds":5})").error().message() ==
        "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 5: may not specify a "
        "duration less than 10 minutes");
  CHECK(f.issue(R"({"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"p","uid":"x"}})").failedWith(Reason::Conflict));
  CHECK(f.issue(R"({"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"q"}})").failedWith(Reason::NotFound));
}

TEST_CASE("a token review tells for whom the token is meant") {
  Fixture f;
  std::string token = *f.issue(R"({"audiences":["vault"]})");
  auto document = *codec::parseJsonDocument(concat(R"({"spec":{"audiences":["vault","x"],"token":")", token, R"("}})"));
  REQUIRE(reviewToken(document->root, document->arena, *f.authenticator).ok());
  CHECK(document->root["status"]["authenticated"].asBool());
  CHECK(codec::toJson(document->root["status"]["audiences"]) == R"(["vault"])");
}

}  // namespace
}  // namespace skiff::apiserver
