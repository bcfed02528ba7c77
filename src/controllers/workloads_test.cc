// The workload controllers against a cluster of straw.
#include <doctest/doctest.h>

#include "controllers/deployment_logic.h"
#include "controllers/job_logic.h"
#include "controllers/registry.h"
#include "controllers/replicaset_logic.h"
#include "controllers/statefulset_logic.h"
#include "base/strings.h"
#include "controllers/testing.h"

namespace skiff::controllers {
namespace {

using testing::Cluster;

constexpr std::string_view kReplicaSet = R"({"metadata":{"namespace":"ns","name":"web"},"spec":{"replicas":3,
  "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
  "spec":{"containers":[{"name":"c","image":"x"}]}}}})";

bool contains(const std::vector<std::string>& events, std::string_view text) {
  return std::any_of(events.begin(), events.end(), [&](const auto& e) { return e.find(text) != std::string::npos; });
}

TEST_CASE("a replica set makes its pods, replaces lost ones and deletes surplus ones") {
  Cluster cluster;
  auto controller = createReplicaSetController(cluster.context);
  cluster.createJson<ReplicaSet>(kReplicaSet);
  REQUIRE(cluster.run(*controller).ok());
  auto pods = cluster.list<Pod>();
  REQUIRE(pods.size() == 3);
  CHECK(pods[0].metadata.ownerReferences.at(0).name == "web");
  CHECK(contains(cluster.recorder.events, "Normal SuccessfulCreate Created pod: web-x"));
  CHECK(cluster.get<ReplicaSet>("web").status.replicas == 3);

  REQUIRE(cluster.client->remove<Pod>("ns", pods[0].metadata.name).ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.list<Pod>().size() == 3);

  cluster.setPods("Running");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<ReplicaSet>("web").status.readyReplicas == 3);
  auto rs = cluster.get<ReplicaSet>("web");
  rs.spec.replicas = 1;
  REQUIRE(cluster.client->update(rs).ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.list<Pod>().size() == 1);
  CHECK(cluster.get<ReplicaSet>("web").status.observedGeneration == 2);
}

TEST_CASE("a replica set with a stale cache does not create twice") {
  Cluster cluster;
  auto controller = createReplicaSetController(cluster.context);
  auto rs = cluster.createJson<ReplicaSet>(kReplicaSet);
  cluster.informers.pause();
  REQUIRE(cluster.run(*controller).ok());
  controller->queue().add("ns/web");
  // Its status goes by the stale cache too, so the write is refused; no pod may come of it.
  CHECK(cluster.run(*controller).failedWith(Reason::Conflict));
  CHECK(cluster.list<Pod>().size() == 3);
  cluster.informers.resume();
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.list<Pod>().size() == 3);
}

TEST_CASE("a replica set adopts matching orphans, releases what matches no longer and leaves others' pods alone") {
  Cluster cluster;
  auto controller = createReplicaSetController(cluster.context);
  cluster.createJson<Pod>(R"({"metadata":{"namespace":"ns","name":"orphan","labels":{"app":"web"}}})");
  cluster.createJson<Pod>(R"({"metadata":{"namespace":"ns","name":"other","labels":{"app":"web"},
    "ownerReferences":[{"apiVersion":"v1","kind":"X","name":"x","uid":"foreign","controller":true}]}})");
  cluster.createJson<ReplicaSet>(kReplicaSet);
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<Pod>("orphan").metadata.ownerReferences.size() == 1);
  CHECK(cluster.get<Pod>("other").metadata.ownerReferences.at(0).uid == "foreign");
  CHECK(cluster.list<Pod>().size() == 4);
  auto orphan = cluster.get<Pod>("orphan");
  orphan.metadata.labels["app"] = "changed";
  REQUIRE(cluster.client->update(orphan).ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<Pod>("orphan").metadata.ownerReferences.empty());
  CHECK(cluster.list<Pod>().size() == 5);
}

