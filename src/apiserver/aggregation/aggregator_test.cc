// An aggregated API server behind this one, both whole: from the APIService to what clients see.
#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>

#include "apiserver/aggregation/group_documents_for_test.h"
#include "apiserver/test_server.h"
#include "net/http_client.h"
#include "net/server.h"
#include "pki/x509.h"

using namespace skiff;
using namespace skiff::apiserver;
using codec::Value;

namespace {

// Serves wardle.example.com/v1 with one resource, and keeps what it was asked.
struct Wardle : net::Handler {
  pki::Pair ca = *pki::selfSignedCa("wardle-ca", std::chrono::hours(1), Clock::real());
  pki::Pair frontCa = *pki::selfSignedCa("front-proxy-ca", std::chrono::hours(1), Clock::real());
  std::unique_ptr<net::Server> server;
  std::mutex mutex;  // guards asked
  std::vector<net::Request> asked;

  Wardle() {
    auto pair = *pki::issue(ca, {.subject = {.commonName = "wardle", .organizations = {}}, .dnsNames = {"api.wardle.svc"}, .serverAuth = true}, Clock::real());
    net::TlsContext::Server tls;
    tls.keyPair = {pair.certificatePem, pair.keyPem};
    tls.clientCaPem = frontCa.certificatePem;
    auto started = net::Server::start({.address = "127.0.0.1", .tls = *net::TlsContext::server(std::move(tls))}, *this);
    server = std::move(started).value();
  }
  ~Wardle() override { server->stop(std::chrono::milliseconds(0)); }

  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    {
      std::lock_guard lock(mutex);
      asked.push_back(*request);
    }
    if (request->path.ends_with("/connect")) {
      net::Headers headers;
      headers.set("connection", "Upgrade");
      headers.set("upgrade", request->headers.get("upgrade"));
      (void)writer->upgrade(101, std::move(headers), [](std::unique_ptr<net::ByteStream> stream) {
        char bytes[64];
        for (;;) {
          auto count = stream->read(bytes, sizeof bytes);
          if (!count.ok() || *count == 0 || !stream->write({bytes, *count}).ok()) break;
        }
        stream->closeWrite();
      }).ok();
      return;
    }
    if (request->query == "watch=true") {
      writer->begin(200, {});
      writer->write(SharedBytes(std::string(kFlunderEvent)));
      return writer->finish();
    }
    net::Response response;
    response.headers.set("content-type", "application/json");
    std::string_view body = documentFor(request->path);
    if (body.empty()) response.status = 404;
    response.body.emplace_back(std::string(body));
    writer->respond(std::move(response));
  }
  std::optional<net::Request> last(std::string_view path) {
    std::lock_guard lock(mutex);
    for (auto it = asked.rbegin(); it != asked.rend(); ++it)
      if (it->path == path) return *it;
    return std::nullopt;
  }
};

constexpr std::string_view kApiService = "/apis/apiregistration.k8s.io/v1/apiservices";

ApiServerOptions optionsFor(const Wardle& wardle) {
  ApiServerOptions options;
  auto pair = *pki::issue(wardle.frontCa, {.subject = {.commonName = "front-proxy-client", .organizations = {}}, .clientAuth = true}, Clock::real());
  options.proxyClientCert = pair.certificatePem;
  options.proxyClientKey = pair.keyPem;
  options.security.requestHeaderCaPem = wardle.frontCa.certificatePem;
  options.security.requestHeaderAllowedNames = {"front-proxy-client"};
  return options;
}

struct Fixture {
  Wardle& wardle;
  TestServer server;

  explicit Fixture(Wardle& wardleServer) : Fixture(wardleServer, optionsFor(wardleServer)) {}
  Fixture(Wardle& wardleServer, ApiServerOptions options) : wardle(wardleServer), server(std::move(options)) {
    MUST(server.call("POST", "/api/v1/namespaces", R"({"metadata":{"name":"wardle"}})").status == 201);
    MUST(server.call("POST", kApiService,
                     concat(R"({"metadata":{"name":"v1.wardle.example.com"},"spec":{"group":"wardle.example.com","version":"v1",)",
                            R"("groupPriorityMinimum":2000,"versionPriority":200,"service":{"namespace":"wardle","name":"api","port":)", wardle.server->port(),
                            R"(},"caBundle":")", base64Encode(wardle.ca.certificatePem), R"("}})")).status == 201);
  }
  void addService() {
    MUST(server.call("POST", "/api/v1/namespaces/wardle/services",
                     concat(R"({"metadata":{"name":"api"},"spec":{"ports":[{"port":)", wardle.server->port(), "}]}}")).status == 201);
  }
  void addUnreadyEndpoint() {
    MUST(server.call("POST", "/apis/discovery.k8s.io/v1/namespaces/wardle/endpointslices",
                     concat(R"({"metadata":{"name":"api-1","labels":{"kubernetes.io/service-name":"api"}},"addressType":"IPv4",)",
                            R"("endpoints":[{"addresses":["10.1.2.3"],"conditions":{"ready":false}}],"ports":[{"name":"","port":)",
                            wardle.server->port(), "}]}")).status == 201);
  }
  // Endpoints may not be on the loopback, names of services outside the cluster may.
  void reachServer() {
    server.call("DELETE", "/api/v1/namespaces/wardle/services/api");
    MUST(server.call("POST", "/api/v1/namespaces/wardle/services",
                     R"({"metadata":{"name":"api"},"spec":{"type":"ExternalName","externalName":"127.0.0.1"}})").status == 201);
  }
  // Waits for the condition through a watch; its reason.
  std::string waitFor(std::string_view status, std::string_view reason) {
    auto watch = server.start("GET", concat(kApiService, "?watch=true&fieldSelector=metadata.name%3Dv1.wardle.example.com"));
    for (std::string line; !(line = watch->line()).empty();) {
      codec::Arena arena;
      auto event = codec::parseJson(line, arena);
      for (const Value& condition : (*event)["object"]["status"]["conditions"].items())
        if (condition["type"].asString() == "Available" && condition["status"].asString() == status &&
            condition["reason"].asString() == reason) {
          watch->disconnect();
          return condition["message"].str();
        }
    }
    return "never";
  }
};

}  // namespace

