// Garbage collection, namespaces, endpoints, nodes, quotas, volumes and budgets.
#include <doctest/doctest.h>

#include "base/strings.h"
#include "controllers/daemonset_logic.h"
#include "controllers/endpoint_logic.h"
#include "controllers/node_health.h"
#include "controllers/node_ipam.h"
#include "controllers/quota_usage.h"
#include "controllers/registry.h"
#include "controllers/service_cidr.h"
#include "controllers/taint_eviction.h"
#include "controllers/testing.h"
#include "controllers/volume_match.h"
#include "gen/apps_v1.h"
#include "gen/certificates_v1.h"
#include "gen/policy_v1.h"

namespace skiff::controllers {
namespace {

using api::core::v1::ConfigMap;
using api::core::v1::Namespace;
using api::core::v1::ServiceAccount;
using testing::Cluster;

template <class T>
T fromJson(std::string_view json) {
  auto made = api::fromJson<T>(json);
  MUST(made.ok());
  return std::move(made).value();
}

std::string ownedBy(const ConfigMap& owner, std::string_view name, bool blocks = false) {
  return concat(R"({"metadata":{"namespace":"ns","name":")", name,
                R"(","ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":")", owner.metadata.name,
                R"(","uid":")", owner.metadata.uid, R"(","blockOwnerDeletion":)", blocks ? "true" : "false", "}]}}");
}

bool exists(Cluster& cluster, std::string_view name) { return cluster.client->get<ConfigMap>("ns", name).ok(); }

struct GcRun {
  Cluster cluster;
  std::unique_ptr<Controller> gc = createGarbageCollector(cluster.context);
  ConfigMap owner = cluster.createJson<ConfigMap>(R"({"metadata":{"namespace":"ns","name":"owner"}})");
  void settle() { REQUIRE(cluster.run(*gc).ok()); }
  void remove(std::string_view name, std::string policy) {
    REQUIRE(cluster.client->remove<ConfigMap>("ns", name, {.propagationPolicy = std::move(policy)}).ok());
    settle();
  }
};

TEST_CASE("dependents go with their owner, and theirs with them") {
  GcRun run;
  auto child = run.cluster.createJson<ConfigMap>(ownedBy(run.owner, "child"));
  run.cluster.createJson<ConfigMap>(ownedBy(child, "grandchild"));
  run.settle();
  CHECK(exists(run.cluster, "grandchild"));
  run.remove("owner", "Background");
  CHECK_FALSE(exists(run.cluster, "child"));
  CHECK_FALSE(exists(run.cluster, "grandchild"));
}

TEST_CASE("a dependent of an owner that never was, or is another one of that name, is deleted") {
  GcRun run;
  ConfigMap ghost = run.owner;
  ghost.metadata.uid = "gone";
  run.cluster.createJson<ConfigMap>(ownedBy(ghost, "child"));
  run.settle();
  CHECK_FALSE(exists(run.cluster, "child"));
  CHECK(exists(run.cluster, "owner"));
}

TEST_CASE("an object with another owner that lives only loses the reference") {
  GcRun run;
  auto second = run.cluster.createJson<ConfigMap>(R"({"metadata":{"namespace":"ns","name":"second"}})");
  auto child = fromJson<ConfigMap>(ownedBy(run.owner, "child"));
  child.metadata.ownerReferences.push_back(fromJson<ConfigMap>(ownedBy(second, "x")).metadata.ownerReferences[0]);
  run.cluster.create(child);
  run.settle();
  run.remove("owner", "Background");
  auto left = run.cluster.get<ConfigMap>("child");
  REQUIRE(left.metadata.ownerReferences.size() == 1);
  CHECK(left.metadata.ownerReferences[0].name == "second");
}

TEST_CASE("orphaning keeps the dependents") {
  GcRun run;
  run.cluster.createJson<ConfigMap>(ownedBy(run.owner, "child"));
  run.settle();
  run.remove("owner", "Orphan");
  CHECK_FALSE(exists(run.cluster, "owner"));
  CHECK(run.cluster.get<ConfigMap>("child").metadata.ownerReferences.empty());
}