TEST_CASE("a replica set that may not create says so, and clears it later") {
  Cluster cluster;
  auto controller = createReplicaSetController(cluster.context);
  cluster.api->refuseCreates("pods", Error(Reason::Forbidden, "exceeded quota"));
  cluster.createJson<ReplicaSet>(kReplicaSet);
  CHECK(cluster.run(*controller).failedWith(Reason::Forbidden));
  auto rs = cluster.get<ReplicaSet>("web");
  REQUIRE(rs.status.conditions.size() == 1);
  CHECK(rs.status.conditions[0].reason == "FailedCreate");
  CHECK(contains(cluster.recorder.events, "Warning FailedCreate Error creating: exceeded quota"));
  cluster.api->refuseCreates("pods", std::nullopt);
  controller->queue().add("ns/web");
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<ReplicaSet>("web").status.conditions.empty());
}

TEST_CASE("pods that do least good are deleted first") {
  auto pod = [](std::string name, std::string node, std::string phase, bool ready, std::string cost) {
    auto out = std::make_shared<Pod>();
    out->metadata.name = std::move(name);
    out->spec.nodeName = std::move(node);
    out->status.phase = std::move(phase);
    if (!cost.empty()) out->metadata.annotations["controller.kubernetes.io/pod-deletion-cost"] = std::move(cost);
    setCondition(out->status.conditions, "Ready", ready ? "True" : "False", "", "", WallTime{});
    return out;
  };
  std::vector<PodPtr> pods{pod("ready", "n", "Running", true, ""), pod("cheap", "n", "Running", true, "-5"),
                           pod("unready", "n", "Running", false, ""), pod("pending", "n", "Pending", false, ""),
                           pod("unbound", "", "Pending", false, "")};
  std::string order;
  for (size_t count = 1; count <= 4; ++count) order += podsToDelete(pods, count, {}).back()->metadata.name + " ";
  CHECK(order == "unbound pending unready cheap ");
}

ReplicaSetPtr replicaSet(std::string name, int32_t spec, int32_t available, int created = 0) {
  auto rs = std::make_shared<ReplicaSet>();
  rs->metadata.name = std::move(name);
  rs->metadata.creationTimestamp.value = WallTime(seconds(created));
  rs->spec.replicas = spec;
  rs->status.replicas = spec;
  rs->status.availableReplicas = available;
  return rs;
}

Deployment deployment(int32_t replicas, std::string surge, std::string unavailable) {
  Deployment d;
  d.spec.replicas = replicas;
  d.spec.strategy.type = "RollingUpdate";
  auto value = [](const std::string& text) {
    return text.ends_with("%") ? api::IntOrString::of(text) : api::IntOrString::of(std::stoi(text));
  };
  d.spec.strategy.rollingUpdate.emplace().maxSurge = value(surge);
  d.spec.strategy.rollingUpdate->maxUnavailable = value(unavailable);
  return d;
}

TEST_CASE("surge is rounded up, unavailability down, and never are both nothing") {
  auto posts = fenceposts(deployment(10, "25%", "25%"));
  CHECK(posts.surge == 3);
  CHECK(posts.unavailable == 2);
  posts = fenceposts(deployment(1, "0%", "1%"));
  CHECK(posts.surge == 0);
  CHECK(posts.unavailable == 1);
}

TEST_CASE("a rollout keeps within surge and availability") {
  Deployment d = deployment(10, "2", "2");
  auto oldSet = replicaSet("old", 10, 10), newSet = replicaSet("new", 0, 0, 1);
  CHECK(newReplicaSetSize(d, {oldSet, newSet}, *newSet) == 2);
  newSet = replicaSet("new", 2, 0, 1);
  auto steps = scaleDownOld(d, {oldSet, newSet}, {oldSet}, *newSet);
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].to == 8);
  // Eight available, none to spare: nothing may go until the new ones are there.
  oldSet = replicaSet("old", 8, 8);
  newSet = replicaSet("new", 4, 0, 1);
  CHECK(scaleDownOld(d, {oldSet, newSet}, {oldSet}, *newSet).empty());
  // Old pods that do not work go at once.
  oldSet = replicaSet("old", 8, 3);
  newSet = replicaSet("new", 4, 4, 1);
  steps = scaleDownOld(d, {oldSet, newSet}, {oldSet}, *newSet);
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].to == 4);
}

