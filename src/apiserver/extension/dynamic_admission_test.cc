#include "apiserver/extension/dynamic_admission.h"
#include "apiserver/extension/webhook_metrics.h"

#include <doctest/doctest.h>

#include <deque>

#include "apiserver/auth/fake_cluster.h"
#include "apiserver/extension/plugins.h"
#include "base/strings.h"
#include "codec/json.h"
#include "net/server.h"
#include "net/test_tls.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

struct AllowNothing : Authorizer {
  Verdict authorize(const UserInfo& user, const RequestInfo& request) override {
    bool allowed = user.name == "system:serviceaccount:a:robot" && request.resource == "secrets";
    return {allowed ? Decision::Allow : Decision::NoOpinion, ""};
  }
};

// A webhook backend: answers each review with what the test gives, and keeps what it was sent.
struct Backend : net::Handler {
  std::string response = R"({"allowed":true})";  // a "uid" is added
  std::vector<std::string> reviews;
  std::string path, contentType;
  bool hang = false;
  std::vector<std::shared_ptr<net::ResponseWriter>> held;
  std::unique_ptr<net::Server> server;

  Backend() {
    auto started = net::Server::start({.address = "127.0.0.1", .tls = net::testTls().server}, *this);
    server = std::move(started).value();
  }
  ~Backend() override { server->stop(std::chrono::milliseconds(0)); }

  void handle(std::shared_ptr<net::Request> request, std::shared_ptr<net::ResponseWriter> writer) override {
    path = request->path + "?" + request->query;
    reviews.emplace_back(request->body.view());
    if (hang) {
      held.push_back(std::move(writer));
      return;
    }
    auto review = *codec::parseJsonDocument(request->body.view());
    auto answer = *codec::parseJsonDocument(response);
    answer->root.set(answer->arena, "uid", review->root["request"]["uid"]);
    net::Response out;
    out.body.emplace_back(concat(R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":)",
                                 codec::toJson(answer->root), "}"));
    writer->respond(std::move(out));
  }
  std::string client() const {
    return concat(R"({"url":"https://127.0.0.1:)", server->port(), R"(/check","caBundle":")",
                  base64Encode(net::testTls().caPem), R"("})");
  }
  std::shared_ptr<codec::Document> review(size_t index = 0) const { return *codec::parseJsonDocument(reviews.at(index)); }
};

constexpr std::string_view kDeployment = R"({"apiVersion":"apps/v1","kind":"Deployment",
  "metadata":{"name":"web","namespace":"a","labels":{"app":"web"}},
  "spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"c","image":"i:1"}]}}}})";

struct Fixture {
  FakeCluster cluster;
  AllowNothing authorizer;
  UserInfo user{.name = "ann", .uid = "", .groups = {"dev"}, .extra = {}};
  codec::Arena arena;
  Value object, oldObject;
  std::vector<std::string> warnings;
  AdmissionRequest request;
  extension::WebhookMetrics metrics;
  std::vector<std::unique_ptr<AdmissionPlugin>> plugins = makeDynamicAdmission(cluster, authorizer, &metrics);