TEST_CASE("foreground deletion waits for the dependents that block it") {
  GcRun run;
  auto held = fromJson<ConfigMap>(ownedBy(run.owner, "held", true));
  held.metadata.finalizers = {"test/hold"};
  run.cluster.create(held);
  run.settle();
  run.remove("owner", "Foreground");
  CHECK(exists(run.cluster, "owner"));
  held = run.cluster.get<ConfigMap>("held");
  CHECK(held.metadata.deletionTimestamp.has_value());
  held.metadata.finalizers.clear();
  REQUIRE(run.cluster.client->update(held).ok());
  run.settle();
  CHECK_FALSE(exists(run.cluster, "held"));
  CHECK_FALSE(exists(run.cluster, "owner"));
}

TEST_CASE("a terminating namespace is emptied, pods first, and finalized") {
  Cluster cluster;
  auto controller = createNamespaceController(cluster.context);
  cluster.createJson<Namespace>(R"({"metadata":{"name":"ns"},"spec":{"finalizers":["kubernetes"]}})");
  cluster.createJson<Pod>(R"({"metadata":{"namespace":"ns","name":"p","finalizers":["test/hold"]}})");
  cluster.createJson<ConfigMap>(R"({"metadata":{"namespace":"ns","name":"c"}})");
  cluster.createJson<ConfigMap>(R"({"metadata":{"namespace":"other","name":"c"}})");
  REQUIRE(cluster.client->remove<Namespace>({}, "ns").ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK(exists(cluster, "c"));
  auto ns = cluster.get<Namespace>("ns", "");
  CHECK(ns.status.phase == "Terminating");
  CHECK(findCondition(ns.status.conditions, "NamespaceContentRemaining")->message ==
        "Some resources are remaining: pods. has 1 resource instances");
  CHECK(findCondition(ns.status.conditions, "NamespaceFinalizersRemaining")->message ==
        "Some content in the namespace has finalizers remaining: test/hold in 1 resource instances");
  auto pod = cluster.get<Pod>("p");
  pod.metadata.finalizers.clear();
  REQUIRE(cluster.client->update(pod).ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK_FALSE(exists(cluster, "c"));
  CHECK(cluster.client->get<ConfigMap>("other", "c").ok());
  CHECK(cluster.client->get<Namespace>({}, "ns").failedWith(Reason::NotFound));
}

TEST_CASE("each namespace gets its service account and the root certificate, again when deleted") {
  Cluster cluster;
  cluster.options.rootCaPem = "PEM";
  auto accounts = createServiceAccountController(cluster.context);
  auto publisher = createRootCaPublisher(cluster.context);
  cluster.createJson<Namespace>(R"({"metadata":{"name":"ns"}})");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(cluster.run(*accounts).ok());
    REQUIRE(cluster.run(*publisher).ok());
    CHECK(cluster.client->get<ServiceAccount>("ns", "default").ok());
    CHECK(cluster.get<ConfigMap>("kube-root-ca.crt").data.at("ca.crt") == "PEM");
    REQUIRE(cluster.client->remove<ServiceAccount>("ns", "default").ok());
    REQUIRE(cluster.client->remove<ConfigMap>("ns", "kube-root-ca.crt").ok());
  }
}

PodPtr endpointPod(int i, bool ready = true) {
  auto pod = std::make_shared<Pod>(fromJson<Pod>(
      concat(R"({"metadata":{"namespace":"ns","name":"p)", i, R"(","uid":"u)", i,
             R"(","labels":{"a":"b"}},"spec":{"nodeName":"n","containers":[{"name":"c","ports":[{"name":"web","protocol":"TCP","containerPort":80)",
             i % 2, R"(}]}]},"status":{"phase":"Running","podIP":"10.0.)", i / 250, ".", i % 250, R"("}})")));
  setCondition(pod->status.conditions, "Ready", ready ? "True" : "False", "", "", WallTime{});
  return pod;
}

Service webService() {
  return fromJson<Service>(R"({"metadata":{"namespace":"ns","name":"s"},"spec":{"clusterIP":"10.96.0.9",
    "ipFamilies":["IPv4"],"selector":{"a":"b"},"ports":[{"name":"h","protocol":"TCP","port":80,"targetPort":"web"}]}})");
}

TEST_CASE("endpoints are grouped by ports and spread over slices of bounded size") {
  std::vector<PodPtr> pods;
  for (int i = 0; i < 250; ++i) pods.push_back(endpointPod(i, i != 3));
  auto node = std::make_shared<const Node>(fromJson<Node>(R"({"metadata":{"name":"n","labels":{"topology.kubernetes.io/zone":"z"}}})"));
  auto groups = desiredGroups(webService(), pods, [&](const std::string&) { return node; }, "IPv4");
  REQUIRE(groups.size() == 2);  // the named port has two numbers
  CHECK(groups[0].endpoints[0].zone == "z");
  api::meta::v1::ObjectMeta meta;
  auto changes = planSlices({}, groups, meta, "IPv4", 100);
  CHECK(changes.create.size() == 4);
  std::vector<std::shared_ptr<const EndpointSlice>> existing;
  size_t ready = 0;
  for (auto& slice : changes.create) {
    CHECK(slice.endpoints.size() <= 100);
    for (const auto& endpoint : slice.endpoints) ready += *endpoint.conditions.ready;
    existing.push_back(std::make_shared<const EndpointSlice>(slice));
  }
  CHECK(ready == 249);
  CHECK(planSlices(existing, groups, meta, "IPv4", 100).empty());
  // One pod less touches one slice only.
  pods.erase(pods.begin());
  groups = desiredGroups(webService(), pods, [&](const std::string&) { return node; }, "IPv4");
  changes = planSlices(existing, groups, meta, "IPv4", 100);
  CHECK(changes.update.size() == 1);
  CHECK(changes.create.empty());
  CHECK(changes.remove.empty());
}

TEST_CASE("a service without pods keeps one empty slice") {
  auto changes = planSlices({}, {}, {}, "IPv4", 100);
  REQUIRE(changes.create.size() == 1);
  CHECK(changes.create[0].endpoints.empty());
  CHECK(planSlices({std::make_shared<const EndpointSlice>(changes.create[0])}, {}, {}, "IPv4", 100).empty());
}

TEST_CASE("terminating pods serve on, but are not ready") {
  Pod pod = *endpointPod(1);
  pod.metadata.deletionTimestamp = api::Time{WallTime(seconds(1))};
  auto endpoint = endpointOf(webService(), pod, nullptr, "IPv4");
  CHECK(endpoint.conditions.ready == false);
  CHECK(endpoint.conditions.serving == true);
  CHECK(endpoint.conditions.terminating == true);
  Service service = webService();
  service.spec.publishNotReadyAddresses = true;
  CHECK(endpointOf(service, pod, nullptr, "IPv4").conditions.ready == true);
  CHECK_FALSE(shouldBeEndpoint(pod, Terminating::Exclude));
  pod.status.phase = "Failed";
  CHECK_FALSE(shouldBeEndpoint(pod, Terminating::Include));
}

TEST_CASE("the taints of a node follow its conditions and leave others alone") {
  WallTime now(seconds(1000));
  auto node = fromJson<Node>(R"({"metadata":{"name":"n"},"spec":{"unschedulable":true,"taints":[{"key":"mine","effect":"NoSchedule"}]},
    "status":{"conditions":[{"type":"Ready","status":"True"},{"type":"MemoryPressure","status":"True"}]}})");
  CHECK(reconcileTaints(node, now));
  std::set<std::string> keys;
  for (const auto& taint : node.spec.taints) keys.insert(taint.key + ":" + taint.effect);
  CHECK(keys == std::set<std::string>{"mine:NoSchedule", "node.kubernetes.io/memory-pressure:NoSchedule",
                                      "node.kubernetes.io/unschedulable:NoSchedule"});
  CHECK(markUnknown(node, now));
  CHECK(reconcileTaints(node, now));
  CHECK(noExecuteTaints(node.spec.taints).at(0).key == "node.kubernetes.io/unreachable");
  CHECK_FALSE(markUnknown(node, now));
  CHECK_FALSE(reconcileTaints(node, now));
}