TEST_CASE("the condition tells what is missing, step by step") {
  Wardle wardle;
  Fixture f(wardle);
  CHECK(f.waitFor("False", "ServiceNotFound") == "service/api in \"wardle\" is not present");
  auto refused = f.server.call("GET", "/apis/wardle.example.com/v1/flunders");
  CHECK(refused.status == 503);
  CHECK(refused.json()["reason"].asString() == "ServiceUnavailable");
  f.addService();
  CHECK(f.waitFor("False", "EndpointsNotFound") == "cannot find endpointslices for service/api in \"wardle\"");
  f.addUnreadyEndpoint();
  CHECK(f.waitFor("False", "MissingEndpoints") == "endpoints for service/api in \"wardle\" have no addresses with port name \"\"");
  f.reachServer();
  CHECK(f.waitFor("True", "Passed") == "all checks passed");
}

TEST_CASE("requests go on with the user in headers and the front proxy's certificate") {
  Wardle wardle;
  Fixture f(wardle);
  f.reachServer();
  REQUIRE(f.waitFor("True", "Passed") == "all checks passed");
  f.server.user = {"ann", "7", {"dev", "ops"}, {{"scopes/x", {"a"}}}};
  f.server.user.groups.push_back("system:masters");
  auto answer = f.server.call("GET", "/apis/wardle.example.com/v1/flunders?limit=5", "",
                              {{"authorization", "Bearer secret"}, {"x-remote-user", "eve"}});
  REQUIRE(answer.status == 200);
  CHECK(answer.json()["items"].at(0)["metadata"]["name"].asString() == "f");
  auto seen = f.wardle.last("/apis/wardle.example.com/v1/flunders");
  REQUIRE(seen);
  CHECK(seen->query == "limit=5");
  CHECK(seen->headers.all("x-remote-user") == std::vector<std::string_view>{"ann"});
  CHECK(seen->headers.all("x-remote-group") == std::vector<std::string_view>{"dev", "ops", "system:masters"});
  CHECK(seen->headers.get("x-remote-extra-scopes%2fx") == "a");
  CHECK(seen->headers.get("x-remote-uid") == "7");
  CHECK_FALSE(seen->headers.has("authorization"));
  REQUIRE_FALSE(seen->peer.certificateChain.empty());
  CHECK(pki::parseCertificateDer(seen->peer.certificateChain.front())->subject.commonName == "front-proxy-client");
  auto watch = f.server.start("GET", "/apis/wardle.example.com/v1/flunders?watch=true");
  CHECK(watch->line() + "\n" == kFlunderEvent);
}

TEST_CASE("an upgraded connection is joined with the server's") {
  Wardle wardle;
  ApiServerOptions options = optionsFor(wardle);
  std::string tokens = concat("/tmp/skiff-aggregator-test-", newUid());
  std::ofstream(tokens) << "secret,ann,1,system:masters\n";
  options.security.tokenFile = tokens;
  Fixture f(wardle, options);
  std::remove(tokens.c_str());
  f.reachServer();
  REQUIRE(f.waitFor("True", "Passed") == "all checks passed");
  auto front = net::Server::start({.address = "127.0.0.1"}, f.server.server->handler());
  REQUIRE(front.ok());
  auto client = net::HttpClient::create({.endpoint = {.host = "127.0.0.1", .port = (*front)->port()}, .forceHttp1 = true});
  net::Request request;
  request.method = "GET";
  request.path = "/apis/wardle.example.com/v1/namespaces/default/flunders/f/connect";
  for (auto [name, value] : {std::pair("host", "a"), std::pair("authorization", "Bearer secret"), std::pair("connection", "Upgrade"),
                             std::pair("upgrade", "websocket")})
    request.headers.set(name, value);
  net::Response answer;
  auto stream = client->upgrade(std::move(request), &answer, std::chrono::seconds(10));
  REQUIRE(stream.ok());
  CHECK(answer.headers.get("upgrade") == "websocket");
  CHECK(wardle.last("/apis/wardle.example.com/v1/namespaces/default/flunders/f/connect")->headers.get("x-remote-user") == "ann");
  REQUIRE((*stream)->write("ping").ok());
  char bytes[4];
  size_t got = 0;
  while (got < sizeof bytes) {
    auto count = (*stream)->read(bytes + got, sizeof bytes - got);
    REQUIRE(count.ok());
    REQUIRE(*count > 0);
    got += *count;
  }
  CHECK(std::string_view(bytes, got) == "ping");
  (*stream)->close();
  (*front)->stop(std::chrono::milliseconds(0));
}

