#include <doctest/doctest.h>

#include "kubelet/pod_status.h"
#include "kubelet/test_util.h"

namespace skiff::kubelet {
namespace {

RuntimeContainer attempt(std::string name, cri::ContainerState state, int exitCode = 0, int number = 0) {
  RuntimeContainer c;
  c.id = name + std::to_string(number);
  c.name = std::move(name);
  c.sandboxId = "s";
  c.state = state;
  c.exitCode = exitCode;
  c.attempt = c.restartCount = number;
  c.createdAt = 1795000000000000000 + number;
  c.startedAt = c.createdAt;
  return c;
}

RuntimePod running(std::vector<RuntimeContainer> containers) {
  RuntimePod pod;
  pod.sandboxes.resize(1);
  pod.sandboxes[0].id = "s";
  pod.sandboxes[0].ready = true;
  pod.sandboxes[0].ips = {"10.0.0.5"};
  pod.containers = std::move(containers);
  return pod;
}

PodStatus statusOf(const Pod& pod, const RuntimePod& runtime, StatusInputs inputs = {}) {
  inputs.pod = &pod;
  inputs.runtime = &runtime;
  inputs.now = WallTime(seconds(1795000100));
  inputs.hostIPs = {"192.168.0.1"};
  return computeStatus(inputs);
}

std::string condition(const PodStatus& s, std::string_view type) {
  for (const auto& c : s.conditions)
    if (c.type == type) return c.status + (c.reason.empty() ? "" : " " + c.reason);
  return "<absent>";
}

constexpr auto kRunning = cri::ContainerState::Running;
constexpr auto kExited = cri::ContainerState::Exited;

}  // namespace

TEST_CASE("a pod before its first container is pending and says what it waits for") {
  Pod pod = podWith({containerNamed("a")});
  auto s = statusOf(pod, RuntimePod{});
  CHECK(s.phase == "Pending");
  CHECK(s.containerStatuses.at(0).state.waiting->reason == "ContainerCreating");
  CHECK(condition(s, "PodReadyToStartContainers") == "False");
  CHECK(condition(s, "Initialized") == "True");
  CHECK(condition(s, "Ready") == "False ContainersNotReady");
  CHECK(s.podIP.empty());
  CHECK(s.observedGeneration == 7);
}

TEST_CASE("all containers running: ready, with addresses") {
  Pod pod = podWith({containerNamed("a"), containerNamed("b")});
  auto s = statusOf(pod, running({attempt("a", kRunning), attempt("b", kRunning)}));
  CHECK(s.phase == "Running");
  CHECK(condition(s, "Ready") == "True");
  CHECK(s.podIP == "10.0.0.5");
  CHECK(s.hostIP == "192.168.0.1");
  CHECK(s.containerStatuses.at(0).containerID == "containerd://a0");
}

TEST_CASE("a readiness probe that fails makes the pod unready but running") {
  Pod pod = podWith({containerNamed("a"), containerNamed("b")});
  StatusInputs in;
  in.ready = {{"b", false}};
  auto s = statusOf(pod, running({attempt("a", kRunning), attempt("b", kRunning)}), in);
  CHECK(s.phase == "Running");
  CHECK(condition(s, "ContainersReady") == "False ContainersNotReady");
  CHECK(s.conditions[2].message == "containers with unready status: [b]");
}

TEST_CASE("the phase after the end goes by restart policy and exit codes") {
  auto phase = [](std::string policy, int code) {
    Pod pod = podWith({containerNamed("a")}, std::move(policy));
    return statusOf(pod, running({attempt("a", kExited, code)})).phase;
  };
  CHECK(phase("Never", 0) == "Succeeded");
  CHECK(phase("Never", 1) == "Failed");
  CHECK(phase("OnFailure", 0) == "Succeeded");
  CHECK(phase("OnFailure", 1) == "Running");
  CHECK(phase("Always", 0) == "Running");
}

TEST_CASE("one of two ended: the pod still runs, and succeeds with the other") {
  Pod pod = podWith({containerNamed("a"), containerNamed("b")}, "Never");
  CHECK(statusOf(pod, running({attempt("a", kExited, 0), attempt("b", kRunning)})).phase == "Running");
  CHECK(statusOf(pod, running({attempt("a", kExited, 0), attempt("b", kExited, 3)})).phase == "Failed");
}

TEST_CASE("a crash loop shows the end as last state") {
  Pod pod = podWith({containerNamed("a")});
  StatusInputs in;
  in.waiting["a"] = {"CrashLoopBackOff", "back-off 10s"};
  auto s = statusOf(pod, running({attempt("a", kExited, 1, 1), attempt("a", kExited, 1, 0)}), in);
  const auto& c = s.containerStatuses.at(0);
  CHECK(s.phase == "Running");
  CHECK(c.state.waiting->reason == "CrashLoopBackOff");
  CHECK(c.lastState.terminated->exitCode == 1);
  CHECK(c.restartCount == 1);
  CHECK_FALSE(c.ready);
}

TEST_CASE("init containers come first; a failed one with Never fails the pod") {
  Pod pod = podWith({containerNamed("main")}, "Never");
  pod.spec.initContainers = {containerNamed("i")};
  auto s = statusOf(pod, running({attempt("i", kRunning)}));
  CHECK(s.phase == "Pending");
  CHECK(s.containerStatuses.at(0).state.waiting->reason == "PodInitializing");
  CHECK(condition(s, "Initialized") == "False ContainersNotInitialized");
  s = statusOf(pod, running({attempt("i", kExited, 0)}));
  CHECK(s.phase == "Pending");
  CHECK(condition(s, "Initialized") == "True");
  CHECK(s.initContainerStatuses.at(0).ready);
  CHECK(statusOf(pod, running({attempt("i", kExited, 1)})).phase == "Failed");
  pod.spec.restartPolicy = "Always";
  CHECK(statusOf(pod, running({attempt("i", kExited, 1)})).phase == "Pending");
}

TEST_CASE("a sidecar does not keep a finished pod from succeeding") {
  Pod pod = podWith({containerNamed("main")}, "Never");
  Container sidecar = containerNamed("side");
  sidecar.restartPolicy = "Always";
  pod.spec.initContainers = {sidecar};
  auto s = statusOf(pod, running({attempt("side", kRunning), attempt("main", kRunning)}));
  CHECK(s.phase == "Running");
  CHECK(condition(s, "Ready") == "True");
  s = statusOf(pod, running({attempt("side", kRunning), attempt("main", kExited, 0)}));
  CHECK(s.phase == "Succeeded");
  CHECK(condition(s, "Ready") == "False PodCompleted");
}

TEST_CASE("a pod that was told to be over stays so, with the reason") {
  Pod pod = podWith({containerNamed("a")});
  StatusInputs in;
  in.reason = "DeadlineExceeded";
  in.message = "late";
  auto s = statusOf(pod, running({attempt("a", kRunning)}), in);
  CHECK(s.phase == "Failed");
  CHECK(s.reason == "DeadlineExceeded");
  pod.status = s;
  CHECK(statusOf(pod, running({attempt("a", kRunning)})).phase == "Failed");
}

TEST_CASE("restart rules by exit code come before the policy") {
  Pod pod = podWith({containerNamed("a")}, "Never");
  auto& c = pod.spec.containers[0];
  c.restartPolicy = "Never";
  c.restartPolicyRules.resize(1);
  c.restartPolicyRules[0].action = "Restart";
  auto& codes = c.restartPolicyRules[0].exitCodes.emplace();
  codes.operator_ = "In";
  codes.values = {42};
  CHECK(shouldRestart(pod, c, ContainerKind::Regular, 42));
  CHECK_FALSE(shouldRestart(pod, c, ContainerKind::Regular, 1));
}

}  // namespace skiff::kubelet