TEST_CASE("a silent node becomes unknown, its pods unready, and it recovers") {
  Cluster cluster;
  auto controller = createNodeLifecycleController(cluster.context);
  auto node = cluster.createJson<Node>(R"({"metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"True"}]}})");
  auto pod = cluster.createJson<Pod>(R"({"metadata":{"namespace":"ns","name":"p"},"spec":{"nodeName":"n"}})");
  cluster.setPods("Running");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<Node>("n", "").spec.taints.empty());
  cluster.clock.advance(seconds(41));
  controller->queue().add("n");
  REQUIRE(cluster.run(*controller).ok());
  node = cluster.get<Node>("n", "");
  CHECK(conditionIs(node.status.conditions, "Ready", "Unknown"));
  CHECK(noExecuteTaints(node.spec.taints).size() == 1);
  CHECK_FALSE(isReady(cluster.get<Pod>("p")));
  node.status.conditions[0].status = "True";
  node.status.conditions[0].lastHeartbeatTime = {cluster.clock.now()};
  REQUIRE(cluster.client->updateStatus(node).ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK(noExecuteTaints(cluster.get<Node>("n", "").spec.taints).empty());
}

TEST_CASE("a pod certificate request is kept for a quarter of an hour") {
  using api::certificates::v1::PodCertificateRequest;
  Cluster cluster;
  auto controller = createPodCertificateCleaner(cluster.context);
  cluster.createJson<PodCertificateRequest>(R"({"metadata":{"namespace":"ns","name":"r"}})");
  cluster.clock.advance(std::chrono::minutes(14));
  controller->queue().add("ns/r");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.client->get<PodCertificateRequest>("ns", "r").ok());
  cluster.clock.advance(std::chrono::minutes(1));
  controller->queue().add("ns/r");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.client->get<PodCertificateRequest>("ns", "r").failedWith(Reason::NotFound));
}