  explicit Fixture(std::string_view json = kDeployment) {
    object = *codec::parseJson(json, arena);
    cluster.add("", "namespaces", R"({"metadata":{"name":"a","labels":{"team":"x"}}})");
    request.user = &user;
    request.resource = api::findResource("apps", "v1", "deployments");
    request.ns = "a";
    request.name = "web";
    request.object = &object;
    request.arena = &arena;
    request.warnings = &warnings;
  }
  void webhook(std::string_view kind, const std::string& client, std::string_view more = "", std::string_view name = "w.example.com") {
    cluster.add("admissionregistration.k8s.io", kind,
                concat(R"({"metadata":{"name":"cfg-)", name, R"("},"webhooks":[{"name":")", name, R"(","clientConfig":)", client,
                       R"(,"sideEffects":"None","admissionReviewVersions":["v1"],"rules":[{"operations":["CREATE","UPDATE"],)",
                       R"("apiGroups":["apps"],"apiVersions":["v1"],"resources":["deployments"],"scope":"*"}])", more, "}]}"));
  }
  void validating(const std::string& client, std::string_view more = "") {
    webhook("validatingwebhookconfigurations", client, more);
  }
  void mutating(const std::string& client, std::string_view more = "") {
    webhook("mutatingwebhookconfigurations", client, more);
  }
  void policy(std::string_view spec, std::string_view binding = R"("validationActions":["Deny"])", bool mutates = false) {
    std::string kind = mutates ? "mutatingadmissionpolicies" : "validatingadmissionpolicies";
    std::string bindings = mutates ? "mutatingadmissionpolicybindings" : "validatingadmissionpolicybindings";
    cluster.add("admissionregistration.k8s.io", kind,
                concat(R"({"metadata":{"name":"p"},"spec":{"matchConstraints":{"resourceRules":[{"operations":["*"],)",
                       R"("apiGroups":["apps"],"apiVersions":["v1"],"resources":["deployments"]}]},)", spec, "}}"));
    cluster.add("admissionregistration.k8s.io", bindings,
                concat(R"({"metadata":{"name":"b"},"spec":{"policyName":"p")", binding.empty() ? "" : ",", binding, "}}"));
  }
  Status run() {
    for (auto& plugin : plugins) TRY(plugin->mutate(request));
    for (auto& plugin : plugins) TRY(plugin->validate(request));
    return okStatus();
  }
  std::string refusal() {
    Status status = run();
    return status.ok() ? "" : status.error().message();
  }
};

TEST_CASE("a validating webhook is asked about what its rules match") {
  Backend backend;
  Fixture fixture;
  fixture.validating(backend.client());
  CHECK(fixture.refusal() == "");
  REQUIRE(backend.reviews.size() == 1);
  auto review = backend.review();
  const Value& asked = review->root["request"];
  CHECK(backend.path == "/check?timeout=10s");
  CHECK(asked["operation"].asString() == "CREATE");
  CHECK(codec::toJson(asked["kind"]) == R"({"group":"apps","version":"v1","kind":"Deployment"})");
  CHECK(codec::toJson(asked["resource"]) == R"({"group":"apps","version":"v1","resource":"deployments"})");
  CHECK(codec::toJson(asked["userInfo"]) == R"({"username":"ann","groups":["dev"]})");
  CHECK(asked["object"] == fixture.object);
  CHECK(asked["oldObject"].isNull());
  CHECK(asked["options"]["kind"].asString() == "CreateOptions");

  fixture.request.operation = Operation::Delete;
  CHECK(fixture.refusal() == "");
  CHECK(backend.reviews.size() == 1);
}

TEST_CASE("a denial carries the webhook's status") {
  Backend backend;
  Fixture fixture;
  fixture.validating(backend.client());
  backend.response = R"({"allowed":false,"status":{"message":"no","reason":"Forbidden","code":403},"warnings":["careful"]})";
  Status status = fixture.run();
  REQUIRE(!status.ok());
  CHECK(status.error().message() == "admission webhook \"w.example.com\" denied the request: no");
  CHECK(status.error().code() == 403);
  CHECK(fixture.warnings == std::vector<std::string>{"careful"});
  backend.response = R"({"allowed":false})";
  status = fixture.run();
  CHECK(status.error().message() == "admission webhook \"w.example.com\" denied the request without explanation");
  CHECK(status.error().code() == 400);
}