TEST_CASE("scaling in the middle of a rollout is proportional") {
  Deployment d = deployment(15, "3", "2");
  auto sized = [](std::string name, int32_t replicas, int created) {
    auto rs = std::make_shared<ReplicaSet>(*replicaSet(std::move(name), replicas, replicas, created));
    rs->metadata.annotations[std::string(kMaxReplicas)] = "13";
    rs->metadata.annotations[std::string(kDesiredReplicas)] = "10";
    return rs;
  };
  ReplicaSets sets{sized("old", 8, 0), sized("new", 5, 1)};
  CHECK(isScalingEvent(d, sets));
  auto steps = proportionalScale(d, sets);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].to + steps[1].to == 18);
  CHECK(steps[0].to == 11);  // 8/13 of 18
}

TEST_CASE("a deployment makes a set, rolls to a new template and back") {
  Cluster cluster;
  auto deployments = createDeploymentController(cluster.context);
  auto sets = createReplicaSetController(cluster.context);
  auto settle = [&] {
    for (int i = 0; i < 20; ++i) {
      REQUIRE(cluster.run(*deployments).ok());
      REQUIRE(cluster.run(*sets).ok());
      cluster.setPods("Running");
    }
  };
  cluster.createJson<Deployment>(R"({"metadata":{"namespace":"ns","name":"web"},"spec":{"replicas":4,
    "progressDeadlineSeconds":600,"revisionHistoryLimit":1,"strategy":{"type":"RollingUpdate"},
    "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
    "spec":{"containers":[{"name":"c","image":"one"}]}}}})");
  settle();
  auto d = cluster.get<Deployment>("web");
  CHECK(d.status.availableReplicas == 4);
  CHECK(d.metadata.annotations.at(std::string(kRevision)) == "1");
  CHECK(findCondition(d.status.conditions, "Progressing")->reason == "NewReplicaSetAvailable");
  CHECK(contains(cluster.recorder.events, "Scaled up replica set web-"));
  CHECK(contains(cluster.recorder.events, " from 0 to 4"));

  for (std::string image : {"two", "three", "two"}) {
    d = cluster.get<Deployment>("web");
    d.spec.template_.spec.containers[0].image = image;
    REQUIRE(cluster.client->update(d).ok());
    settle();
  }
  d = cluster.get<Deployment>("web");
  CHECK(d.metadata.annotations.at(std::string(kRevision)) == "4");
  auto all = cluster.list<ReplicaSet>();
  REQUIRE(all.size() == 2);  // the history keeps one old set
  for (const auto& rs : all) {
    bool current = rs.spec.template_.spec.containers[0].image == "two";
    CHECK(replicasOf(rs) == (current ? 4 : 0));
    if (current) CHECK(rs.metadata.annotations.at(std::string(kRevisionHistory)) == "2");
  }
}

