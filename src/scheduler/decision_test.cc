#include "scheduler/decision.h"

#include <doctest/doctest.h>

#include "gen/meta_v1.h"

using namespace skiff;
using namespace skiff::scheduler;
using api::core::v1::Node;
using api::core::v1::Pod;

namespace {

NodePtr node(const std::string& name, int64_t cpu, api::Labels labels = {}) {
  auto made = std::make_shared<Node>();
  made->metadata.name = name;
  made->metadata.labels = std::move(labels);
  made->metadata.labels["kubernetes.io/hostname"] = name;
  made->status.allocatable["cpu"] = api::Quantity::of(cpu);
  made->status.allocatable["memory"] = api::Quantity::of(8ll << 30);
  made->status.allocatable["pods"] = api::Quantity::of(10);
  return made;
}

Pod pod(const std::string& name, int64_t milliCpu) {
  Pod made;
  made.metadata.name = made.metadata.uid = name;
  made.metadata.namespace_ = "default";
  auto& container = made.spec.containers.emplace_back();
  container.name = "c";
  container.image = "image";
  container.resources.requests["cpu"] = api::Quantity::ofMilli(milliCpu);
  return made;
}

struct World {
  ClusterState state;
  size_t rotation = 0;
  Decision decideFor(const Pod& p) {
    PodInfo info(std::make_shared<Pod>(p));
    return decide(info, state.snapshot(), state, rotation);
  }
  std::string placeOf(const Pod& p) {
    auto decision = decideFor(p);
    return decision.node ? decision.node->name() : decision.message();
  }
  void run(Pod p, const std::string& on) {
    p.spec.nodeName = on;
    state.putPod(std::make_shared<Pod>(p));
  }
};

}  // namespace

TEST_CASE("without nodes the message says so") {
  World world;
  CHECK(world.placeOf(pod("a", 1)) == "no nodes available to schedule pods");
}

TEST_CASE("a pod goes where its requests fit, and the reasons are counted otherwise") {
  World world;
  world.state.putNode(node("small", 1));
  world.state.putNode(node("large", 4));
  CHECK(world.placeOf(pod("a", 2000)) == "large");
  CHECK(world.placeOf(pod("b", 5000)) == "0/2 nodes are available: 2 Insufficient cpu.");
}

TEST_CASE("the emptier node is preferred") {
  World world;
  world.state.putNode(node("a", 4));
  world.state.putNode(node("b", 4));
  world.run(pod("busy", 2000), "a");
  CHECK(world.placeOf(pod("new", 500)) == "b");
}

TEST_CASE("an assumed pod counts until it is forgotten") {
  World world;
  world.state.putNode(node("a", 1));
  auto first = std::make_shared<PodInfo>(std::make_shared<Pod>(pod("first", 800)));
  world.state.assume(first, "a");
  CHECK(world.placeOf(pod("second", 800)) == "0/1 nodes are available: 1 Insufficient cpu.");
  world.state.forget("first");
  CHECK(world.placeOf(pod("second", 800)) == "a");
}

TEST_CASE("taints keep pods away unless tolerated") {
  World world;
  auto tainted = *node("a", 4);
  auto& taint = tainted.spec.taints.emplace_back();
  taint.key = "dedicated";
  taint.value = "db";
  taint.effect = "NoSchedule";
  world.state.putNode(std::make_shared<Node>(tainted));
  CHECK(world.placeOf(pod("p", 1)) == "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: db}.");
  auto tolerant = pod("q", 1);
  auto& toleration = tolerant.spec.tolerations.emplace_back();
  toleration.key = "dedicated";
  toleration.operator_ = "Exists";
  CHECK(world.placeOf(tolerant) == "a");
}

TEST_CASE("required anti-affinity spreads pods over hosts") {
  World world;
  world.state.putNode(node("a", 4));
  world.state.putNode(node("b", 4));
  auto lonely = pod("one", 1);
  lonely.metadata.labels["app"] = "x";
  auto& term = lonely.spec.affinity.ensure().podAntiAffinity.ensure().requiredDuringSchedulingIgnoredDuringExecution
                   .emplace_back();
  term.topologyKey = "kubernetes.io/hostname";
  term.labelSelector.ensure().matchLabels["app"] = "x";
  world.run(lonely, "a");
  lonely.metadata.name = lonely.metadata.uid = "two";
  CHECK(world.placeOf(lonely) == "b");
  world.run(lonely, "b");
  lonely.metadata.name = lonely.metadata.uid = "three";
  CHECK(world.placeOf(lonely) ==
        "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
}

TEST_CASE("topology spread keeps the skew") {
  World world;
  world.state.putNode(node("a", 4, {{"zone", "1"}}));
  world.state.putNode(node("b", 4, {{"zone", "2"}}));
  auto spread = pod("one", 1);
  spread.metadata.labels["app"] = "x";
  auto& constraint = spread.spec.topologySpreadConstraints.emplace_back();
  constraint.maxSkew = 1;
  constraint.topologyKey = "zone";
  constraint.whenUnsatisfiable = "DoNotSchedule";
  constraint.labelSelector.ensure().matchLabels["app"] = "x";
  world.run(spread, "a");
  spread.metadata.name = spread.metadata.uid = "two";
  CHECK(world.placeOf(spread) == "b");
}

TEST_CASE("preemption takes the fewest and least important pods") {
  World world;
  world.state.putNode(node("a", 2));
  world.state.putNode(node("b", 2));
  auto victim = [](const std::string& name, int32_t priority, int64_t cpu) {
    auto made = pod(name, cpu);
    made.spec.priority = priority;
    return made;
  };
  world.run(victim("low", 1, 2000), "a");
  world.run(victim("mid", 5, 2000), "b");
  auto urgent = pod("urgent", 1500);
  urgent.spec.priority = 10;
  PodInfo info(std::make_shared<Pod>(urgent));
  auto snapshot = world.state.snapshot();
  auto decision = decide(info, snapshot, world.state, world.rotation);
  REQUIRE(decision.node == nullptr);
  auto found = findPreemption(info, snapshot, decision, {});
  REQUIRE(found.node != nullptr);
  CHECK(found.node->name() == "a");
  REQUIRE(found.victims.size() == 1);
  CHECK(found.victims[0]->key == "default/low");
}

TEST_CASE("preemption says why it cannot help") {
  World world;
  world.state.putNode(node("a", 1));
  PodInfo info(std::make_shared<Pod>(pod("big", 4000)));
  auto snapshot = world.state.snapshot();
  auto decision = decide(info, snapshot, world.state, world.rotation);
  CHECK(findPreemption(info, snapshot, decision, {}).message ==
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
}
