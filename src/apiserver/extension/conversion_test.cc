// Custom resources of several versions whose definition names a webhook: every way out of the server asks it.
#include <doctest/doctest.h>

#include "apiserver/test_server.h"
#include "net/server.h"
#include "net/test_tls.h"

using namespace skiff;
using namespace skiff::apiserver;
using codec::Value;

namespace {

constexpr std::string_view kWidgets = "/namespaces/default/widgets";
std::string widgets(std::string_view version, std::string_view rest = "") {
  return concat("/apis/example.com/", version, kWidgets, rest);
}

// v1 says "hostPort": "a:1", v2 says "host": "a", "port": "1".
struct Converter : net::Handler {
  std::mutex mutex;  // guards what tests read
  int calls = 0;
  size_t objects = 0;
  std::string failure;
  bool rename = false;
  std::unique_ptr<net::Server> server;

  Converter() {
    auto started = net::Server::start({.address = "127.0.0.1", .tls = net::testTls().server}, *this);
    server = std::move(started).value();
  }
  ~Converter() override { server->stop(std::chrono::milliseconds(0)); }

  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    std::lock_guard lock(mutex);
    ++calls;
    auto review = *codec::parseJsonDocument(request->body.view());
    codec::Arena arena;
    Value converted = Value::list();
    for (const Value& object : std::as_const(review->root)["request"]["objects"].items()) {
      ++objects;
      converted.push(arena, convert(object, review->root["request"]["desiredAPIVersion"].asString(), arena));
    }
    std::string result = failure.empty() ? R"({"status":"Success"})" : concat(R"({"status":"Failed","message":")", failure, R"("})");
    net::Response out;
    out.body.emplace_back(concat(R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","response":{"uid":")",
                                 review->root["request"]["uid"].asString(), R"(","result":)", result, R"(,"convertedObjects":)",
                                 codec::toJson(converted), "}}"));
    writer->respond(std::move(out));
  }
  Value convert(const Value& from, std::string_view version, codec::Arena& arena) {
    Value to = from.clone(arena);
    to.set(arena, "apiVersion", Value::text(arena, version));
    if (rename) to.find("metadata")->set(arena, "name", Value::string("other"));
    to.find("metadata")->set(arena, "generation", Value::integer(77));  // not the webhook's business
    if (version == "example.com/v2") {
      auto parts = cut(from["hostPort"].asString(), ":");
      to.erase("hostPort");
      to.set(arena, "host", Value::text(arena, parts ? parts->first : ""));
      to.set(arena, "port", Value::text(arena, parts ? parts->second : ""));
    } else {
      to.erase("host");
      to.erase("port");
      to.set(arena, "hostPort", Value::text(arena, concat(from["host"].asString(), ":", from["port"].asString())));
    }
    return to;
  }
  int seen() {
    std::lock_guard lock(mutex);
    return calls;
  }
};

std::string definition(const Converter& converter, bool secondIsStored = false) {
  auto version = [](std::string_view name, bool storage, std::string_view properties) {
    return concat(R"({"name":")", name, R"(","served":true,"storage":)", storage ? "true" : "false",
                  R"(,"schema":{"openAPIV3Schema":{"type":"object","properties":{)", properties, "}}}}");
  };
  return concat(R"({"metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com","scope":"Namespaced",)",
                R"("names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},"versions":[)",
                version("v1", !secondIsStored, R"("hostPort":{"type":"string"})"), ",",
                version("v2", secondIsStored, R"("host":{"type":"string"},"port":{"type":"string"},"proto":{"type":"string","default":"tcp"})"),
                R"(],"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"url":"https://127.0.0.1:)",
                converter.server->port(), R"(/convert","caBundle":")", base64Encode(net::testTls().caPem), R"("}}}}})");
}

struct Fixture {
  Converter converter;
  TestServer server;
  Fixture() {
    MUST(server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(converter)).status == 201);
    MUST(server.call("POST", widgets("v1"), R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a"},"hostPort":"h:1"})").status == 201);
  }
  void storeSecond() {
    auto answer = server.patch("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com", "application/json-patch+json",
                               R"([{"op":"replace","path":"/spec/versions/0/storage","value":false},
                                   {"op":"replace","path":"/spec/versions/1/storage","value":true}])");
    MUST(answer.status == 200);
  }
};

}  // namespace

