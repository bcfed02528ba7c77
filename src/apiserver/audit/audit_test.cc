// The audit policy, the queue before a sink, the log file, and the events of a whole server.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "apiserver/audit/event_queue.h"
#include "apiserver/audit/policy.h"
#include "apiserver/audit/record.h"
#include "apiserver/test_server.h"

using namespace skiff;
using namespace skiff::apiserver;
using audit::Level;
using audit::Stage;

namespace {

std::string scratch(std::string_view name) { return concat("/tmp/skiff-audit-", newUid(), "-", name); }

// Holds back what it is given until it is told to go on.
class StuckSink final : public audit::Sink {
 public:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false, entered = false;
    std::vector<std::string> written;
  };
  explicit StuckSink(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::string_view name() const override { return "stuck"; }
  Status write(std::span<const std::string> events) override {
    std::unique_lock lock(state_->mutex);
    state_->entered = true;
    state_->changed.notify_all();
    state_->changed.wait(lock, [&] { return state_->open; });
    state_->written.insert(state_->written.end(), events.begin(), events.end());
    return okStatus();
  }

 private:
  std::shared_ptr<State> state_;
};

RequestInfo resourceRequest(std::string_view verb, std::string_view group, std::string_view resource, std::string_view subresource = "") {
  RequestInfo info;
  info.isResource = true;
  info.verb = std::string(verb), info.group = std::string(group), info.resource = std::string(resource);
  info.subresource = std::string(subresource), info.ns = "a", info.name = "n";
  return info;
}

struct Audited {
  explicit Audited(std::string_view policy, std::string format = "json", audit::AuditOptions more = {}) : policyFile(scratch("policy.yaml")), log(scratch("audit.log")) {
    std::ofstream(policyFile) << "apiVersion: audit.k8s.io/v1\nkind: Policy\n" << policy;
    ApiServerOptions options;
    options.audit = std::move(more);
    options.audit.policyFile = policyFile;
    if (options.audit.logPath.empty()) options.audit.logPath = log;
    options.audit.logFormat = std::move(format);
    server = std::make_unique<TestServer>(options);
  }
  ~Audited() {
    server.reset();
    std::filesystem::remove(policyFile);
    std::filesystem::remove(log);
  }
  std::vector<std::string> lines(std::string_view with) const {
    std::vector<std::string> out;
    std::ifstream in(log);
    for (std::string line; std::getline(in, line);)
      if (line.find(with) != std::string::npos) out.push_back(line);
    return out;
  }
  std::string policyFile, log;
  std::unique_ptr<TestServer> server;
};

}  // namespace

TEST_CASE("audit: the first rule that matches decides") {
  auto policy = audit::Policy::parse(R"(
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: [kubelet], verbs: [watch]}
- {level: RequestResponse, resources: [{group: "", resources: [pods, "pods/*"], resourceNames: []}], namespaces: [a], omitManagedFields: true}
- {level: Request, resources: [{group: apps}, {group: "", resources: ["*/scale"]}]}
- {level: Metadata, nonResourceURLs: ["/healthz*", /version], omitStages: [ResponseStarted]}
- {level: Metadata, userGroups: [ops]}
)");
  REQUIRE(policy.ok());
  UserInfo user{"u", "", {}, {}}, kubelet{"kubelet", "", {}, {}}, ops{"o", "", {"ops"}, {}};
  CHECK(policy->decide(kubelet, resourceRequest("watch", "", "pods")).level == Level::None);
  auto pods = policy->decide(user, resourceRequest("get", "", "pods", "log"));
  CHECK(pods.level == Level::RequestResponse);
  CHECK(pods.omitManagedFields);
  CHECK(pods.omits(Stage::RequestReceived));
  CHECK_FALSE(pods.omits(Stage::ResponseComplete));
  CHECK(policy->decide(user, resourceRequest("get", "apps", "deployments")).level == Level::Request);
  CHECK(policy->decide(user, resourceRequest("get", "", "replicationcontrollers", "scale")).level == Level::Request);
  CHECK(policy->decide(user, resourceRequest("get", "", "secrets")).level == Level::None);
  CHECK(policy->decide(ops, resourceRequest("get", "", "secrets")).level == Level::Metadata);
  RequestInfo path;
  path.verb = "get", path.path = "/healthz/etcd";
  auto health = policy->decide(user, path);
  CHECK(health.level == Level::Metadata);
  CHECK(health.omits(Stage::ResponseStarted));
  path.path = "/version/x";
  CHECK(policy->decide(user, path).level == Level::None);
}

