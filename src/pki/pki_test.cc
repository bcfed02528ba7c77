#include <doctest/doctest.h>

#include "base/strings.h"
#include "pki/jwt.h"
#include "pki/x509.h"

using namespace skiff;
using namespace skiff::pki;
using namespace std::chrono_literals;

namespace {

class FixedClock final : public Clock {
 public:
  WallTime now() const override { return time; }
  SteadyTime steadyNow() const override { return {}; }
  WallTime time = *parseRfc3339("2026-01-01T00:00:00Z");
};

std::string derOf(const std::string& pem) {
  std::string text;
  for (auto line : split(pem, '\n')) {
    if (!line.starts_with("-----")) text += line;
  }
  return *base64Decode(text);
}

}  // namespace

TEST_CASE("an issued certificate carries its names and verifies as a client in time") {
  FixedClock clock;
  auto ca = selfSignedCa("kubernetes", 24h, clock);
  REQUIRE(ca.ok());
  CHECK(parseCertificatePem(ca->certificatePem)->isCa);
  auto pair = issue(*ca,
                    {.subject = {"system:node:a", {"system:nodes", "x, y"}},
                     .dnsNames = {"a.example"},
                     .ipAddresses = {"10.0.0.1", "fd00::1"},
                     .clientAuth = true,
                     .lifetime = 1h},
                    clock);
  REQUIRE(pair.ok());
  auto verified = verifyClientChain({derOf(pair->certificatePem)}, ca->certificatePem, clock);
  REQUIRE(verified.ok());
  CHECK(verified->subject.commonName == "system:node:a");
  CHECK(verified->subject.organizations == std::vector<std::string>{"system:nodes", "x, y"});
  CHECK(verified->dnsNames == std::vector<std::string>{"a.example"});
  CHECK(verified->ipAddresses == std::vector<std::string>{"10.0.0.1", "fd00::1"});
  CHECK(verified->extendedKeyUsages == std::vector<std::string>{"client auth"});
  CHECK(verified->keyUsages == std::vector<std::string>{"digital signature", "key encipherment"});
  CHECK(verified->notAfter == clock.time + 1h);
  CHECK_FALSE(verified->isCa);
  CHECK(verified->sha256Hex.size() == 64);

  clock.time += 2h;
  auto late = verifyClientChain({derOf(pair->certificatePem)}, ca->certificatePem, clock);
  CHECK(late.failedWith(Reason::Unauthorized));
}

TEST_CASE("a server certificate or a foreign CA is refused as a client's") {
  FixedClock clock;
  auto ca = *selfSignedCa("one", 24h, clock);
  auto other = *selfSignedCa("two", 24h, clock);
  auto server = *issue(ca, {.subject = {"s", {}}, .serverAuth = true}, clock);
  auto client = *issue(ca, {.subject = {"c", {}}, .clientAuth = true}, clock);
  CHECK_FALSE(verifyClientChain({derOf(server.certificatePem)}, ca.certificatePem, clock).ok());
  CHECK_FALSE(verifyClientChain({derOf(client.certificatePem)}, other.certificatePem, clock).ok());
  CHECK(verifyClientChain({derOf(client.certificatePem)}, other.certificatePem + ca.certificatePem,
                          clock)
            .ok());
  CHECK_FALSE(verifyClientChain({}, ca.certificatePem, clock).ok());
  CHECK_FALSE(verifyClientChain({"garbage"}, ca.certificatePem, clock).ok());
}

TEST_CASE("a chain through an intermediate verifies only when it is shown") {
  FixedClock clock;
  auto root = *selfSignedCa("root", 24h, clock);
  auto middle = *issue(root, {.subject = {"middle", {}}, .isCa = true}, clock);
  auto leaf = *issue(middle, {.subject = {"leaf", {}}, .clientAuth = true}, clock);
  CHECK_FALSE(verifyClientChain({derOf(leaf.certificatePem)}, root.certificatePem, clock).ok());
  CHECK(verifyClientChain({derOf(leaf.certificatePem), derOf(middle.certificatePem)},
                          root.certificatePem, clock)
            .ok());
}

TEST_CASE("a stub request proves that its maker holds the key") {
  for (const char* type : {"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"}) {
    auto key = newKeyPem(type);
    REQUIRE(key.ok());
    auto der = newStubCsrDer(*key);
    REQUIRE(der.ok());
    auto proof = verifyCsrDer(*der);
    REQUIRE(proof.ok());
    CHECK(proof->type == type);
    CHECK(proof->publicKeyPem == *publicKeyPem(*key));
    der->back() = char(der->back() ^ 1);
    CHECK_FALSE(verifyCsrDer(*der).ok());
  }
  CHECK_FALSE(newKeyPem("RSA1024").ok());
  CHECK(verifyCsrDer(*newStubCsrDer(newRsaKeyPem(2048)))->type.empty());
  CHECK_FALSE(verifyCsrDer("").ok());
  CHECK_FALSE(verifyCsrDer(*newStubCsrDer(*newKeyPem("ED25519")) + "x").ok());
}