TEST_CASE("a webhook that cannot be called refuses the request, or not, by its failure policy") {
  Backend backend;
  Fixture closed, open, late;
  std::string dead = R"({"service":{"namespace":"a","name":"none"}})";
  closed.validating(dead, R"(,"failurePolicy":"Fail")");
  Status status = closed.run();
  REQUIRE(!status.ok());
  CHECK(status.error().message() ==
        "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post "
        "\"https://none.a.svc:443/?timeout=10s\": service \"none\" not found");
  CHECK(status.error().code() == 500);
  open.validating(dead, R"(,"failurePolicy":"Ignore")");
  CHECK(open.refusal() == "");
  backend.hang = true;
  late.validating(backend.client(), R"(,"timeoutSeconds":1)");
  CHECK(late.refusal().ends_with("/check?timeout=1s\": context deadline exceeded"));

  // Labels and codes as kube-apiserver 1.37 shows them for the same failures.
  std::string refused, passed;
  closed.metrics.write(refused);
  open.metrics.write(passed);
  CHECK(refused.find("apiserver_admission_webhook_rejection_count{error_type=\"calling_webhook_error\",name=\"w.example.com\","
                     "operation=\"CREATE\",rejection_code=\"503\",type=\"validating\"} 1\n") != std::string::npos);
  CHECK(refused.find("apiserver_admission_webhook_request_total{code=\"503\",name=\"w.example.com\",operation=\"CREATE\",rejected=\"true\","
                     "type=\"validating\"} 1\n") != std::string::npos);
  CHECK(passed.find("apiserver_admission_webhook_fail_open_count{name=\"w.example.com\",type=\"validating\"} 1\n") != std::string::npos);
  CHECK(passed.find("apiserver_admission_webhook_admission_duration_seconds_count{name=\"w.example.com\",operation=\"CREATE\",rejected=\"false\","
                    "type=\"validating\"} 1\n") != std::string::npos);
  CHECK(passed.find("rejection_count") == std::string::npos);
}

TEST_CASE("services are reached at a ready endpoint, by their own name") {
  Backend backend;
  Fixture fixture;
  fixture.cluster.add("", "services", R"({"metadata":{"name":"s","namespace":"a"},"spec":{"ports":[{"name":"p","port":443}]}})");
  fixture.cluster.add("discovery.k8s.io", "endpointslices",
                      concat(R"({"metadata":{"name":"s-1","namespace":"a","labels":{"kubernetes.io/service-name":"s"}},)",
                             R"("ports":[{"name":"p","port":)", backend.server->port(),
                             R"(}],"endpoints":[{"addresses":["127.0.0.1"],"conditions":{"ready":true}}]})"));
  fixture.validating(concat(R"({"service":{"namespace":"a","name":"s","path":"/x"},"caBundle":")",
                            base64Encode(net::testTls().caPem), "\"}"));
  // The test's certificate is for localhost: the refusal shows which name was asked for.
  std::string refusal = fixture.refusal();
  CHECK(refusal.find("Post \"https://s.a.svc:443/x?timeout=10s\": ") != std::string::npos);
  CHECK(backend.reviews.empty());
}

TEST_CASE("selectors and match conditions narrow what is asked") {
  struct Case {
    std::string_view more;
    bool asked;
  };
  for (const Case& c : std::initializer_list<Case>{
           {R"(,"namespaceSelector":{"matchLabels":{"team":"x"}})", true},
           {R"(,"namespaceSelector":{"matchLabels":{"team":"y"}})", false},
           {R"(,"objectSelector":{"matchLabels":{"app":"web"}})", true},
           {R"(,"objectSelector":{"matchLabels":{"app":"other"}})", false},
           {R"(,"matchConditions":[{"name":"n","expression":"object.spec.replicas > 2 && request.userInfo.username == 'ann'"}])", true},
           {R"(,"matchConditions":[{"name":"n","expression":"object.spec.replicas > 3"}])", false},
           {R"(,"matchConditions":[{"name":"a","expression":"object.none > 3"},{"name":"b","expression":"false"}])", false},
           {R"(,"failurePolicy":"Ignore","matchConditions":[{"name":"n","expression":"object.none > 3"}])", false}}) {
    CAPTURE(c.more);
    Backend backend;
    Fixture fixture;
    fixture.validating(backend.client(), c.more);
    CHECK(fixture.refusal() == "");
    CHECK(backend.reviews.size() == size_t(c.asked));
  }
  Fixture fixture;
  fixture.validating("{}", R"(,"failurePolicy":"Fail","matchConditions":[{"name":"n","expression":"object.none > 3"}])");
  CHECK(fixture.refusal() ==
        "deployments.apps \"web\" is forbidden: expression 'object.none > 3' resulted in error: no such key: none");
}