TEST_CASE("a paused deployment does not roll out; recreate waits for the old pods") {
  Cluster cluster;
  auto deployments = createDeploymentController(cluster.context);
  auto sets = createReplicaSetController(cluster.context);
  cluster.createJson<Deployment>(R"({"metadata":{"namespace":"ns","name":"web"},"spec":{"replicas":2,"paused":true,
    "strategy":{"type":"Recreate"},"selector":{"matchLabels":{"app":"web"}},
    "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"one"}]}}}})");
  REQUIRE(cluster.run(*deployments).ok());
  CHECK(cluster.list<ReplicaSet>().empty());
  auto d = cluster.get<Deployment>("web");
  d.spec.paused = false;
  REQUIRE(cluster.client->update(d).ok());
  for (int i = 0; i < 5; ++i) {
    REQUIRE(cluster.run(*deployments).ok());
    REQUIRE(cluster.run(*sets).ok());
  }
  REQUIRE(cluster.list<Pod>().size() == 2);
  // A finalizer keeps the old pods: the new set must wait.
  for (Pod& pod : cluster.list<Pod>()) {
    pod.metadata.finalizers = {"test/hold"};
    REQUIRE(cluster.client->update(pod).ok());
  }
  d = cluster.get<Deployment>("web");
  d.spec.template_.spec.containers[0].image = "two";
  REQUIRE(cluster.client->update(d).ok());
  for (int i = 0; i < 5; ++i) {
    REQUIRE(cluster.run(*deployments).ok());
    REQUIRE(cluster.run(*sets).ok());
  }
  CHECK(cluster.list<ReplicaSet>().size() == 1);
  for (Pod& pod : cluster.list<Pod>()) {
    pod.metadata.finalizers.clear();
    REQUIRE(cluster.client->update(pod).ok());
  }
  for (int i = 0; i < 5; ++i) {
    REQUIRE(cluster.run(*deployments).ok());
    REQUIRE(cluster.run(*sets).ok());
  }
  CHECK(cluster.list<ReplicaSet>().size() == 2);
  CHECK(cluster.list<Pod>().size() == 2);
}

TEST_CASE("index lists are read and written as ranges") {
  CHECK(formatIndexes({0, 1, 3, 4, 5, 9}) == "0,1,3-5,9");
  CHECK(parseIndexes("0,1,3-5,9,20", 10) == std::set<int>{0, 1, 3, 4, 5, 9});
  CHECK(parseIndexes("5-3,x,-1", 10).empty());
}

struct JobRun {
  Cluster cluster;
  std::unique_ptr<Controller> controller = createJobController(cluster.context);
  Job make(std::string_view spec) {
    return cluster.createJson<Job>(concat(
        R"({"metadata":{"namespace":"ns","name":"j"},"spec":{"selector":{"matchLabels":{"job":"j"}},)",
        R"("template":{"metadata":{"labels":{"job":"j"}},"spec":{"restartPolicy":"Never","containers":[{"name":"c"}]}},)",
        spec, "}}"));
  }
  void run() { REQUIRE(cluster.run(*controller).ok()); }
  void finish(std::string_view phase, int exitCode = 0) {
    for (Pod& pod : cluster.list<Pod>()) {
      if (isTerminal(pod)) continue;
      pod.status.phase = std::string(phase);
      auto& status = pod.status.containerStatuses.emplace_back();
      status.name = "c";
      status.state.terminated.emplace().exitCode = exitCode;
      status.state.terminated->finishedAt = {cluster.clock.now()};
      REQUIRE(cluster.client->updateStatus(pod).ok());
    }
  }
  Job job() { return cluster.get<Job>("j"); }
  std::string reason(std::string_view type) {
    Job now = job();
    const auto* condition = findCondition(now.status.conditions, type);
    return condition == nullptr ? "" : condition->reason;
  }
};

TEST_CASE("a job runs to its completions and lets its pods go") {
  JobRun test;
  test.make(R"("completions":3,"parallelism":2,"backoffLimit":6)");
  test.run();
  CHECK(test.cluster.list<Pod>().size() == 2);
  CHECK(test.job().status.active == 2);
  CHECK(test.job().status.startTime.has_value());
  test.finish("Succeeded");
  test.run();
  CHECK(test.job().status.succeeded == 2);
  CHECK(test.cluster.list<Pod>().size() == 3);
  test.finish("Succeeded");
  test.run();
  CHECK(test.reason("Complete") == "CompletionsReached");
  CHECK(test.job().status.succeeded == 3);
  CHECK(test.job().status.completionTime.has_value());
  for (const Pod& pod : test.cluster.list<Pod>()) CHECK(pod.metadata.finalizers.empty());
  CHECK(contains(test.cluster.recorder.events, "Normal Completed Job completed"));
}