TEST_CASE("how long a pod stays with a NoExecute taint") {
  auto taints = std::vector<Taint>{fromJson<Node>(R"({"spec":{"taints":[{"key":"k","value":"v","effect":"NoExecute"}]}})").spec.taints};
  auto stay = [&](std::string_view tolerations) {
    auto pod = fromJson<Pod>(concat(R"({"spec":{"tolerations":)", tolerations, "}}"));
    return stayOf(pod.spec.tolerations, taints);
  };
  CHECK(stay("[]").kind == Stay::Kind::Leave);
  CHECK(stay(R"([{"key":"k","operator":"Equal","value":"v"}])").kind == Stay::Kind::Forever);
  CHECK(stay(R"([{"key":"k","operator":"Equal","value":"w"}])").kind == Stay::Kind::Leave);
  CHECK(stay(R"([{"operator":"Exists","effect":"NoSchedule"}])").kind == Stay::Kind::Leave);
  auto limited = stay(R"([{"operator":"Exists","tolerationSeconds":20},{"key":"k","operator":"Exists","tolerationSeconds":5}])");
  CHECK(limited.kind == Stay::Kind::Limited);
  CHECK(limited.time == seconds(5));
}

TEST_CASE("a pod that tolerates for a while is evicted then, and stays if the taint goes before") {
  Cluster cluster;
  auto controller = createTaintEvictionController(cluster.context);
  cluster.createJson<Node>(R"({"metadata":{"name":"n"},"spec":{"taints":[{"key":"k","effect":"NoExecute"}]}})");
  cluster.createJson<Pod>(R"({"metadata":{"namespace":"ns","name":"p"},"spec":{"nodeName":"n",
    "tolerations":[{"operator":"Exists","tolerationSeconds":10}]}})");
  REQUIRE(cluster.run(*controller).ok());
  cluster.clock.advance(seconds(6));
  auto node = cluster.get<Node>("n", "");
  auto taints = std::exchange(node.spec.taints, {});
  node = *cluster.client->update(node);
  REQUIRE(cluster.run(*controller).ok());
  node.spec.taints = taints;
  REQUIRE(cluster.client->update(node).ok());
  REQUIRE(cluster.run(*controller).ok());
  cluster.clock.advance(seconds(6));
  controller->queue().add("ns/p");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.client->get<Pod>("ns", "p").ok());
  cluster.clock.advance(seconds(6));
  controller->queue().add("ns/p");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.client->get<Pod>("ns", "p").failedWith(Reason::NotFound));
}

TEST_CASE("blocks of pod addresses are given once and come back") {
  auto blocks = CidrBlocks::parse("10.244.0.0/22", 24);
  REQUIRE(blocks);
  blocks->occupy("10.244.1.0/24");
  CHECK(blocks->take() == "10.244.0.0/24");
  CHECK(blocks->take() == "10.244.2.0/24");
  CHECK(blocks->take() == "10.244.3.0/24");
  CHECK(blocks->take() == std::nullopt);
  blocks->release("10.244.1.0/24");
  CHECK(blocks->take() == "10.244.1.0/24");
  CHECK_FALSE(CidrBlocks::parse("10.244.0.0/26", 24));
  CHECK_FALSE(CidrBlocks::parse("nonsense", 24));
  CHECK(cidrContains("10.96.0.0/12", "10.111.255.1"));
  CHECK_FALSE(cidrContains("10.96.0.0/12", "10.112.0.1"));
  CHECK(cidrContains("fd00::/112", "fd00::1"));
  CHECK_FALSE(cidrContains("fd00::/112", "10.0.0.1"));
}

