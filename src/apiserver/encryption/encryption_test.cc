// Encryption at rest: upstream's form, keys that change, and a store that holds nothing plain.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "apiserver/auth/fake_reviewer.h"
#include "apiserver/encryption/encryption_at_rest.h"
#include "apiserver/encryption/fake_kms.h"
#include "apiserver/encryption/kms_provider.h"
#include "apiserver/test_server.h"
#include "base/read_file.h"

namespace skiff::apiserver::encryption {
namespace {

constexpr std::string_view kKey1 = "0123456789abcdef0123456789abcdef", kKey2 = "fedcba9876543210fedcba9876543210";

std::string configOf(std::string_view resources) {
  return concat("apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n", resources);
}
std::string rule(std::string_view resources, std::string_view providers) {
  return concat("- resources: [", resources, "]\n  providers: [", providers, "]\n");
}
std::string keys(std::string_view provider, std::initializer_list<std::pair<std::string_view, std::string_view>> list) {
  std::vector<std::string> texts;
  for (const auto& [name, secret] : list) texts.push_back(concat("{name: ", name, ", secret: ", base64Encode(secret), "}"));
  return concat("{", provider, ": {keys: [", join(texts, ", "), "]}}");
}
std::string kms(const FakeKms& service) { return concat("{kms: {apiVersion: v2, name: plug, endpoint: 'unix://", service.path(), "'}}"); }

// A scratch folder with a configuration in it.
struct Scratch {
  std::string folder = concat("/tmp/skiff-encryption-test-", newUid());
  std::string file = folder + "/config";
  Scratch() { std::filesystem::create_directories(folder); }
  ~Scratch() { std::filesystem::remove_all(folder); }
  std::shared_ptr<EncryptionAtRest> configure(std::string_view config) {
    std::ofstream(file) << config;
    auto made = EncryptionAtRest::create({.configFile = file});
    if (!made.ok()) FAIL(made.error().message());
    return *made;
  }
};

TEST_CASE("values that upstream has written are read, whatever provider wrote them") {
  FakeKms service;
  Scratch scratch;
  auto encryption = scratch.configure(configOf(concat(
      rule("secrets", keys("aesgcm", {{"key1", kKey1}})), rule("configmaps", keys("aescbc", {{"key1", kKey1}})),
      rule("serviceaccounts", keys("secretbox", {{"key1", kKey1}})), rule("'*.apps'", kms(service)),
      rule("'*.'", keys("aesgcm", {{"key1", kKey1}, {"key2", kKey2}})))));
  auto recorded = readFile("encryption/testdata/upstream_values.json");
  REQUIRE(recorded.ok());
  auto document = *codec::parseJsonDocument(*recorded);
  size_t read = 0;
  for (const codec::Member& member : document->root["values"].members()) {
    CAPTURE(member.key);
    std::string stored = *base64Decode(member.value.asString());
    auto value = encryption->open(member.key, stored);
    if (!value.ok()) FAIL(value.error().message());
    CHECK(value->starts_with(std::string_view("k8s\0", 4)));
    bool isBound = stored.find("aesgcm") != std::string::npos || stored.find("kms") != std::string::npos;
    CHECK(encryption->open(concat(member.key, "x"), stored).ok() != isBound);  // to its key
    CHECK(encryption->isStale(member.key, encryption->sealOf(stored)) == (member.key == "/registry/services/endpoints/default/ep1"));
    ++read;
  }
  CHECK(read == 5);
  CHECK(service.decrypted == 1);
}

TEST_CASE("what is sealed is opened again, and is stale when another key comes first") {
  FakeKms service;
  Scratch scratch;
  const std::string key = "/registry/secrets/default/s", value = "k8s secret";
  for (const std::string& provider : {keys("aesgcm", {{"key1", kKey1}}), keys("aescbc", {{"key1", kKey1}}), keys("secretbox", {{"key1", kKey1}}), kms(service)}) {
    CAPTURE(provider);
    auto encryption = scratch.configure(configOf(rule("secrets", provider + ", {identity: {}}")));
    std::string stored = *encryption->seal(key, value);
    CHECK(stored.find(value) == std::string::npos);
    CHECK(stored != *encryption->seal(key, value));  // never the same twice
    CHECK(*encryption->open(key, stored) == value);
    CHECK(*encryption->open(key, value) == value);  // from before
    CHECK_FALSE(encryption->isStale(key, encryption->sealOf(stored)));
    CHECK(encryption->isStale(key, ""));
    std::string bent = stored;
    bent.back() = char(bent.back() ^ 1);
    if (provider.find("aescbc") == std::string::npos) CHECK_FALSE(encryption->open(key, bent).ok());
    CHECK(*encryption->seal("/registry/configmaps/default/c", value) == value);
    auto later = scratch.configure(configOf(rule("secrets", keys("aesgcm", {{"key2", kKey2}}) + ", " + provider)));
    CHECK(*later->open(key, stored) == value);
    CHECK(later->isStale(key, later->sealOf(stored)));
    auto never = scratch.configure(configOf(rule("configmaps", "{identity: {}}")));
    CHECK_FALSE(never->open(key, stored).ok());
  }
}

TEST_CASE("resources by name and by wildcard") {
  auto covered = [](std::string_view pattern, std::string_view key) {
    GroupResource of = resourceOfKey(key);
    Rule one{.resources = {std::string(pattern)}, .providers = {}};
    return one.covers(of.group, of.resource);
  };
  CHECK(covered("secrets", "/registry/secrets/a/b"));
  CHECK(covered("services", "/registry/services/specs/a/b"));
  CHECK(covered("endpoints", "/registry/services/endpoints/a/b"));
  CHECK(covered("nodes", "/registry/minions/a"));
  CHECK(covered("*.", "/registry/pods/a/b"));
  CHECK_FALSE(covered("*.", "/registry/deployments/a/b"));
  CHECK(covered("deployments.apps", "/registry/deployments/a/b"));
  CHECK(covered("*.example.com", "/registry/example.com/widgets/a/b"));
  CHECK(covered("customresourcedefinitions.apiextensions.k8s.io", "/registry/apiextensions.k8s.io/customresourcedefinitions/a"));
  CHECK(covered("*.*", "/registry/deployments/a/b"));
  CHECK(resourceOfKey("/other").resource.empty());
}

TEST_CASE("a key service gives one seed a key, and values wait for it only when its key changes") {
  FakeKms service;
  MovableClock clock;
  KmsProvider provider({.name = "plug", .socketPath = service.path(), .clock = &clock});
  CHECK_FALSE(provider.seal("k", "v").ok());
  REQUIRE(provider.start().ok());
  std::string first = *provider.seal("k", "v");
  for (int i = 0; i < 10; ++i) CHECK(provider.open("k", *provider.seal("k", "v")).value() == "v");
  CHECK(service.encrypted == 1);
  CHECK(service.decrypted == 0);
  CHECK(sealOf(first) == "k8s:enc:kms:v2:plug:kek1");
  service.setKey("kek2");
  REQUIRE(provider.checkNow().ok());
  CHECK(provider.currentSeal() == "k8s:enc:kms:v2:plug:kek2");
  CHECK(provider.open("k", first).value() == "v");
  service.broken = true;
  CHECK_FALSE(provider.checkNow().ok());
  CHECK(provider.seal("k", "v").ok());  // for a while
  clock.moved += seconds(181);
  CHECK_FALSE(provider.healthy().ok());
  CHECK_FALSE(provider.seal("k", "v").ok());
  CHECK(provider.open("k", first).value() == "v");  // known seeds still open
}

TEST_CASE("a server's disk holds nothing plain, and a write without a change encrypts anew") {
  Scratch scratch;
  const std::string path = "/api/v1/namespaces/default/secrets";
  auto onDisk = [&](std::string_view text) {
    auto holds = [&](const auto& file) { return readFile(file.path())->find(text) != std::string::npos; };
    return std::ranges::any_of(std::filesystem::directory_iterator(scratch.folder + "/store"), holds);
  };
  auto serve = [&](std::string_view config, auto body) {
    auto opened = store::openStore({.directory = scratch.folder + "/store", .sync = false, .transformer = scratch.configure(config)});
    REQUIRE(opened.ok());
    TestServer server(std::shared_ptr<store::Store>(std::move(opened).value()));
    body(server);
  };
  serve(configOf(rule("secrets", keys("aesgcm", {{"key1", kKey1}}))), [&](TestServer& server) {
    CHECK(server.call("POST", path, R"({"metadata":{"name":"s"},"stringData":{"a":"hunter2-in-the-clear"}})").status == 201);
    CHECK(server.call("GET", path + "/s").json()["data"]["a"].asString() == base64Encode("hunter2-in-the-clear"));
  });
  CHECK(onDisk("k8s:enc:aesgcm:v1:key1:"));
  CHECK_FALSE(onDisk("hunter2-in-the-clear"));
  serve(configOf(rule("secrets", concat(keys("aescbc", {{"key2", kKey2}}), ", ", keys("aesgcm", {{"key1", kKey1}})))), [&](TestServer& server) {
    TestAnswer read = server.call("GET", path + "/s");
    CHECK(read.json()["data"]["a"].asString() == base64Encode("hunter2-in-the-clear"));
    TestAnswer again = server.call("PUT", path + "/s", read.body);
    CHECK(again.json()["metadata"]["resourceVersion"].asString() != read.json()["metadata"]["resourceVersion"].asString());
    TestAnswer third = server.call("PUT", path + "/s", again.body);
    CHECK(third.json()["metadata"]["resourceVersion"].asString() == again.json()["metadata"]["resourceVersion"].asString());
  });
  serve(configOf(rule("secrets", keys("aescbc", {{"key2", kKey2}}))), [&](TestServer& server) {
    CHECK(server.call("GET", path + "/s").json()["data"]["a"].asString() == base64Encode("hunter2-in-the-clear"));
  });
}

TEST_CASE("configurations that are refused") {
  auto problem = [](std::string_view text) {
    auto parsed = parseEncryptionConfiguration(text, Clock::real());
    return parsed.ok() ? std::string() : parsed.error().message();
  };
  CHECK(problem(configOf(rule("secrets", "{identity: {}}"))) == "");
  CHECK(problem(configOf("[]")) != "");
  CHECK(problem(configOf(rule("secrets", ""))).find("at least one provider must be set") != std::string::npos);
  CHECK(problem(configOf(rule("secrets", keys("aesgcm", {{"a", "short"}})))).find("secret is not of the expected length, got 5") != std::string::npos);
  CHECK(problem(configOf(rule("secrets", keys("aesgcm", {{"a", kKey1}, {"a", kKey1}})))).find("Duplicate value: \"a\"") != std::string::npos);
  CHECK(problem(configOf(rule("secrets", "{identity: {}, aesgcm: {keys: []}}"))).find("more than one provider") != std::string::npos);
  CHECK(problem(configOf(rule("'*'", "{identity: {}}"))).find("to encrypt all resources") != std::string::npos);
  CHECK(problem(configOf(rule("secrets", "{kms: {apiVersion: v1, name: a, endpoint: 'tcp://x'}}"))).find("unsupported scheme") != std::string::npos);
}

}  // namespace
}  // namespace skiff::apiserver::encryption
