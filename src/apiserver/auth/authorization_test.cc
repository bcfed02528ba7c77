#include <doctest/doctest.h>

#include "apiserver/auth/fake_cluster.h"
#include "apiserver/auth/policy_reconcile.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/security.h"

namespace skiff::apiserver {
namespace {

void addBootstrap(FakeCluster& cluster) {
  for (const std::string& json : bootstrapObjects({}, "127.0.0.1", 6443)) {
    auto document = codec::parseJsonDocument(json);
    REQUIRE(document.ok());
    std::string_view kind = (*document)->root["kind"].asString();
    std::string_view group = cut((*document)->root["apiVersion"].asString(), "/")
                                 .value_or(std::pair<std::string_view, std::string_view>{}).first;
    cluster.add(group, toLower(kind) + "s", json);
  }
}

Decision ask(Authorizer& authorizer, const UserInfo& user, std::string_view verb,
             std::string_view group, std::string_view resource, std::string_view ns,
             std::string_view name = "", std::string_view subresource = "") {
  RequestInfo info{.isResource = true};
  info.verb = verb;
  info.group = group;
  info.resource = resource;
  info.ns = ns;
  info.name = name;
  info.subresource = subresource;
  return authorizer.authorize(user, info).decision;
}

TEST_CASE("a new cluster's roles allow what they should and no more") {
  FakeCluster cluster;
  addBootstrap(cluster);
  auto authorizer = makeAuthorizer({}, cluster);
  UserInfo master{.name = "admin", .groups = {"system:masters"}};
  UserInfo scheduler{.name = "system:kube-scheduler", .groups = {"system:authenticated"}};
  UserInfo nobody{.name = "nobody", .groups = {"system:authenticated"}};
  CHECK(ask(*authorizer, master, "delete", "", "secrets", "a") == Decision::Allow);
  CHECK(ask(*authorizer, scheduler, "create", "", "pods", "a", "p", "binding") == Decision::Allow);
  CHECK(ask(*authorizer, scheduler, "get", "", "secrets", "a", "s") == Decision::NoOpinion);
  CHECK(ask(*authorizer, nobody, "list", "", "pods", "a") == Decision::NoOpinion);
  CHECK(authorizer->authorize(nobody, {.path = "/version", .verb = "get"}).decision == Decision::Allow);
  CHECK(authorizer->authorize(nobody, {.path = "/metrics", .verb = "get"}).decision ==
        Decision::NoOpinion);
}

TEST_CASE("aggregated roles hold what their selectors choose, bindings are confined to their namespace") {
  FakeCluster cluster;
  addBootstrap(cluster);
  cluster.add("rbac.authorization.k8s.io", "rolebindings", R"({"metadata":{"namespace":"a","name":"b"},
    "roleRef":{"kind":"ClusterRole","name":"admin"},"subjects":[{"kind":"User","name":"ann"}]})");
  auto authorizer = makeAuthorizer({}, cluster);
  UserInfo ann{.name = "ann", .groups = {"system:authenticated"}};
  CHECK(ask(*authorizer, ann, "list", "", "pods", "a") == Decision::Allow);        // from view
  CHECK(ask(*authorizer, ann, "create", "apps", "deployments", "a") == Decision::Allow);  // from edit
  CHECK(ask(*authorizer, ann, "list", "", "pods", "b") == Decision::NoOpinion);
  CHECK(ask(*authorizer, ann, "list", "", "nodes", "") == Decision::NoOpinion);
  // Taken back: the index follows.
  cluster.remove("rbac.authorization.k8s.io", "rolebindings", "a/b");
  CHECK(ask(*authorizer, ann, "list", "", "pods", "a") == Decision::NoOpinion);
}

TEST_CASE("a node reads what its pods need") {
  FakeCluster cluster;
  cluster.add("", "pods", R"({"metadata":{"namespace":"a","name":"p"},"spec":{"nodeName":"n1",
    "serviceAccountName":"sa","volumes":[{"name":"v","secret":{"secretName":"s"}}],
    "containers":[{"name":"c","envFrom":[{"configMapRef":{"name":"cm"}}]}]}})");
  auto authorizer = makeAuthorizer({}, cluster);
  UserInfo n1{.name = "system:node:n1", .groups = {"system:nodes"}};
  UserInfo n2{.name = "system:node:n2", .groups = {"system:nodes"}};
  CHECK(ask(*authorizer, n1, "get", "", "secrets", "a", "s") == Decision::Allow);
  CHECK(ask(*authorizer, n2, "get", "", "secrets", "a", "s") == Decision::NoOpinion);
  CHECK(ask(*authorizer, n1, "get", "", "secrets", "a", "other") == Decision::NoOpinion);
  CHECK(ask(*authorizer, n1, "list", "", "secrets", "a") == Decision::NoOpinion);
  CHECK(ask(*authorizer, n1, "watch", "", "configmaps", "a", "cm") == Decision::Allow);
  CHECK(ask(*authorizer, n1, "create", "", "serviceaccounts", "a", "sa", "token") == Decision::Allow);
  CHECK(ask(*authorizer, n1, "get", "", "serviceaccounts", "a", "sa") == Decision::Allow);
  CHECK(ask(*authorizer, n2, "get", "", "serviceaccounts", "a", "sa") == Decision::NoOpinion);
  cluster.add("certificates.k8s.io", "podcertificaterequests", R"({"metadata":{"namespace":"a","name":"r"},"spec":{"nodeName":"n1"}})");
  auto requests = [&](const UserInfo& node, std::string_view verb, std::string_view name = "") {
    return ask(*authorizer, node, verb, "certificates.k8s.io", "podcertificaterequests", "a", name);
  };
  CHECK(requests(n1, "create") == Decision::Allow);
  CHECK(requests(n1, "get", "r") == Decision::Allow);
  CHECK(requests(n2, "get", "r") == Decision::NoOpinion);
  CHECK(requests(n1, "list") == Decision::NoOpinion);
  CHECK(requests(n1, "update", "r") == Decision::NoOpinion);
  CHECK(ask(*authorizer, n1, "update", "", "nodes", "", "n1", "status") == Decision::Allow);
  CHECK(ask(*authorizer, n1, "update", "", "nodes", "", "n2", "status") == Decision::NoOpinion);
  CHECK(ask(*authorizer, n1, "update", "coordination.k8s.io", "leases", "kube-node-lease", "n1") ==
        Decision::Allow);
}

