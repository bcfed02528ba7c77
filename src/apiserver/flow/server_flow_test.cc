// Priority and fairness of a whole server.
#include <doctest/doctest.h>

#include <fstream>

#include "apiserver/test_server.h"

using namespace skiff;
using namespace skiff::apiserver;

namespace {

struct TokenFile {
  TokenFile() : path(concat("/tmp/skiff-flow-", newUid())) {
    std::ofstream(path) << "ann-token,ann,u1,\"dev\"\nroot-token,root,u2,\"system:masters\"\n";
  }
  ~TokenFile() { std::remove(path.c_str()); }
  std::string path;
};

struct Fixture {
  TokenFile tokens;
  TestServer server;
  explicit Fixture(flow::FlowOptions flow = {}) : server(options(tokens.path, flow)) { server.outside = true; }
  static ApiServerOptions options(const std::string& path, flow::FlowOptions flow) {
    ApiServerOptions options;
    options.security.tokenFile = path;
    options.security.authorizationModes = {"AlwaysAllow"};
    options.flow = flow;
    return options;
  }
  TestAnswer as(std::string_view who, std::string_view method, std::string_view path, std::string body = {}) {
    return server.call(method, path, std::move(body), headers(who));
  }
  static std::vector<std::pair<std::string, std::string>> headers(std::string_view who) {
    return {{"authorization", concat("Bearer ", who, "-token")}, {"content-type", "application/json"}};
  }
  void configure(std::string_view level) {
    auto made = as("root", "POST", "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations", std::string(level));
    REQUIRE_MESSAGE(made.status == 201, made.body);
    auto schema = as("root", "POST", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
                     R"({"metadata":{"name":"ann"},"spec":{"priorityLevelConfiguration":{"name":"tight"},"matchingPrecedence":50,
                     "distinguisherMethod":{"type":"ByUser"},"rules":[{"subjects":[{"kind":"User","user":{"name":"ann"}}],
                     "resourceRules":[{"verbs":["*"],"apiGroups":[""],"resources":["configmaps"],"namespaces":["*"]}]}]}})");
    REQUIRE_MESSAGE(schema.status == 201, schema.body);
    uid = schema.json()["metadata"]["uid"].str();
  }
  std::string uid;
};

constexpr std::string_view kQueue =
    R"({"metadata":{"name":"tight"},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":0,"borrowingLimitPercent":0,
    "limitResponse":{"type":"Queue","queuing":{"queues":2,"handSize":1,"queueLengthLimit":2}}}}})";

}  // namespace

TEST_CASE("flow: answers name their schema and level; a new schema counts at once") {
  Fixture f;
  auto before = f.as("ann", "GET", "/api/v1/namespaces/default/configmaps");
  CHECK(before.status == 200);
  std::string first(before.headers.get("x-kubernetes-pf-flowschema-uid"));
  CHECK(first.size() == 36);
  CHECK(before.headers.get("x-kubernetes-pf-prioritylevel-uid").size() == 36);
  f.configure(R"({"metadata":{"name":"tight"},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":5,"limitResponse":{"type":"Reject"}}}})");
  auto after = f.as("ann", "GET", "/api/v1/namespaces/default/configmaps");
  CHECK(after.headers.get("x-kubernetes-pf-flowschema-uid") == f.uid);
  CHECK(f.as("root", "GET", "/api/v1/namespaces/default/configmaps").headers.get("x-kubernetes-pf-flowschema-uid") != f.uid);
  REQUIRE(f.as("root", "DELETE", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/ann").status == 200);
  CHECK(f.as("ann", "GET", "/api/v1/namespaces/default/configmaps").headers.get("x-kubernetes-pf-flowschema-uid") == first);
}

TEST_CASE("flow: a request waits in its queue, others are refused, and a wider level lets it in") {
  Fixture f;
  f.configure(kQueue);
  auto headers = Fixture::headers("ann");
  auto one = f.server.start("GET", "/api/v1/namespaces/default/configmaps", {}, headers);
  auto two = f.server.start("GET", "/api/v1/namespaces/default/configmaps/x", {}, headers);
  auto refused = f.as("ann", "GET", "/api/v1/namespaces/default/configmaps");
  CHECK(refused.status == 429);
  CHECK(refused.body == "Too many requests, please try again later.\n");
  CHECK(refused.headers.get("retry-after") == "1");
  CHECK(refused.headers.get("x-kubernetes-pf-flowschema-uid") == f.uid);
  auto waiting = f.as("root", "GET", "/debug/api_priority_and_fairness/dump_requests?includeRequestDetails=1");
  CHECK(waiting.body.find("/api/v1/namespaces/default/configmaps/x") != std::string::npos);
  auto levels = f.as("root", "GET", "/debug/api_priority_and_fairness/dump_priority_levels");
  CHECK(levels.body.starts_with("PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, "));
  CHECK(levels.body.find("tight,             1,            false,  false,       2,               0,                 0,                  1,") !=
        std::string::npos);
  auto patched = f.server.call("PATCH", "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/tight",
                               R"({"spec":{"limited":{"nominalConcurrencyShares":10}}})",
                               {{"authorization", "Bearer root-token"}, {"content-type", "application/merge-patch+json"}});
  REQUIRE(patched.status == 200);
  REQUIRE(one->wait());
  REQUIRE(two->wait());
  CHECK(one->status() == 200);
  CHECK(two->status() == 404);
  CHECK(f.as("ann", "GET", "/api/v1/namespaces/default/configmaps").status == 200);
  auto metrics = f.as("root", "GET", "/metrics");
  CHECK(metrics.body.find("apiserver_flowcontrol_rejected_requests_total{flow_schema=\"ann\",priority_level=\"tight\",reason=\"queue-full\"} 1") !=
        std::string::npos);
}

TEST_CASE("flow: a write that waits, and the end of the server") {
  Fixture f;
  f.configure(kQueue);
  auto write = f.server.start("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"}})", Fixture::headers("ann"));
  f.server.server->stop();
  REQUIRE(write->wait());
  CHECK(write->status() == 429);
}

TEST_CASE("flow: a watch gives its seat back once it has begun") {
  Fixture f;
  f.configure(R"({"metadata":{"name":"tight"},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":0,"borrowingLimitPercent":0,"limitResponse":{"type":"Reject"}}}})");
  auto watch = f.server.start("GET", "/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=0", {}, Fixture::headers("ann"));
  REQUIRE(f.as("root", "POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"}})").status == 201);
  CHECK(watch->line().find("\"name\":\"a\"") != std::string::npos);
  // The level has room for one request alone: were the watch still in it, this would be refused.
  CHECK(f.as("ann", "GET", "/api/v1/namespaces/default/configmaps/a").status == 200);
  watch->disconnect();
}

TEST_CASE("flow: without fairness the number of requests in flight is bounded") {
  Fixture f({.fair = false, .maxReads = 1, .maxWrites = 1});
  CHECK(f.as("ann", "GET", "/api/v1/namespaces/default/configmaps").status == 200);
  CHECK(f.as("ann", "GET", "/api/v1/namespaces/default/configmaps").status == 200);
  CHECK(f.as("ann", "GET", "/api/v1/namespaces/default/configmaps").headers.get("x-kubernetes-pf-flowschema-uid").empty());
}
