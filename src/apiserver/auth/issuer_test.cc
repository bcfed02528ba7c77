// Tokens of OpenID issuers: configuration, keys, claims.
#include <doctest/doctest.h>

#include <fstream>

#include "apiserver/auth/authentication_configuration.h"
#include "apiserver/auth/fake_cluster.h"
#include "apiserver/auth/fake_issuer.h"
#include "apiserver/auth/fake_reviewer.h"
#include "apiserver/auth/token_cache.h"
#include "apiserver/security.h"

namespace skiff::apiserver {
namespace {

std::string indented(std::string_view text, std::string_view by) {
  std::string out;
  for (std::string_view line : splitNonEmpty(text, '\n')) out += concat(by, line, "\n");
  return out;
}

std::string configOf(const FakeIssuer& issuer, std::string_view rest) {
  return concat("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n- issuer:\n    url: ", issuer.url(),
                "\n    audiences: [client]\n    certificateAuthority: |\n", indented(net::testTls().caPem, "      "), rest);
}
constexpr std::string_view kPlain = "  claimMappings:\n    username: {claim: sub, prefix: 'idp:'}\n    groups: {claim: groups, prefix: ''}\n";

struct Fixture {
  FakeIssuer issuer;
  MovableClock clock;
  std::unique_ptr<JwtAuthenticator> authenticator;