TEST_CASE("what pods use: sidecars beside, init containers before, finished pods nothing") {
  auto pod = fromJson<Pod>(R"({"metadata":{"name":"p"},"spec":{"overhead":{"cpu":"5m"},
    "initContainers":[{"name":"i","resources":{"requests":{"cpu":"500m"}}},
      {"name":"s","restartPolicy":"Always","resources":{"requests":{"cpu":"50m"}}}],
    "containers":[{"name":"a","resources":{"requests":{"cpu":"100m","example.com/gpu":"2"},"limits":{"memory":"1Gi","example.com/gpu":"2"}}},
      {"name":"b","resources":{"requests":{"cpu":"200m"}}}]}})");
  auto usage = usageOf(pod, WallTime{});
  CHECK(usage.at("requests.cpu").str() == "505m");
  CHECK(usage.at("cpu").str() == "505m");
  CHECK(usage.at("limits.memory").str() == "1Gi");
  CHECK(usage.at("requests.example.com/gpu").str() == "2");
  CHECK_FALSE(usage.contains("limits.example.com/gpu"));
  pod.status.phase = "Succeeded";
  usage = usageOf(pod, WallTime{});
  CHECK(usage.size() == 1);
  CHECK(usage.contains("count/pods"));
  auto quota = fromJson<ResourceQuota>(R"({"spec":{"scopes":["NotTerminating"],"scopeSelector":{"matchExpressions":[
    {"scopeName":"PriorityClass","operator":"In","values":["high"]}]}}})");
  CHECK_FALSE(inScope(quota, pod));
  pod.spec.priorityClassName = "high";
  CHECK(inScope(quota, pod));
  pod.spec.activeDeadlineSeconds = 5;
  CHECK_FALSE(inScope(quota, pod));
}

TEST_CASE("the used numbers of a quota follow what is there") {
  Cluster cluster;
  auto controller = createResourceQuotaController(cluster.context);
  cluster.createJson<ConfigMap>(R"({"metadata":{"namespace":"ns","name":"c"}})");
  cluster.createJson<Service>(R"({"metadata":{"namespace":"ns","name":"s"},"spec":{"type":"NodePort","ports":[{"port":1},{"port":2}]}})");
  cluster.createJson<ResourceQuota>(R"({"metadata":{"namespace":"ns","name":"q"},"spec":{"hard":{"configmaps":"3",
    "services.nodeports":"5","count/deployments.apps":"1","pods":"2"}}})");
  REQUIRE(cluster.run(*controller).ok());
  auto used = cluster.get<ResourceQuota>("q").status.used;
  CHECK(used.at("configmaps").value() == 1);
  CHECK(used.at("services.nodeports").value() == 2);
  CHECK(used.at("count/deployments.apps").value() == 0);
  REQUIRE(cluster.client->remove<ConfigMap>("ns", "c").ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<ResourceQuota>("q").status.used.at("configmaps").value() == 0);
}

TEST_CASE("a claim takes the smallest volume that suits") {
  auto volume = [](std::string_view name, std::string_view size, std::string_view rest = "") {
    return std::make_shared<const PersistentVolume>(fromJson<PersistentVolume>(
        concat(R"({"metadata":{"name":")", name, R"("},"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":")", size,
               R"("})", rest, R"(},"status":{"phase":"Available"}})")));
  };
  auto claim = fromJson<PersistentVolumeClaim>(R"({"metadata":{"namespace":"ns","name":"c","uid":"u"},"spec":{
    "accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"2Gi"}}}})");
  std::vector<VolumePtr> volumes{volume("small", "1Gi"), volume("big", "9Gi"), volume("fits", "3Gi"),
                                 volume("classy", "2Gi", R"(,"storageClassName":"fast")")};
  CHECK(findVolume(volumes, claim)->metadata.name == "fits");
  volumes.push_back(volume("reserved", "5Gi", R"(,"claimRef":{"namespace":"ns","name":"c"})"));
  CHECK(findVolume(volumes, claim)->metadata.name == "reserved");
  volumes.push_back(volume("others", "2Gi", R"(,"claimRef":{"namespace":"ns","name":"d"})"));
  claim.metadata.name = "e";
  CHECK(findVolume(volumes, claim)->metadata.name == "fits");
  claim.spec.accessModes = {"ReadWriteMany"};
  CHECK(findVolume(volumes, claim) == nullptr);
}