TEST_CASE("a mutating webhook patches the object, and the next one sees it") {
  Backend first, second;
  Fixture fixture;
  fixture.webhook("mutatingwebhookconfigurations", first.client(), "", "a.example.com");
  fixture.webhook("mutatingwebhookconfigurations", second.client(), "", "b.example.com");
  first.response = concat(R"({"allowed":true,"patchType":"JSONPatch","patch":")",
                          base64Encode(R"([{"op":"add","path":"/metadata/labels/x","value":"1"}])"), "\"}");
  int reformed = 0;
  fixture.request.reform = [&](Value&) { return ++reformed, okStatus(); };
  CHECK(fixture.refusal() == "");
  CHECK(fixture.object["metadata"]["labels"]["x"].asString() == "1");
  CHECK(second.review()->root["request"]["object"]["metadata"]["labels"]["x"].asString() == "1");
  CHECK(reformed == 1);
  CHECK(fixture.request.reinvoke);
}

TEST_CASE("webhooks that ask for it run again when the object has changed since") {
  Backend first, second;
  Fixture fixture;
  fixture.webhook("mutatingwebhookconfigurations", first.client(), R"(,"reinvocationPolicy":"IfNeeded")", "a.example.com");
  fixture.webhook("mutatingwebhookconfigurations", second.client(), "", "b.example.com");
  second.response = concat(R"({"allowed":true,"patchType":"JSONPatch","patch":")",
                           base64Encode(R"([{"op":"add","path":"/metadata/labels/y","value":"1"}])"), "\"}");
  CHECK(fixture.refusal() == "");
  fixture.request.isReinvocation = true;
  CHECK(fixture.refusal() == "");
  CHECK(first.reviews.size() == 2);
  CHECK(second.reviews.size() == 1);
  CHECK(first.review(1)->root["request"]["object"]["metadata"]["labels"]["y"].asString() == "1");
}