TEST_CASE("a chain is split into its certificates, and holds nothing else") {
  FixedClock clock;
  auto a = *selfSignedCa("a", 24h, clock), b = *selfSignedCa("b", 24h, clock);
  auto parts = splitCertificates(a.certificatePem + b.certificatePem);
  REQUIRE(parts.ok());
  REQUIRE(parts->size() == 2);
  CHECK(parseCertificateDer((*parts)[1])->subject.commonName == "b");
  CHECK(*certificatePublicKeyPem((*parts)[0]) == *publicKeyPem(a.keyPem));
  CHECK_FALSE(splitCertificates(a.certificatePem + a.keyPem).ok());
  CHECK(splitCertificates("")->empty());
}

TEST_CASE("a signed request keeps its subject and names; a forged one is refused") {
  FixedClock clock;
  auto ca = *selfSignedCa("ca", 24h, clock);
  IssueOptions wish{.subject = {"system:node:b", {"system:nodes"}}, .dnsNames = {"b"}};
  auto csr = newCsrPem(newEcKeyPem(), wish);
  REQUIRE(csr.ok());
  CHECK(parseCsrPem(*csr)->subject.commonName == "system:node:b");
  CHECK(parseCsrPem(*csr)->dnsNames == std::vector<std::string>{"b"});
  auto pem = signCsr(ca, *csr, {.serverAuth = true, .lifetime = 1h}, clock);
  REQUIRE(pem.ok());
  auto info = *parseCertificatePem(*pem);
  CHECK(info.subject.commonName == "system:node:b");
  CHECK(info.dnsNames == std::vector<std::string>{"b"});
  CHECK(info.extendedKeyUsages == std::vector<std::string>{"server auth"});

  // Another name under the old signature: flip one letter inside the DER.
  auto der = derOf(*csr);
  der[der.find("system:node:b")] = 'S';
  auto forged = concat("-----BEGIN CERTIFICATE REQUEST-----\n", base64Encode(der),
                       "\n-----END CERTIFICATE REQUEST-----\n");
  CHECK(signCsr(ca, forged, {}, clock).failedWith(Reason::Invalid));
  CHECK_FALSE(issue({ca.certificatePem, newEcKeyPem()}, {}, clock).ok());
}

TEST_CASE("tokens verify with their key alone") {
  for (const auto& pem : {newEcKeyPem(), newRsaKeyPem()}) {
    auto key = jwtKeyFromPem(pem);
    REQUIRE(key.ok());
    auto token = signJwt(*key, R"({"sub":"a"})");
    REQUIRE(token.ok());
    auto publicOnly = jwtKeyFromPem(*publicKeyPem(pem));
    REQUIRE(publicOnly.ok());
    CHECK(publicOnly->privatePem.empty());
    CHECK(publicOnly->keyId == key->keyId);
    auto other = *jwtKeyFromPem(newEcKeyPem());
    CHECK(*verifyJwt({other, *publicOnly}, *token) == R"({"sub":"a"})");
    CHECK(verifyJwt({other}, *token).failedWith(Reason::Unauthorized));
    auto changed = *token;
    changed[changed.size() - 10] = changed[changed.size() - 10] == 'A' ? 'B' : 'A';
    CHECK_FALSE(verifyJwt({*publicOnly}, changed).ok());
    CHECK_FALSE(signJwt(*publicOnly, "{}").ok());
  }
}

TEST_CASE("tokens without a real signature are refused") {
  auto key = *jwtKeyFromPem(newRsaKeyPem());
  auto none = concat(base64UrlEncode(R"({"alg":"none"})"), '.', base64UrlEncode("{}"), '.');
  CHECK_FALSE(verifyJwt({key}, none).ok());
  CHECK_FALSE(verifyJwt({key}, "a.b").ok());
  CHECK_FALSE(verifyJwt({key}, "").ok());
  CHECK_FALSE(verifyJwt({key}, "*.*.*").ok());
}

TEST_CASE("a token of RFC 7515 appendix A.3 verifies with its published key") {
  // The EC key of the RFC, as SubjectPublicKeyInfo: fixed prefix for P-256, then 04 || x || y.
  auto x = *base64UrlDecode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
  auto y = *base64UrlDecode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
  auto prefix = *base64Decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE");
  auto key = jwtKeyFromPem(concat("-----BEGIN PUBLIC KEY-----\n", base64Encode(prefix + x + y),
                                  "\n-----END PUBLIC KEY-----\n"));
  REQUIRE(key.ok());
  auto claims = verifyJwt(
      {*key},
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ."
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
  REQUIRE(claims.ok());
  CHECK(claims->starts_with("{\"iss\":\"joe\""));
  auto jwks = jwksJson({*key});
  CHECK(jwks.find("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"") != std::string::npos);
}