TEST_CASE("audit: a wrong policy is refused at the start") {
  constexpr std::string_view kHead = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
  for (std::string_view rules : {"rules: []", "rules: [{level: Everything}]", "rules: [{level: None, omitStages: [Never]}]",
                                 "rules: [{level: None, nonResourceURLs: [/x], namespaces: [a]}]"})
    CHECK_FALSE(audit::Policy::parse(concat(kHead, rules)).ok());
  CHECK_FALSE(audit::Policy::parse("kind: Policy\nrules: [{level: None}]").ok());
}

TEST_CASE("audit: a stuck sink costs events, not time") {
  auto state = std::make_shared<StuckSink::State>();
  audit::EventQueue queue(std::make_unique<StuckSink>(state), audit::EventQueue::Mode::Batch, {.bufferSize = 3, .maxSize = 1}, milliseconds(1));
  queue.add("0");
  {
    std::unique_lock lock(state->mutex);
    REQUIRE(state->changed.wait_for(lock, seconds(20), [&] { return state->entered; }));
  }
  for (int i = 1; i <= 10; ++i) queue.add(std::to_string(i));
  CHECK(queue.failed() == 7);
  {
    std::lock_guard lock(state->mutex);
    state->open = true;
    state->changed.notify_all();
  }
  queue.stop();
  CHECK(state->written == std::vector<std::string>{"0", "1", "2", "3"});
}

TEST_CASE("audit: the log is rotated by size and old ones are removed") {
  std::string folder = scratch("dir");
  audit::AuditOptions options;
  options.logPath = folder + "/audit.log";
  options.logMaxSizeMb = 1;
  options.logMaxBackups = 2;
  options.logCompress = true;
  auto sink = audit::logSink(options, Clock::real());
  REQUIRE(sink.ok());
  std::vector<std::string> big{std::string(700 * 1024, 'x')};
  for (int i = 0; i < 5; ++i) REQUIRE((*sink)->write(big).ok());
  int files = 0, compressed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
    compressed += entry.path().extension() == ".gz";
  }
  CHECK(files == 3);
  CHECK(compressed == 2);
  std::filesystem::remove_all(folder);
}

TEST_CASE("audit: events of a write are as upstream's") {
  Audited f("omitManagedFields: true\nrules: [{level: RequestResponse}]");
  auto made = f.server->call("POST", "/api/v1/namespaces/default/configmaps?fieldManager=x&fieldValidation=Strict", R"({"metadata":{"name":"a"},"data":{"x":"1"}})",
                             {{"user-agent", "tester/1"}, {"content-type", "application/json"}, {"audit-id", "id-1"}, {"x-forwarded-for", "10.0.0.1, 10.0.0.2"}});
  REQUIRE_MESSAGE(made.status == 201, made.body);
  CHECK(made.headers.get("audit-id") == "id-1");
  auto events = f.lines("\"auditID\":\"id-1\"");
  REQUIRE(events.size() == 2);
  CHECK(events[0].starts_with(R"({"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"id-1","stage":"RequestReceived",)"
                              R"("requestURI":"/api/v1/namespaces/default/configmaps?fieldManager=x\u0026fieldValidation=Strict","verb":"create","user":{"username":"admin",)"
                              R"("groups":["system:masters","system:authenticated"]},"sourceIPs":["10.0.0.1","10.0.0.2","127.0.0.1"],"userAgent":"tester/1",)"
                              R"("objectRef":{"resource":"configmaps","namespace":"default","apiVersion":"v1"},"requestReceivedTimestamp":")"));
  CHECK(events[1].find(R"("objectRef":{"resource":"configmaps","namespace":"default","name":"a","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},)"
                       R"("requestObject":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"x":"1"}},)"
                       R"("responseObject":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":")") != std::string::npos);
  CHECK(events[1].find("managedFields") == std::string::npos);
  CHECK(events[1].find(R"("authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":")") != std::string::npos);
}