  explicit Fixture(std::string_view rest = kPlain) {
    auto parsed = parseAuthenticationConfiguration(configOf(issuer, rest), {});
    if (!parsed.ok()) FAIL(parsed.error().message());
    authenticator = std::make_unique<JwtAuthenticator>(parsed->issuers.at(0), std::vector<std::string>{"api"}, clock);
  }
  TokenAnswer ask(const std::string& token) { return authenticator->authenticate(token, {"api"}); }
  std::string problem(const std::string& token) {
    auto answer = ask(token);
    return answer.ok() ? "" : answer.error().message();
  }
  UserInfo user(const std::string& token) {
    auto answer = ask(token);
    if (!answer.ok()) FAIL(answer.error().message());
    REQUIRE(answer->has_value());
    return (*answer)->user;
  }
};

TEST_CASE("a token of an issuer is checked against keys that are fetched when they are needed") {
  Fixture f;
  std::string token = f.issuer.token(R"("sub":"ann","groups":["dev","ops"],"jti":"7")");
  CHECK_FALSE(f.authenticator->tryAuthenticate(token, {"api"}).has_value());  // would have to fetch
  CHECK(f.issuer.asked() == 0);
  UserInfo ann = f.user(token);
  CHECK(ann.name == "idp:ann");
  CHECK(ann.groups == std::vector<std::string>{"dev", "ops"});
  CHECK(ann.extra.at("authentication.kubernetes.io/credential-id") == std::vector<std::string>{"JTI=7"});
  CHECK(f.issuer.asked() == 2);
  CHECK(f.authenticator->tryAuthenticate(token, {"api"}).has_value());
  CHECK(f.ask("not a token").value() == std::nullopt);
  CHECK(f.ask(f.issuer.token(R"("sub":"ann","iss":"x")")).ok());  // duplicate claims: the last counts or the first, never a crash
  CHECK_FALSE(f.authenticator->authenticate(token, {"vault"}).value().has_value());
}

TEST_CASE("a key that is not known is looked for once in a while") {
  Fixture f;
  f.user(f.issuer.token(R"("sub":"ann")"));
  f.issuer.addKey(pki::newEcKeyPem());
  std::string token = f.issuer.token(R"("sub":"ann")");
  CHECK(f.problem(token) == "failed to verify signature: failed to verify id token signature");
  CHECK(f.issuer.asked() == 2);  // too soon
  f.clock.moved += seconds(11);
  CHECK(f.user(token).name == "idp:ann");
  CHECK(f.issuer.asked() == 4);
}

TEST_CASE("every algorithm of RFC 7518 that signs with a key pair") {
  for (std::string_view algorithm : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}) {
    CAPTURE(algorithm);
    Fixture f;
    if (algorithm == "ES256") f.issuer.addKey(pki::newEcKeyPem());
    if (algorithm == "ES384") f.issuer.addKey(*pki::newKeyPem("ECDSAP384"));
    if (algorithm == "ES512") f.issuer.addKey(*pki::newKeyPem("ECDSAP521"));
    std::string token = f.issuer.token(R"("sub":"ann")", "client", 4102444800, algorithm);
    CHECK(f.user(token).name == "idp:ann");
    token[token.size() - 10] = token[token.size() - 10] == 'A' ? 'B' : 'A';
    CHECK(f.ask(token).failedWith(Reason::Unauthorized));
  }
}

TEST_CASE("tokens that are good for others") {
  Fixture f;
  CHECK(f.problem(f.issuer.token(R"("sub":"ann")", "other")) == R"(oidc: expected audience in client got "other")");
  CHECK(f.problem(f.issuer.token(R"("sub":"ann")", "client", 1000)) == "oidc: token is expired");
  CHECK(f.problem(f.issuer.token(R"("sub":"ann","nbf":4102444000)")) == "oidc: current time is before the nbf (not before) time");
  CHECK(f.problem(f.issuer.token(R"("name":"ann")")) == R"(oidc: parse username claims "sub": claim not present)");
  CHECK(f.problem(f.issuer.token(R"("sub":"ann","groups":5)")) == R"(oidc: parse groups claim "groups": not a string or a list of strings)");
}

TEST_CASE("claims are checked and mapped by expressions") {
  Fixture f(R"yaml(  claimValidationRules:
  - {claim: hd, requiredValue: example.com}
  - {expression: 'claims.exp - claims.iat < 86400', message: too long}
  claimMappings:
    username: {expression: '"user:" + claims.email + (claims.email_verified ? "" : "?")'}
    groups: {expression: 'claims.roles.filter(r, r.startsWith("k8s-"))'}
    uid: {claim: oid}
    extra:
    - {key: example.com/tenant, valueExpression: 'claims.tenant'}
    - {key: example.com/none, valueExpression: '""'}
  userValidationRules:
  - {expression: "!user.username.startsWith('system:')", message: reserved}
  - {expression: "user.groups.all(g, g != 'k8s-root')", message: no roots}
)yaml");
  auto claims = [](std::string_view roles, std::string_view more = "") {
    return concat(R"("iat":4102444000,"hd":"example.com","email":"a@b","email_verified":true,"oid":"42","tenant":["t"],"roles":)", roles, more);
  };
  UserInfo user = f.user(f.issuer.token(claims(R"(["k8s-dev","x"])")));
  CHECK(user.name == "user:a@b");
  CHECK(user.groups == std::vector<std::string>{"k8s-dev"});
  CHECK(user.uid == "42");
  CHECK(user.extra.at("example.com/tenant") == std::vector<std::string>{"t"});
  CHECK_FALSE(user.extra.contains("example.com/none"));
  CHECK(f.problem(f.issuer.token(claims(R"(["k8s-root"])"))) == "validation expression 'user.groups.all(g, g != 'k8s-root')' failed: no roots");
  CHECK(f.problem(f.issuer.token(R"("iat":1,"hd":"example.com")")) == "validation expression 'claims.exp - claims.iat < 86400' failed: too long");
  CHECK(f.problem(f.issuer.token(R"("iat":4102444000,"hd":"evil.com")")) ==
        "oidc: required claim hd value does not match. Got = evil.com, want = example.com");
}

TEST_CASE("configurations that are refused") {
  auto problem = [](std::string_view text) {
    auto parsed = parseAuthenticationConfiguration(text, {"https://own"});
    return parsed.ok() ? std::string() : parsed.error().message();
  };
  constexpr std::string_view kHead = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
  auto jwt = [&](std::string_view issuer, std::string_view rest = "") {
    return problem(concat(kHead, "jwt:\n- issuer: {", issuer, "}\n  claimMappings: {username: {claim: sub, prefix: ''}}\n", rest));
  };
  CHECK(problem(kHead) == "");
  CHECK(jwt("url: 'https://a', audiences: [x]") == "");
  CHECK(jwt("url: 'http://a', audiences: [x]").find("URL scheme must be https") != std::string::npos);
  CHECK(jwt("url: 'https://own', audiences: [x]").find("must not overlap with disallowed issuers") != std::string::npos);
  CHECK(jwt("url: 'https://a'").find("at least one jwt[0].issuer.audiences is required") != std::string::npos);
  CHECK(jwt("url: 'https://a', audiences: [x, y]").find("audienceMatchPolicy must be MatchAny") != std::string::npos);
  CHECK(jwt("url: 'https://a', audiences: [x], typo: 1").find("jwt[0].issuer.typo: unknown field") != std::string::npos);
  CHECK(jwt("url: 'https://a', audiences: [x]", "  claimValidationRules: [{expression: '1 +'}]\n").find("compilation failed") != std::string::npos);
  CHECK(jwt("url: 'https://a', audiences: [x]", "  claimValidationRules: [{expression: '\"x\"'}]\n").find("must evaluate to bool") != std::string::npos);
  CHECK(problem(concat(kHead, "jwt:\n- issuer: {url: 'https://a', audiences: [x]}\n  claimMappings: {username: {expression: claims.email}}\n"))
            .find("claims.email_verified must be used") != std::string::npos);
  CHECK(problem("apiVersion: v1\nkind: Pod\n").find("expected AuthenticationConfiguration") != std::string::npos);
}

TEST_CASE("a changed file of configuration is applied, a broken one is not") {
  FakeIssuer issuer;
  FakeCluster cluster;
  std::string path = concat("/tmp/skiff-issuer-test-", newUid());
  auto write = [&](std::string_view text) { std::ofstream(path) << text; };
  SecurityOptions options;
  options.authentication.configFile = path;
  auto ask = [&](Authenticator& authenticator, const std::string& token, std::string_view at = "/api") {
    net::Request request{.method = "GET", .path = std::string(at)};
    if (!token.empty()) request.headers.add("authorization", "Bearer " + token);
    return authenticator.authenticate(request);
  };
  write(configOf(issuer, concat(kPlain, "anonymous: {enabled: true, conditions: [{path: /livez}]}\n")));
  auto authenticator = makeAuthenticator(options, cluster);
  REQUIRE(authenticator->start().ok());
  std::string token = issuer.token(R"("sub":"ann")");
  CHECK(ask(*authenticator, token).value()->name == "idp:ann");
  CHECK(ask(*authenticator, "", "/livez").value()->name == "system:anonymous");
  CHECK_FALSE(ask(*authenticator, "", "/readyz").value().has_value());
  authenticator.reset();

  write("kind: Nothing");
  CHECK_FALSE(makeAuthenticator(options, cluster)->start().ok());
  std::remove(path.c_str());
  CHECK_FALSE(makeAuthenticator(options, cluster)->start().ok());
}

TEST_CASE("the older flags of one issuer") {
  OidcFlags flags;
  CHECK_FALSE(issuerOfFlags(flags).value().has_value());
  flags.issuerUrl = "https://idp";
  CHECK_FALSE(issuerOfFlags(flags).ok());
  flags.clientId = "client";
  CHECK((*issuerOfFlags(flags).value()).mapping.username.prefix == "https://idp#");
  flags.usernamePrefix = "-";
  CHECK((*issuerOfFlags(flags).value()).mapping.username.prefix == "");
  flags.usernamePrefix = "";
  flags.usernameClaim = "email";
  CHECK((*issuerOfFlags(flags).value()).mapping.username.prefix == "");
  flags.requiredClaims = {"hd=x"};
  CHECK((*issuerOfFlags(flags).value()).mapping.claimRules.at(0).requiredValue == "x");
}

}  // namespace
}  // namespace skiff::apiserver