TEST_CASE("webhooks with side effects refuse dry runs, and never see admission's own objects") {
  Backend backend;
  Fixture fixture;
  fixture.validating(backend.client(), R"(,"sideEffects":"Some")");
  fixture.request.dryRun = true;
  CHECK(fixture.refusal() == "admission webhook \"w.example.com\" does not support dry run");
  Fixture own;
  own.validating(backend.client(), R"(,"rules":[{"operations":["*"],"apiGroups":["*"],"apiVersions":["*"],"resources":["*/*"]}])");
  own.request.resource = api::findResource("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations");
  CHECK(own.refusal() == "");
  CHECK(backend.reviews.empty());
}

TEST_CASE("a validating policy denies in upstream's words") {
  Fixture fixture;
  fixture.policy(R"j("variables":[{"name":"n","expression":"object.spec.replicas"},{"name":"twice","expression":"variables.n * 2"}],
    "validations":[{"expression":"variables.twice < 6","messageExpression":"'at most 2, not ' + string(variables.n)"}])j");
  Status status = fixture.run();
  REQUIRE(!status.ok());
  CHECK(status.error().message() ==
        "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: at most 2, not 3");
  CHECK(status.error().code() == 422);
  CHECK(status.error().reason() == Reason::Invalid);
  Value& spec = *fixture.object.find("spec");
  spec.set(fixture.arena, "replicas", Value::integer(1));
  CHECK(fixture.refusal() == "");
}

TEST_CASE("policies: reasons, messages, warnings, failures") {
  struct Case {
    std::string_view spec, binding, refusal, warning;
  };
  const std::string_view kDeny = R"("validationActions":["Deny"])";
  const std::string_view kPrefix = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";
  for (const Case& c : std::initializer_list<Case>{
           {R"("validations":[{"expression":"object.spec.replicas > 5"}])", kDeny, "failed expression: object.spec.replicas > 5", ""},
           {R"("validations":[{"expression":"false","message":"plain"}])", kDeny, "plain", ""},
           {R"("validations":[{"expression":"false","message":"plain"}])", R"("validationActions":["Warn"])", "",
            "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': plain"},
           {R"("validations":[{"expression":"object.none == 1"}])", kDeny, "expression 'object.none == 1' resulted in error: no such key: none", ""},
           {R"("failurePolicy":"Ignore","validations":[{"expression":"object.none == 1"}])", kDeny, "", ""},
           {R"("matchConditions":[{"name":"m","expression":"request.operation == 'UPDATE'"}],"validations":[{"expression":"false"}])", kDeny, "", ""},
           {R"("validations":[{"expression":"namespaceObject.metadata.labels.team == 'x'"}])", kDeny, "", ""},
           {R"j("validations":[{"expression":"authorizer.serviceAccount('a', 'robot').group('').resource('secrets').check('get').allowed()"}])j", kDeny, "", ""},
           {R"j("validations":[{"expression":"authorizer.group('').resource('secrets').check('get').allowed()"}])j", kDeny,
            "failed expression: authorizer.group('').resource('secrets').check('get').allowed()", ""},
           {R"("validations":[{"expression":"false"}])", R"("validationActions":["Deny"],"matchResources":{"namespaceSelector":{"matchLabels":{"team":"y"}}})", "", ""}}) {
    CAPTURE(c.spec);
    Fixture fixture;
    fixture.policy(c.spec, c.binding);
    CHECK(fixture.refusal() == (c.refusal.empty() ? "" : concat(kPrefix, c.refusal)));
    CHECK(join(fixture.warnings, "|") == c.warning);
  }
}

TEST_CASE("parameters come from the binding's reference") {
  constexpr std::string_view kSpec = R"j("paramKind":{"apiVersion":"v1","kind":"ConfigMap"},
    "validations":[{"expression":"object.spec.replicas <= int(params.data.max)","messageExpression":"'above ' + params.data.max"}])j";
  Fixture fixture;
  fixture.policy(kSpec, R"("validationActions":["Deny"],"paramRef":{"name":"limits","parameterNotFoundAction":"Deny"})");
  CHECK(fixture.refusal().ends_with("failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"));
  fixture.cluster.add("", "configmaps", R"({"metadata":{"name":"limits","namespace":"a"},"data":{"max":"2"}})");
  CHECK(fixture.refusal().ends_with("denied request: above 2"));
  fixture.cluster.add("", "configmaps", R"({"metadata":{"name":"limits","namespace":"a"},"data":{"max":"3"}})");
  CHECK(fixture.refusal() == "");
}

TEST_CASE("a mutating policy merges what it builds, lists by their keys") {
  Fixture fixture;
  fixture.policy(R"("mutations":[
    {"patchType":"ApplyConfiguration","applyConfiguration":{"expression":
      "Object{metadata: Object.metadata{labels: {'env': 'test'}}, spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'side', image: 'x'}]}}}}"}},
    {"patchType":"JSONPatch","jsonPatch":{"expression":
      "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: object.metadata.labels.env}]"}}])",
                 "", true);
  CHECK(fixture.refusal() == "");
  CHECK(codec::toJsonSorted(fixture.object["metadata"]["labels"]) == R"({"a/b":"test","app":"web","env":"test"})");
  const Value& containers = fixture.object["spec"]["template"]["spec"]["containers"];
  REQUIRE(containers.size() == 2);
  CHECK(containers.at(0)["image"].asString() == "i:1");
  CHECK(containers.at(1)["name"].asString() == "side");
}

TEST_CASE("a mutating policy that fails refuses the request") {
  Fixture fixture;
  fixture.policy(R"("mutations":[{"patchType":"ApplyConfiguration","applyConfiguration":{"expression":"Object{spec: Object.spec{nothing: 1}}"}}])",
                 "", true);
  CHECK(fixture.refusal().starts_with("deployments.apps \"web\" is forbidden: policy 'p' with binding 'b' denied request: "));
}

struct Named : AdmissionPlugin {
  explicit Named(std::string_view text) : text_(text) {}
  std::string_view name() const override { return text_; }
  std::string_view text_;
};

TEST_CASE("dynamic admission stands before the quota") {
  Fixture fixture;
  std::vector<std::unique_ptr<AdmissionPlugin>> plugins;
  plugins.push_back(std::make_unique<Named>("LimitRanger"));
  plugins.push_back(std::make_unique<Named>("ResourceQuota"));
  std::string order;
  for (auto& plugin : withDynamicAdmission(std::move(plugins), fixture.cluster, fixture.authorizer, nullptr))
    order += concat(plugin->name(), " ");
  CHECK(order == "LimitRanger MutatingAdmissionPolicy MutatingAdmissionWebhook ValidatingAdmissionPolicy "
                 "ValidatingAdmissionWebhook ResourceQuota ");
}

}  // namespace
}  // namespace skiff::apiserver