TEST_CASE("audit: refusals, deletions, patches, lists, watches, and what is deprecated") {
  Audited f("rules: [{level: RequestResponse}]");
  auto& server = *f.server;
  auto send = [&](std::string_view method, std::string_view path, std::string body, std::string_view id, std::string_view type = "application/json") {
    return server.call(method, path, std::move(body), {{"audit-id", std::string(id)}, {"content-type", std::string(type)}});
  };
  auto last = [&](std::string_view id) {
    auto events = f.lines(concat("\"auditID\":\"", id, "\""));
    return events.empty() ? std::string() : events.back();
  };
  auto says = [&](std::string_view id, std::string_view what) { return last(id).find(what) != std::string::npos; };
  REQUIRE(send("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"}})", "make").status == 201);
  send("GET", "/api/v1/namespaces/default/configmaps/none", "", "none");
  CHECK(says("none", R"("responseStatus":{"metadata":{},"status":"Failure","message":"configmaps \"none\" not found","reason":"NotFound","details":{"name":"none","kind":"configmaps"},"code":404},"responseObject":{"kind":"Status","apiVersion":"v1",)"));
  send("PATCH", "/api/v1/namespaces/default/configmaps/a", R"({"data":{"y":"1"}})", "patch", "application/merge-patch+json");
  CHECK(says("patch", R"("requestObject":{"data":{"y":"1"}},"responseObject":{"kind":"ConfigMap",)"));
  send("GET", "/api/v1/namespaces/default/configmaps?limit=1", "", "list");
  CHECK(says("list", R"("responseObject":{"kind":"ConfigMapList","apiVersion":"v1",)"));
  send("GET", "/api/v1/namespaces/default/endpoints", "", "old");
  CHECK(says("old", R"("k8s.io/deprecated":"true")"));
  send("DELETE", "/api/v1/namespaces/default/configmaps/a", "", "delete");
  CHECK(says("delete", R"("responseStatus":{"metadata":{},"status":"Success","details":{"name":"a","kind":"configmaps","uid":")"));
  send("GET", "/version", "", "path");
  CHECK(says("path", R"("requestURI":"/version","verb":"get")"));
  CHECK_FALSE(says("path", "objectRef"));
  auto watch = server.start("GET", "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1", {}, {{"audit-id", "watch"}});
  REQUIRE(watch->wait());
  server.server->stop();  // a watch's last event is told after its answer is over
  REQUIRE(f.lines("\"auditID\":\"watch\"").size() == 3);
  CHECK(f.lines("\"auditID\":\"watch\"")[1].find(R"("stage":"ResponseStarted")") != std::string::npos);
  CHECK_FALSE(says("watch", "responseObject"));
}

TEST_CASE("audit: annotations of policies and pod security") {
  Audited f("rules: [{level: Metadata}]");
  auto& server = *f.server;
  auto post = [&](std::string_view path, std::string body, std::string id) {
    auto made = server.call("POST", path, std::move(body), {{"audit-id", id}, {"content-type", "application/json"}});
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return f.lines(concat("\"auditID\":\"", id, "\"")).back();
  };
  post("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", R"({"metadata":{"name":"p1"},"spec":{"failurePolicy":"Fail",
       "matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["configmaps"]}]},
       "validations":[{"expression":"object.metadata.name != 'bad'","message":"bad name"}],
       "auditAnnotations":[{"key":"who","valueExpression":"'name is ' + object.metadata.name"}]}})", "p");
  post("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
       R"({"metadata":{"name":"b1"},"spec":{"policyName":"p1","validationActions":["Audit","Warn"]}})", "b");
  std::string good = post("/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"good"}})", "good");
  CHECK(good.find(R"("p1/who":"name is good"})") != std::string::npos);
  std::string bad = post("/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"bad"}})", "bad");
  CHECK(bad.find(R"("validation.policy.admission.k8s.io/validation_failure":"[{\"message\":\"bad name\",\"policy\":\"p1\",\"binding\":\"b1\",\"expressionIndex\":0,\"validationActions\":[\"Audit\",\"Warn\"]}]")") !=
        std::string::npos);
  CHECK(bad.find("requestObject") == std::string::npos);
  post("/api/v1/namespaces", R"({"metadata":{"name":"strict","labels":{"pod-security.kubernetes.io/audit":"restricted","pod-security.kubernetes.io/enforce":"baseline"}}})", "ns");
  post("/api/v1/namespaces/strict/serviceaccounts", R"({"metadata":{"name":"default"}})", "sa");
  std::string pod = post("/api/v1/namespaces/strict/pods", R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}})", "pod");
  CHECK(pod.find(R"("pod-security.kubernetes.io/audit-violations":"would violate PodSecurity \"restricted:latest\": )") != std::string::npos);
  CHECK(pod.find(R"("pod-security.kubernetes.io/enforce-policy":"baseline:latest")") != std::string::npos);
}