TEST_CASE("a failing job waits ever longer and gives up at its limit") {
  JobRun test;
  test.make(R"("completions":1,"parallelism":1,"backoffLimit":1)");
  test.run();
  test.finish("Failed", 1);
  test.run();
  CHECK(test.job().status.failed == 1);
  CHECK(test.cluster.list<Pod>().size() == 1);  // not before ten seconds have passed
  test.cluster.clock.advance(seconds(11));
  test.controller->queue().add("ns/j");
  test.run();
  CHECK(test.cluster.list<Pod>().size() == 2);
  test.finish("Failed", 1);
  test.run();
  CHECK(test.job().status.failed == 2);
  CHECK(test.reason("FailureTarget") == "BackoffLimitExceeded");
  CHECK(test.reason("Failed") == "BackoffLimitExceeded");
}

TEST_CASE("an indexed job gives each pod its index and fails indexes alone") {
  JobRun test;
  test.make(R"("completions":3,"parallelism":3,"completionMode":"Indexed","backoffLimitPerIndex":0,"backoffLimit":100)");
  test.run();
  auto pods = test.cluster.list<Pod>();
  REQUIRE(pods.size() == 3);
  CHECK(pods[0].spec.hostname == "j-0");
  CHECK(pods[0].spec.containers[0].env.at(0).name == "JOB_COMPLETION_INDEX");
  for (Pod& pod : pods) {
    pod.status.phase = completionIndex(pod) == 1 ? "Failed" : "Succeeded";
    REQUIRE(test.cluster.client->updateStatus(pod).ok());
  }
  test.run();
  CHECK(test.job().status.completedIndexes == "0,2");
  CHECK(test.job().status.failedIndexes == "1");
  CHECK(test.reason("Failed") == "FailedIndexes");
}

TEST_CASE("a success policy ends an indexed job early") {
  JobRun test;
  test.make(R"("completions":4,"parallelism":4,"completionMode":"Indexed","backoffLimit":6,
    "successPolicy":{"rules":[{"succeededIndexes":"0,2","succeededCount":1}]})");
  test.run();
  for (Pod& pod : test.cluster.list<Pod>())
    if (completionIndex(pod) == 2) {
      pod.status.phase = "Succeeded";
      REQUIRE(test.cluster.client->updateStatus(pod).ok());
    }
  test.run();
  CHECK(test.reason("SuccessCriteriaMet") == "SuccessPolicy");
  CHECK(test.reason("Complete") == "SuccessPolicy");
}

TEST_CASE("a pod failure policy ignores, counts or ends the job") {
  JobRun test;
  test.make(R"("completions":1,"parallelism":1,"backoffLimit":0,"podReplacementPolicy":"Failed","podFailurePolicy":{"rules":[
    {"action":"Ignore","onExitCodes":{"operator":"In","values":[7]}},
    {"action":"FailJob","onExitCodes":{"containerName":"c","operator":"NotIn","values":[0,7]}}]})");
  test.run();
  test.finish("Failed", 7);
  test.run();
  CHECK(test.job().status.failed == 0);
  CHECK(test.cluster.list<Pod>().size() == 2);
  test.finish("Failed", 9);
  test.run();
  CHECK(test.reason("Failed") == "PodFailurePolicy");
  Job job = test.job();
  auto message = findCondition(job.status.conditions, "Failed")->message;
  CHECK(message.find("failed with exit code 9 matching FailJob rule at index 1") != std::string::npos);
}