TEST_CASE("an object is read and written in each version through the webhook") {
  Fixture f;
  CHECK(f.converter.seen() == 0);  // nothing has asked for another version
  auto second = f.server.call("GET", widgets("v2", "/a"));
  REQUIRE(second.status == 200);
  CHECK(second.json()["host"].asString() == "h");
  CHECK(second.json()["port"].asString() == "1");
  CHECK(second.json()["proto"].asString() == "tcp");  // defaults of the version that is read
  CHECK(second.json()["metadata"]["generation"].asInt() == 1);
  CHECK(f.server.call("GET", widgets("v2", "/a")).status == 200);
  CHECK(f.converter.seen() == 1);  // the second reader takes what the first has left

  auto patched = f.server.patch(widgets("v2", "/a"), "application/merge-patch+json", R"({"port":"2"})");
  REQUIRE(patched.status == 200);
  CHECK(patched.json()["port"].asString() == "2");
  CHECK(f.server.call("GET", widgets("v1", "/a")).json()["hostPort"].asString() == "h:2");
  auto created = f.server.call("POST", widgets("v2"), R"({"apiVersion":"example.com/v2","kind":"Widget","metadata":{"name":"b"},"host":"x","port":"9"})");
  REQUIRE(created.status == 201);
  CHECK(created.json()["apiVersion"].asString() == "example.com/v2");
  CHECK(f.server.call("GET", widgets("v1", "/b")).json()["hostPort"].asString() == "x:9");
}

TEST_CASE("a list of objects that were stored in different versions is converted together") {
  Fixture f;
  for (char name = 'b'; name < 'g'; ++name)
    REQUIRE(f.server.call("POST", widgets("v1"), concat(R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":")", name, R"("},"hostPort":"h:1"})")).status == 201);
  f.storeSecond();
  REQUIRE(f.server.call("POST", widgets("v2"), R"({"apiVersion":"example.com/v2","kind":"Widget","metadata":{"name":"z"},"host":"z","port":"3"})").status == 201);
  int before = f.converter.seen();
  auto first = f.server.call("GET", widgets("v1"));
  REQUIRE(first.json()["items"].size() == 7);
  for (const Value& item : first.json()["items"].items()) CHECK(item["hostPort"].isString());
  auto second = f.server.call("GET", widgets("v2"));
  for (const Value& item : second.json()["items"].items()) CHECK(item["host"].isString());
  CHECK(f.converter.seen() == before + 2);  // one review a list
}

TEST_CASE("a watch in another version shows initial objects and changes converted") {
  Fixture f;
  auto watch = f.server.start("GET", widgets("v2", "?watch=true"));
  CHECK(watch->line().find(R"("host":"h")") != std::string::npos);
  REQUIRE(f.server.patch(widgets("v1", "/a"), "application/merge-patch+json", R"({"hostPort":"h:5"})").status == 200);
  std::string line = watch->line();
  CHECK(line.starts_with(R"({"type":"MODIFIED")"));
  CHECK(line.find(R"("port":"5")") != std::string::npos);
  watch->disconnect();
}

TEST_CASE("a webhook that fails or oversteps fails the request") {
  Fixture f;
  f.converter.failure = "no way";
  auto failed = f.server.call("GET", widgets("v2", "/a"));
  CHECK(failed.status == 500);
  CHECK(failed.message() == "conversion webhook for example.com/v1, Kind=Widget failed: no way");
  f.converter.failure.clear();
  f.converter.rename = true;
  auto renamed = f.server.call("GET", widgets("v2"));
  CHECK(renamed.status == 500);
  CHECK(renamed.message().find("must have the same name: other != a") != std::string::npos);
  CHECK(f.server.call("GET", widgets("v1", "/a")).status == 200);  // its own version needs nobody
}