TEST_CASE("audit: events that are too large lose their objects, or are dropped") {
  Audited f("rules: [{level: RequestResponse}]", "json", {.logTruncate = {.enabled = true, .maxEventBytes = 1500}});
  auto send = [&](std::string_view path, std::string body, std::string id) {
    f.server->call("POST", path, std::move(body), {{"audit-id", id}, {"content-type", "application/json"}});
    return f.lines(concat("\"auditID\":\"", id, "\""));
  };
  std::string big = concat(R"({"metadata":{"name":"a"},"data":{"x":")", std::string(2000, 'x'), R"("}})");
  auto cut = send("/api/v1/namespaces/default/configmaps", big, "cut");
  REQUIRE(cut.size() == 2);
  CHECK(cut[0].find("truncated") == std::string::npos);
  CHECK(cut[1].find(R"("annotations":{"audit.k8s.io/truncated":"true","authorization.k8s.io/decision":"allow",)") != std::string::npos);
  CHECK(cut[1].find("requestObject") == std::string::npos);
  auto lost = send(concat("/api/v1/namespaces/default/configmaps?fieldManager=", std::string(2000, 'y')), "{}", "lost");
  CHECK(lost.empty());
  CHECK(f.server->call("GET", "/metrics").body.find("apiserver_audit_error_total{plugin=\"log\"} 2\n") != std::string::npos);
}

TEST_CASE("audit: a strict log that fails refuses the request before anything is done") {
  Audited strict("rules: [{level: Metadata, resources: [{group: \"\", resources: [configmaps]}]}]", "json", {.logPath = "/dev/full", .logMode = "blocking-strict"});
  auto refused = strict.server->call("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"}})");
  CHECK(refused.status == 500);
  CHECK(refused.body == "Internal Server Error: \"/api/v1/namespaces/default/configmaps\": failed to store audit event\n");
  CHECK(strict.server->store->get("/registry/configmaps/default/a") == nullptr);
  CHECK(strict.server->call("GET", "/metrics").body.find("apiserver_audit_requests_rejected_total 1\n") != std::string::npos);
  Audited lenient("rules: [{level: Metadata}]", "json", {.logPath = "/dev/full"});
  CHECK(lenient.server->call("POST", "/api/v1/namespaces/default/configmaps", R"({"metadata":{"name":"a"}})").status == 201);
}

TEST_CASE("audit: a batch is bounded by its bytes") {
  struct Counting final : audit::Sink {
    explicit Counting(std::shared_ptr<std::vector<size_t>> seen) : batches(std::move(seen)) {}
    std::string_view name() const override { return "counting"; }
    Status write(std::span<const std::string> events) override {
      batches->push_back(events.size());
      return okStatus();
    }
    std::shared_ptr<std::vector<size_t>> batches;
  };
  auto batches = std::make_shared<std::vector<size_t>>();
  audit::EventQueue queue(std::make_unique<Counting>(batches), audit::EventQueue::Mode::Batch,
                          {.bufferSize = 10, .maxSize = 10, .maxWait = seconds(60)}, milliseconds(1), 10);
  for (const char* event : {"12345", "12345", "1", "12345678901234567890", "1"}) queue.add(event);
  queue.stop();
  CHECK(*batches == std::vector<size_t>{2, 1, 1, 1});
}

TEST_CASE("audit: the legacy format is one line of pairs") {
  Audited f("rules: [{level: Metadata}]", "legacy");
  f.server->call("GET", "/api/v1/namespaces/default/pods", "", {{"audit-id", "x"}, {"user-agent", "t"}});
  auto lines = f.lines("id=\"x\"");
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].find(R"( AUDIT: id="x" stage="ResponseComplete" ip="127.0.0.1" method="list" user="admin" groups="\"system:masters\",\"system:authenticated\"" as="<self>" asgroups="<lookup>" user-agent="t" namespace="default" uri="/api/v1/namespaces/default/pods" response="200")") !=
        std::string::npos);
}