TEST_CASE("a suspended job has no pods; a deadline ends a running one") {
  JobRun test;
  Job job = test.make(R"("completions":1,"parallelism":1,"backoffLimit":6,"suspend":true,"activeDeadlineSeconds":30)");
  test.run();
  CHECK(test.cluster.list<Pod>().empty());
  CHECK(test.reason("Suspended") == "JobSuspended");
  job = test.job();
  job.spec.suspend = false;
  REQUIRE(test.cluster.client->update(job).ok());
  test.run();
  CHECK(test.cluster.list<Pod>().size() == 1);
  CHECK(test.reason("Suspended") == "JobResumed");
  test.cluster.clock.advance(seconds(31));
  test.controller->queue().add("ns/j");
  test.run();
  CHECK(test.reason("Failed") == "DeadlineExceeded");
  CHECK(test.cluster.list<Pod>().empty());
}

TEST_CASE("stateful pods come in order, with their claims, and are replaced from the top") {
  Cluster cluster;
  auto controller = createStatefulSetController(cluster.context);
  cluster.createJson<StatefulSet>(R"({"metadata":{"namespace":"ns","name":"db"},"spec":{"replicas":3,"serviceName":"db",
    "podManagementPolicy":"OrderedReady","updateStrategy":{"type":"RollingUpdate"},
    "selector":{"matchLabels":{"a":"db"}},"template":{"metadata":{"labels":{"a":"db"}},
    "spec":{"containers":[{"name":"c","image":"one"}]}},"volumeClaimTemplates":[{"metadata":{"name":"data"}}]}})");
  REQUIRE(cluster.run(*controller).ok());
  REQUIRE(cluster.list<Pod>().size() == 1);
  CHECK(cluster.list<Pod>()[0].metadata.name == "db-0");
  CHECK(cluster.client->get<PersistentVolumeClaim>("ns", "data-db-0").ok());
  for (int i = 0; i < 3; ++i) {
    cluster.setPods("Running");
    REQUIRE(cluster.run(*controller).ok());
  }
  CHECK(cluster.list<Pod>().size() == 3);
  CHECK(cluster.get<StatefulSet>("db").status.readyReplicas == 3);
  CHECK(cluster.get<Pod>("db-2").metadata.labels.at("apps.kubernetes.io/pod-index") == "2");

  auto set = cluster.get<StatefulSet>("db");
  std::string before = set.status.updateRevision;
  set.spec.template_.spec.containers[0].image = "two";
  set.spec.updateStrategy.rollingUpdate.emplace().partition = 1;
  REQUIRE(cluster.client->update(set).ok());
  for (int i = 0; i < 5; ++i) {
    REQUIRE(cluster.run(*controller).ok());
    cluster.setPods("Running");
  }
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<Pod>("db-0").spec.containers[0].image == "one");
  CHECK(cluster.get<Pod>("db-1").spec.containers[0].image == "two");
  CHECK(cluster.get<Pod>("db-2").spec.containers[0].image == "two");
  set = cluster.get<StatefulSet>("db");
  CHECK(set.status.updatedReplicas == 2);
  CHECK(set.status.currentRevision == before);
  // A pod below the partition that is lost comes back as it was.
  REQUIRE(cluster.client->remove<Pod>("ns", "db-0").ok());
  REQUIRE(cluster.run(*controller).ok());
  CHECK(cluster.get<Pod>("db-0").spec.containers[0].image == "one");

  cluster.setPods("Running");
  set = cluster.get<StatefulSet>("db");
  set.spec.replicas = 1;
  set.spec.updateStrategy.rollingUpdate->partition = 0;
  REQUIRE(cluster.client->update(set).ok());
  for (int i = 0; i < 6; ++i) {
    REQUIRE(cluster.run(*controller).ok());
    cluster.setPods("Running");
  }
  REQUIRE(cluster.run(*controller).ok());
  REQUIRE(cluster.list<Pod>().size() == 1);
  CHECK(cluster.get<Pod>("db-0").spec.containers[0].image == "two");
  set = cluster.get<StatefulSet>("db");
  CHECK(set.status.currentRevision == set.status.updateRevision);
}

}  // namespace
}  // namespace skiff::controllers
