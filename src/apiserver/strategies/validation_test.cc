// Wrong objects and what upstream says of them: testdata/refused.txt. Each case is a name, the version and resource, the
// object, the message.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "api/convert.h"
#include "apiserver/auth/fake_cluster.h"
#include "apiserver/security.h"
#include "apiserver/strategies/declared.h"
#include "pki/x509.h"

namespace skiff::apiserver {
namespace {

std::string messageOf(const api::ResourceInfo& resource, std::string_view json) {
  auto document = codec::parseJsonDocument(json);
  REQUIRE(document.ok());
  codec::Document& owned = **document;
  api::DecodeReport report;
  auto conformed = api::conform(owned.root, *resource.type, owned.arena, report);
  if (!conformed.ok()) return conformed.error().message();
  api::applyDefaults(owned.root, *resource.type, owned.arena);
  FakeCluster cluster;
  auto authorizer = makeAuthorizer({}, cluster);
  auto strategies = makeStrategies({}, cluster, *authorizer);
  UserInfo user{.name = "admin", .groups = {"system:masters"}};
  owned.root.child(owned.arena, "metadata").set(owned.arena, "uid", codec::Value::string("u"));
  if (resource.namespaced) owned.root.child(owned.arena, "metadata").set(owned.arena, "namespace", codec::Value::string("NS"));
  AdmissionRequest request{.user = &user, .resource = &resource, .ns = "NS", .object = &owned.root, .arena = &owned.arena};
  StrategyContext context{request, cluster};
  Strategy& strategy = strategies->of(resource);
  strategy.applyDefaults(owned.root, owned.arena);
  strategy.prepareCreate(context);
  FieldErrors errors;
  strategy.validateCreate(context, errors);
  validateDeclared(*resource.type, owned.root, nullptr, errors);
  if (errors.empty()) return "";
  return errors.error(resource.group, resource.kind, owned.root["metadata"]["name"].asString()).message();
}

TEST_CASE("wrong objects are refused in upstream's words") {
  std::ifstream file("strategies/testdata/refused.txt");
  REQUIRE(file.good());
  std::string line;
  int cases = 0;
  while (std::getline(file, line)) {
    if (!line.starts_with("# ")) continue;
    std::string address, json, expected, name = line.substr(2);
    std::getline(file, address);
    std::getline(file, json);
    std::getline(file, expected);
    auto parts = split(address, ' ');
    auto slash = cut(parts[0], "/");
    const api::ResourceInfo* resource = slash ? api::findResource(slash->first, slash->second, parts[1])
                                              : api::findResource("", parts[0], parts[1]);
    REQUIRE_MESSAGE(resource != nullptr, name);
    ++cases;
    std::string message = messageOf(*resource, json);
    CHECK_MESSAGE(message == expected, name, "\n got  ", message, "\n want ", expected);
  }
  CHECK(cases > 40);
}

TEST_CASE("a pod certificate projection names a signer, a key type, a lifetime and a path") {
  const api::ResourceInfo& pods = *api::findResource("", "v1", "pods");
  auto ask = [&](std::string_view projection) {
    std::string message = messageOf(pods, concat(R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}],)",
                                                 R"("volumes":[{"name":"v","projected":{"sources":[{"podCertificate":)", projection, "}]}}]}}"));
    constexpr std::string_view kHead = R"(Pod "p" is invalid: spec.volumes[0].projected.sources[0].podCertificate)";
    return message.starts_with(kHead) ? message.substr(kHead.size()) : message;
  };
  CHECK(ask(R"({"signerName":"a.b/c","keyType":"ED25519","keyPath":"k","maxExpirationSeconds":3600})") == "");
  CHECK(ask(R"({"signerName":"a.b/c","keyType":"ED25519"})") ==
        ": Required value: specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
  CHECK(ask(R"({"signerName":"a.b/c","keyType":"RSA1","keyPath":"k"})").starts_with(R"(.keyType: Unsupported value: "RSA1")"));
  CHECK(ask(R"({"signerName":"c","keyType":"RSA3072","keyPath":"k"})").starts_with(R"(.signerName: Invalid value: "c": must be a fully)"));
  CHECK(ask(R"({"signerName":"a.b/c","keyType":"RSA3072","keyPath":"../k"})") == R"(.keyPath: Invalid value: "../k": must not contain '..')");
  for (const char* lifetime : {"3599", "7862401"}) {
    CHECK(ask(concat(R"({"signerName":"a.b/c","keyType":"RSA3072","keyPath":"k","maxExpirationSeconds":)", lifetime, "}"))
              .starts_with(concat(".maxExpirationSeconds: Invalid value: ", lifetime)));
  }
  CHECK(ask(R"({"signerName":"kubernetes.io/c","keyType":"RSA3072","keyPath":"k","maxExpirationSeconds":86401})")
            .starts_with(".maxExpirationSeconds: Invalid value: 86401"));
  CHECK(ask(R"({"signerName":"a.b/c","keyType":"RSA3072","keyPath":"k","userAnnotations":{"plain":"x"}})").starts_with(".userAnnotations: Invalid"));
}

TEST_CASE("a pod certificate request proves that its maker holds the key") {
  const api::ResourceInfo& requests = *api::findResource("certificates.k8s.io", "v1", "podcertificaterequests");
  auto ask = [&](const std::string& proof) {
    return messageOf(requests, concat(R"({"metadata":{"name":"r"},"spec":{"signerName":"a.b/c","podName":"p","podUID":"u",)",
                                      R"("serviceAccountName":"s","serviceAccountUID":"u","nodeName":"n","nodeUID":"u",)",
                                      R"("maxExpirationSeconds":3600,"stubPKCS10Request":")", base64Encode(proof), "\"}}"));
  };
  std::string proof = *pki::newStubCsrDer(*pki::newKeyPem("ECDSAP256"));
  CHECK(ask(proof) == "");
  CHECK(ask(*pki::newStubCsrDer(pki::newRsaKeyPem(2048))).find("key must be one of") != std::string::npos);
  proof.back() = char(proof.back() ^ 1);
  CHECK(ask(proof).find("is not signed by its own key") != std::string::npos);
  CHECK(ask("").find("spec.stubPKCS10Request: Required value") != std::string::npos);
}

}  // namespace
}  // namespace skiff::apiserver
