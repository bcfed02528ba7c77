#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kubelet/test_util.h"
#include "kubelet/volumes.h"
#include "pki/x509.h"

namespace skiff::kubelet {
namespace {

struct FakeTokens : TokenSource {
  int made = 0;
  const Clock& clock;
  explicit FakeTokens(const Clock& c) : clock(c) {}
  Result<Token> serviceAccountToken(const Pod&, const api::core::v1::ServiceAccountTokenProjection&) override {
    return Token{"token" + std::to_string(++made), clock.now() + seconds(1000)};
  }
  Result<std::string> trustBundle(const api::core::v1::ClusterTrustBundleProjection&) override { return std::string("pem"); }
  Result<std::string> claimPath(std::string_view, std::string_view, bool*) override { return badRequest("none"); }

  // A signer that answers when told to.
  api::certificates::v1::PodCertificateRequest asked;
  int requests = 0;
  Result<std::string> requestCertificate(const Pod&, const api::core::v1::PodCertificateProjection& what,
                                         const std::string& csr) override {
    asked = {};
    asked.metadata.name = "req-" + std::to_string(++requests);
    asked.spec.signerName = what.signerName;
    asked.spec.stubPKCS10Request = csr;
    return asked.metadata.name;
  }
  Result<api::certificates::v1::PodCertificateRequest> certificateRequest(std::string_view, std::string_view name) override {
    if (name != asked.metadata.name) return Error(Reason::NotFound, "gone");
    return asked;
  }
  void answer(std::string type, std::string chain, seconds refresh = {}, seconds end = {}) {
    auto& condition = asked.status.conditions.emplace_back();
    condition.type = std::move(type);
    condition.status = "True";
    condition.reason = "Reason";
    asked.status.certificateChain = std::move(chain);
    asked.status.beginRefreshAt = api::Time{clock.now() + refresh};
    asked.status.notAfter = api::Time{clock.now() + end};
  }
};

struct Bench {
  TempDir dir;
  FixedClock clock;
  FakeObjects objects;
  FakeTokens tokens{clock};
  VolumeManager volumes{dir.path, objects, tokens, clock};
  Pod pod = podWith({containerNamed("c")});
  PodFacts facts() { return {&pod, {}, {}, "node", {}}; }
  api::core::v1::Volume& add(std::string name) {
    pod.spec.volumes.emplace_back().name = std::move(name);
    return pod.spec.volumes.back();
  }
};

}  // namespace

TEST_CASE("a config map volume follows its object; items choose keys and modes") {
  Bench b;
  auto& source = b.add("v").configMap.emplace();
  source.name = "m";
  source.items.resize(1);
  source.items[0].key = "k";
  source.items[0].path = "p/q";
  source.items[0].mode = 0400;
  CHECK(b.volumes.setUp(b.facts()).error().message().find("configmap \"m\" not found") != std::string::npos);
  b.objects.maps["ns/m"].data = {{"k", "1"}, {"other", "2"}};
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  auto path = b.volumes.pathOf(b.pod, b.pod.spec.volumes[0]);
  REQUIRE(path.ok());
  CHECK(path->readOnly);
  CHECK(*readFile(path->hostPath + "/p/q") == "1");
  CHECK_FALSE(exists(path->hostPath + "/other"));
  b.objects.maps["ns/m"].data["k"] = "new";
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(*readFile(path->hostPath + "/p/q") == "new");
  CHECK(b.volumes.tearDown("uid").ok());
  CHECK_FALSE(exists(b.volumes.podDir("uid")));
}

TEST_CASE("emptyDir is for all users and keeps its content") {
  Bench b;
  b.add("e").emptyDir.emplace();
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  const std::string dir = b.volumes.pathOf(b.pod, b.pod.spec.volumes[0])->hostPath;
  struct stat info {};
  REQUIRE(::stat(dir.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0777);
  REQUIRE(writeFile(dir + "/x", "kept").ok());
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(*readFile(dir + "/x") == "kept");
}

TEST_CASE("hostPath types are checked") {
  Bench b;
  auto& source = b.add("h").hostPath.emplace();
  source.path = b.dir.path + "/none";
  source.type = "Directory";
  CHECK_FALSE(b.volumes.setUp(b.facts()).ok());
  b.pod.spec.volumes[0].hostPath->type = "DirectoryOrCreate";
  CHECK(b.volumes.setUp(b.facts()).ok());
  b.pod.spec.volumes[0].hostPath->type = "File";
  CHECK_FALSE(b.volumes.setUp(b.facts()).ok());
}

TEST_CASE("tokens are renewed at four fifths of their life" * doctest::skip(::geteuid() != 0)) {
  Bench b;
  auto& projection = b.add("t").projected.emplace().sources.emplace_back().serviceAccountToken.emplace();
  projection.path = "token";
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  const std::string file = b.volumes.pathOf(b.pod, b.pod.spec.volumes[0])->hostPath + "/token";
  CHECK(*readFile(file) == "token1");
  b.clock.time += seconds(799);
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(*readFile(file) == "token1");
  b.clock.time += seconds(2);
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(*readFile(file) == "token2");
  CHECK(b.volumes.tearDown("uid").ok());
  CHECK(mountsUnder(b.dir.path).empty());
}

TEST_CASE("a pod certificate is requested once, renewed with a new key, and kept when renewal fails" *
          doctest::skip(::geteuid() != 0)) {
  Bench b;
  auto& projection = b.add("t").projected.emplace().sources.emplace_back().podCertificate.emplace();
  projection.signerName = "example.com/s";
  projection.keyType = "ECDSAP256";
  projection.credentialBundlePath = "bundle.pem";
  projection.keyPath = "key.pem";
  projection.certificateChainPath = "sub/chain.pem";
  CHECK(b.volumes.setUp(b.facts()).failedWith(Reason::ServiceUnavailable));
  CHECK(b.volumes.setUp(b.facts()).failedWith(Reason::ServiceUnavailable));
  CHECK(b.tokens.requests == 1);
  b.tokens.answer("Issued", "one\n", seconds(1000), seconds(2000));
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  const std::string dir = b.volumes.pathOf(b.pod, b.pod.spec.volumes[0])->hostPath;
  const std::string key = *readFile(dir + "/key.pem");
  CHECK(*pki::publicKeyPem(key) == pki::verifyCsrDer(b.tokens.asked.spec.stubPKCS10Request)->publicKeyPem);
  CHECK(*readFile(dir + "/bundle.pem") == key + "one\n");
  CHECK(*readFile(dir + "/sub/chain.pem") == "one\n");

  b.clock.time += seconds(999);
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(b.tokens.requests == 1);
  b.clock.time += seconds(1);
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(b.tokens.requests == 2);
  CHECK(*readFile(dir + "/key.pem") == key);  // until the new one is there
  b.tokens.answer("Issued", "two\n", seconds(500), seconds(800));
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(*readFile(dir + "/sub/chain.pem") == "two\n");
  CHECK(*readFile(dir + "/key.pem") != key);

  b.clock.time += seconds(500);
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  b.tokens.answer("Denied", "");
  REQUIRE(b.volumes.setUp(b.facts()).ok());
  CHECK(*readFile(dir + "/sub/chain.pem") == "two\n");
  b.clock.time += seconds(300);
  CHECK_FALSE(b.volumes.setUp(b.facts()).ok());  // expired
}

TEST_CASE("a refused pod certificate keeps the volume from being made") {
  Bench b;
  auto& projection = b.add("t").projected.emplace().sources.emplace_back().podCertificate.emplace();
  projection.keyType = "ED25519";
  CHECK_FALSE(b.volumes.setUp(b.facts()).ok());
  b.tokens.answer("Failed", "");
  CHECK(b.volumes.setUp(b.facts()).failedWith(Reason::Forbidden));
  CHECK(b.volumes.setUp(b.facts()).failedWith(Reason::Forbidden));
  CHECK(b.tokens.requests == 1);
}

TEST_CASE("a subPath cannot leave its volume" * doctest::skip(::geteuid() != 0)) {
  Bench b;
  const std::string volume = b.dir.path + "/data";
  REQUIRE(makeDirs(volume + "/inner").ok());
  REQUIRE(::symlink("/etc", (volume + "/evil").c_str()) == 0);
  REQUIRE(::symlink("inner", (volume + "/good").c_str()) == 0);
  CHECK_FALSE(b.volumes.subPath(b.pod, volume, "v", "c", 0, "evil/passwd").ok());
  CHECK_FALSE(b.volumes.subPath(b.pod, volume, "v", "c", 0, "evil").ok());
  auto good = b.volumes.subPath(b.pod, volume, "v", "c", 0, "good/made/deep");
  REQUIRE(good.ok());
  CHECK(isDirectory(volume + "/inner/made/deep"));
  CHECK(isMountPoint(*good));
  CHECK(b.volumes.tearDown("uid").ok());
  CHECK(isDirectory(volume + "/inner/made/deep"));
}

}  // namespace skiff::kubelet