TEST_CASE("discovery and OpenAPI show the group of another server") {
  Wardle wardle;
  Fixture f(wardle);
  f.reachServer();
  REQUIRE(f.waitFor("True", "Passed") == "all checks passed");
  auto group = f.server.call("GET", "/apis/wardle.example.com");
  CHECK(group.json()["preferredVersion"]["groupVersion"].asString() == "wardle.example.com/v1");
  CHECK(f.server.call("GET", "/apis/wardle.example.com/v1").json()["resources"].at(0)["name"].asString() == "flunders");
  auto all = f.server.call("GET", "/apis", "", {{"accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}});
  const Value* found = nullptr;
  for (const Value& item : all.json()["items"].items())
    if (item["metadata"]["name"].asString() == "wardle.example.com") found = &item;
  REQUIRE(found);
  const Value& version = (*found)["versions"].at(0);
  CHECK(version["freshness"].asString() == "Current");
  CHECK(version["resources"].at(0)["responseKind"]["kind"].asString() == "Flunder");
  CHECK(version["resources"].at(0)["subresources"].at(0)["subresource"].asString() == "status");
  auto v2 = f.server.call("GET", "/openapi/v2");
  CHECK(v2.json()["paths"].has("/apis/wardle.example.com/v1/flunders"));
  CHECK_FALSE(v2.json()["paths"].has("/apis/other"));
  CHECK(v2.json()["definitions"].has("com.example.Flunder"));
  CHECK(v2.json()["definitions"].has("com.example.FlunderSpec"));
  CHECK_FALSE(v2.json()["definitions"].has("com.example.Unused"));
  auto index = f.server.call("GET", "/openapi/v3");
  CHECK(index.json()["paths"]["apis/wardle.example.com/v1"]["serverRelativeURL"].asString() == "/openapi/v3/apis/wardle.example.com/v1?hash=AB");
  CHECK(f.server.call("GET", "/openapi/v3/apis/wardle.example.com/v1?hash=AB").json()["openapi"].asString() == "3.0.0");
}

TEST_CASE("an APIService that is gone is served no more") {
  Wardle wardle;
  Fixture f(wardle);
  f.reachServer();
  REQUIRE(f.waitFor("True", "Passed") == "all checks passed");
  REQUIRE(f.server.call("DELETE", concat(kApiService, "/v1.wardle.example.com")).status == 200);
  CHECK(f.server.call("GET", "/apis/wardle.example.com/v1/flunders").status == 404);
  CHECK(f.server.call("GET", "/apis/wardle.example.com").status == 404);
}

TEST_CASE("aggregated servers find whom to trust in a ConfigMap") {
  Wardle wardle;
  TestServer server{optionsFor(wardle)};
  auto config = server.call("GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication");
  REQUIRE(config.status == 200);
  const Value& data = config.json()["data"];
  CHECK(data["requestheader-client-ca-file"].asString() == wardle.frontCa.certificatePem);
  CHECK(data["requestheader-allowed-names"].asString() == R"(["front-proxy-client"])");
  CHECK(data["requestheader-username-headers"].asString() == R"(["X-Remote-User"])");
}

TEST_CASE("custom group versions are registered as local APIServices, and unregistered") {
  TestServer server;
  REQUIRE(server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                      R"({"metadata":{"name":"gadgets.example.org"},"spec":{"group":"example.org","scope":"Cluster",
      "names":{"plural":"gadgets","singular":"gadget","kind":"Gadget","listKind":"GadgetList"},"versions":[
      {"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}})").status == 201);
  auto watch = server.start("GET", concat(kApiService, "?watch=true&fieldSelector=metadata.name%3Dv1.example.org"));
  std::string added = watch->line();
  CHECK(added.starts_with(R"({"type":"ADDED")"));
  CHECK(added.find(R"("reason":"Local")") != std::string::npos);
  REQUIRE(server.call("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.org").status == 200);
  CHECK(watch->line().starts_with(R"({"type":"DELETED")"));
  watch->disconnect();
}