TEST_CASE("a daemon runs where labels and taints allow") {
  auto ds = fromJson<DaemonSet>(R"({"metadata":{"namespace":"ns","name":"d"},"spec":{"template":{"spec":{"nodeSelector":{"disk":"ssd"}}}}})");
  auto node = fromJson<Node>(R"({"metadata":{"name":"n","labels":{"disk":"ssd"}},"spec":{"taints":[
    {"key":"node.kubernetes.io/unschedulable","effect":"NoSchedule"},{"key":"node.kubernetes.io/not-ready","effect":"NoExecute"}]}})");
  CHECK(judgeNode(ds, node).shouldRun);
  node.spec.taints.push_back(fromJson<Node>(R"({"spec":{"taints":[{"key":"x","effect":"NoSchedule"}]}})").spec.taints[0]);
  CHECK_FALSE(judgeNode(ds, node).shouldRun);
  CHECK(judgeNode(ds, node).shouldContinue);
  node.metadata.labels["disk"] = "hdd";
  CHECK_FALSE(judgeNode(ds, node).shouldContinue);
  CHECK(targetNode(daemonPod(ds, "n", "h")) == "n");
}

TEST_CASE("a daemon set puts a pod on each node and rolls out node by node") {
  Cluster cluster;
  auto controller = createDaemonSetController(cluster.context);
  for (std::string name : {"a", "b", "c"})
    cluster.createJson<Node>(concat(R"({"metadata":{"name":")", name, R"("}})"));
  cluster.createJson<DaemonSet>(R"({"metadata":{"namespace":"ns","name":"d"},"spec":{"selector":{"matchLabels":{"a":"d"}},
    "updateStrategy":{"type":"RollingUpdate"},"template":{"metadata":{"labels":{"a":"d"}},"spec":{"containers":[{"name":"c","image":"one"}]}}}})");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.list<Pod>().size() == 3);
  cluster.setPods("Running");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<DaemonSet>("d").status.numberAvailable == 3);
  auto ds = cluster.get<DaemonSet>("d");
  ds.spec.template_.spec.containers[0].image = "two";
  REQUIRE(cluster.client->update(ds).ok());
  REQUIRE(cluster.run(*controller).ok());
  auto updated = [&] {
    int count = 0;
    for (const Pod& pod : cluster.list<Pod>()) count += pod.spec.containers[0].image == "two";
    return count;
  };
  CHECK(updated() == 1);  // its successor is not ready yet
  for (int i = 0; i < 4; ++i) {
    cluster.setPods("Running");
    REQUIRE(cluster.run(*controller).ok());
  }
  CHECK(updated() == 3);
  CHECK(cluster.get<DaemonSet>("d").status.updatedNumberScheduled == 3);
}

TEST_CASE("a disruption budget allows what is healthy beyond what is wanted") {
  using api::policy::v1::PodDisruptionBudget;
  Cluster cluster;
  auto controller = createDisruptionController(cluster.context);
  for (std::string name : {"a", "b", "c"})
    cluster.createJson<Pod>(concat(R"({"metadata":{"namespace":"ns","name":")", name, R"(","labels":{"app":"x"}}})"));
  cluster.createJson<PodDisruptionBudget>(R"({"metadata":{"namespace":"ns","name":"b"},"spec":{"minAvailable":2,
    "selector":{"matchLabels":{"app":"x"}}}})");
  REQUIRE(cluster.run(*controller).ok());
  auto pdb = cluster.get<PodDisruptionBudget>("b");
  CHECK(pdb.status.expectedPods == 3);
  CHECK(pdb.status.disruptionsAllowed == 0);
  CHECK(findCondition(pdb.status.conditions, "DisruptionAllowed")->reason == "InsufficientPods");
  cluster.setPods("Running");
  REQUIRE(cluster.run(*controller).ok());
  pdb = cluster.get<PodDisruptionBudget>("b");
  CHECK(pdb.status.disruptionsAllowed == 1);
  CHECK(pdb.status.desiredHealthy == 2);
  CHECK(findCondition(pdb.status.conditions, "DisruptionAllowed")->reason == "SufficientPods");
}

}  // namespace
}  // namespace skiff::controllers
