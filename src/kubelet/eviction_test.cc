#include <doctest/doctest.h>

#include "kubelet/eviction_rules.h"
#include "kubelet/kubelet.h"
#include "kubelet/node_agent.h"
#include "kubelet/test_util.h"

namespace skiff::kubelet {
namespace {

Candidate candidate(std::string name, int64_t usage, int64_t request, int32_t priority = 0) {
  Pod pod = podWith({containerNamed("c")});
  pod.metadata.name = std::move(name);
  pod.spec.priority = priority;
  return {std::make_shared<const Pod>(std::move(pod)), usage, request, {{"c", usage}}};
}

std::string order(std::vector<Candidate> pods) {
  rankForEviction(pods);
  std::string out;
  for (const auto& c : pods) out += c.pod->metadata.name + " ";
  return out;
}

}  // namespace

TEST_CASE("thresholds are quantities or percentages of known signals") {
  auto all = parseThresholds(kDefaultEvictionHard);
  REQUIRE(all.ok());
  REQUIRE(all->size() == 4);
  CHECK((*all)[0].amount == 100 * 1024 * 1024);
  CHECK((*all)[1].percent == 10);
  CHECK((*all)[1].resource() == "ephemeral-storage");
  CHECK((*all)[2].resource() == "inodes");
  CHECK(parseThresholds("")->empty());
  for (const char* wrong : {"memory.available", "memory.free<1", "memory.available<x", "nodefs.available<101%"})
    CHECK_FALSE(parseThresholds(wrong).ok());
}

TEST_CASE("a threshold is crossed below its value, never by a signal that is not known") {
  auto all = *parseThresholds("memory.available<100,nodefs.available<10%");
  CHECK(isCrossed(all[0], {{"memory.available", {99, 1000}}}));
  CHECK_FALSE(isCrossed(all[0], {{"memory.available", {100, 1000}}}));
  CHECK(isCrossed(all[1], {{"nodefs.available", {99, 1000}}}));
  CHECK_FALSE(isCrossed(all[1], {{"nodefs.available", {100, 1000}}}));
  CHECK_FALSE(isCrossed(all[1], {}));
  CHECK_FALSE(isCrossed(all[1], {{"nodefs.available", {0, 0}}}));
}

TEST_CASE("what lies below the thresholds is not allocatable") {
  std::map<std::string, api::Quantity> capacity{{"memory", api::Quantity::of(1 << 30)}, {"ephemeral-storage", api::Quantity::of(1000)}, {"cpu", api::Quantity::of(2)}};
  auto out = nodeAllocatable(capacity, *parseThresholds(kDefaultEvictionHard));
  CHECK(out["memory"].value() == (1 << 30) - 100 * 1024 * 1024);
  CHECK(out["ephemeral-storage"].value() == 900);
  CHECK(out["cpu"].value() == 2);
  CHECK(nodeAllocatable(capacity, {})["memory"].value() == 1 << 30);
}

TEST_CASE("a pressure stays for five minutes after it was last seen") {
  Pressure pressure;
  auto at = [](int minutes) { return SteadyTime(std::chrono::minutes(minutes)); };
  pressure.note(false, at(0));
  CHECK_FALSE(pressure.active());
  pressure.note(true, at(1));
  pressure.note(false, at(5));
  CHECK(pressure.active());
  pressure.note(false, at(6));
  CHECK_FALSE(pressure.active());
}

TEST_CASE("who uses more than asked for goes first, then the less important, then the larger excess") {
  CHECK(order({candidate("within", 50, 100), candidate("small", 110, 100), candidate("large", 300, 100),
               candidate("important", 900, 100, 10), candidate("critical", 999, 0, 2000000000)}) ==
        "large small important within ");
  Candidate fixed = candidate("static", 900, 0);
  Pod pod = *fixed.pod;
  pod.metadata.annotations[std::string(kConfigSource)] = "file";
  fixed.pod = std::make_shared<const Pod>(pod);
  CHECK(order({fixed}).empty());
}

TEST_CASE("the message names the threshold and the containers above their request") {
  auto threshold = parseThresholds("memory.available<100Mi")->front();
  CHECK(evictionMessage(threshold, {50 << 20, 1 << 30}, candidate("p", 4096, 0)) ==
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container c was using 4Ki, request is 0, has larger consumption of memory. ");
}

TEST_CASE("a pod may not outgrow the local storage that it limits itself to") {
  Pod pod = podWith({containerNamed("a"), containerNamed("b")});
  CHECK_FALSE(limitsLocalStorage(pod));
  auto& volume = pod.spec.volumes.emplace_back();
  volume.name = "v";
  volume.emptyDir.emplace().sizeLimit = *api::Quantity::parse("1Mi");
  CHECK(limitsLocalStorage(pod));
  CHECK_FALSE(exceededLimit(pod, {{{"v", 1 << 20}}, {}}));
  CHECK(exceededLimit(pod, {{{"v", (1 << 20) + 1}}, {}}) == "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". ");
  pod.spec.containers[0].resources.limits["ephemeral-storage"] = *api::Quantity::parse("1Ki");
  CHECK(exceededLimit(pod, {{}, {{"a", 1025}}}) == "Container a exceeded its local ephemeral storage limit \"1Ki\". ");
  CHECK_FALSE(exceededLimit(pod, {{{"v", 1000}}, {{"a", 1024}, {"b", 1 << 20}}}));  // b has no limit, so there is no sum
  pod.spec.containers[1].resources.limits["ephemeral-storage"] = *api::Quantity::parse("1Ki");
  CHECK(exceededLimit(pod, {{{"v", 1000}}, {{"a", 1000}, {"b", 1000}}}) ==
        "Pod ephemeral local storage usage exceeds the total limit of containers 2Ki. ");
}

}  // namespace skiff::kubelet