TEST_CASE("coverage of rules") {
  rbac::Rules owned{{.verbs = {"get"}, .apiGroups = {""}, .resources = {"pods", "*/scale"}}};
  rbac::Rules asked{{.verbs = {"get", "list"}, .apiGroups = {""}, .resources = {"pods", "secrets"}}};
  rbac::Rules missing = rbac::uncovered(owned, asked);
  REQUIRE(missing.size() == 2);
  CHECK(missing[0].str() == R"({APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]})");
  CHECK(missing[1].str() == R"({APIGroups:[""], Resources:["pods"], Verbs:["list"]})");
  CHECK(rbac::uncovered(owned, {{.verbs = {"get"}, .apiGroups = {""}, .resources = {"x/scale"}}}).empty());
}

TEST_CASE("roles and bindings of the cluster get what they lack, and keep what was added") {
  codec::Arena arena;
  auto reconciled = [&](std::string_view live, std::string_view wanted) {
    codec::Value tree = *codec::parseJson(live, arena);
    bool changed = addMissingPolicy(tree, *codec::parseJson(wanted, arena), arena);
    return changed ? codec::toJson(tree) : std::string();
  };
  constexpr std::string_view kWanted = R"({"metadata":{"name":"r","labels":{"a":"1"}},"rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}]})";
  CHECK(reconciled(R"({"metadata":{"name":"r","labels":{"a":"2"}},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]})", kWanted) == "");
  CHECK(reconciled(R"({"metadata":{"name":"r"},"rules":[{"verbs":["get","delete"],"apiGroups":[""],"resources":["pods"]}]})", kWanted) ==
        R"({"metadata":{"name":"r","labels":{"a":"1"}},"rules":[{"verbs":["get","delete"],"apiGroups":[""],"resources":["pods"]},)"
        R"({"verbs":["list"],"apiGroups":[""],"resources":["pods"]}]})");
  CHECK(reconciled(R"({"metadata":{"name":"r","annotations":{"rbac.authorization.kubernetes.io/autoupdate":"false"}}})", kWanted) == "");
  constexpr std::string_view kBinding = R"({"roleRef":{"kind":"ClusterRole","name":"r"},"subjects":[{"kind":"User","name":"u"}]})";
  CHECK(reconciled(kBinding, kBinding) == "");
  CHECK(reconciled(R"({"roleRef":{"kind":"ClusterRole","name":"r"},"subjects":[{"kind":"Group","name":"u"}]})", kBinding) ==
        R"({"roleRef":{"kind":"ClusterRole","name":"r"},"subjects":[{"kind":"Group","name":"u"},{"kind":"User","name":"u"}]})");
}

}  // namespace
}  // namespace skiff::apiserver
