#include "kubelet/pod_admission.h"

#include <doctest/doctest.h>

#include "kubelet/test_util.h"

namespace skiff::kubelet {
namespace {

struct Desk {
  NodeConfig config;
  AdmissionInputs inputs;
  Desk() {
    inputs.config = &config;
    config.allocatable["cpu"] = api::Quantity::of(1);
  }
  std::string ask(const Pod& pod) const {
    auto refusal = refusalOf(pod, inputs);
    return refusal ? refusal->reason : "";
  }
};

Pod withPort(int32_t port, std::string address = "") {
  Pod pod = podWith({containerNamed("c")});
  auto& p = pod.spec.containers[0].ports.emplace_back();
  p.containerPort = 80;
  p.hostPort = port;
  p.hostIP = std::move(address);
  return pod;
}

}  // namespace

TEST_CASE("a host port goes to one pod of an address") {
  Desk desk;
  desk.inputs.others = {std::make_shared<const Pod>(withPort(8080, "10.0.0.1"))};
  CHECK(desk.ask(withPort(8080, "10.0.0.1")) == "NodePorts");
  CHECK(desk.ask(withPort(8080, "0.0.0.0")) == "NodePorts");
  CHECK(desk.ask(withPort(8080, "10.0.0.2")).empty());
  CHECK(desk.ask(withPort(8081)).empty());
  CHECK(desk.ask(withPort(0)).empty());
  Pod udp = withPort(8080);
  udp.spec.containers[0].ports[0].protocol = "UDP";
  CHECK(desk.ask(udp).empty());
  Pod host = withPort(0);
  host.spec.hostNetwork = true;
  host.spec.containers[0].ports[0].containerPort = 8080;
  CHECK(desk.ask(host) == "NodePorts");
}

TEST_CASE("requests must fit beside those of others") {
  Desk desk;
  Pod half = podWith({containerNamed("c")});
  half.spec.containers[0].resources.requests["cpu"] = *api::Quantity::parse("600m");
  CHECK(desk.ask(half).empty());
  desk.inputs.others = {std::make_shared<const Pod>(half)};
  CHECK(desk.ask(half) == "OutOfcpu");
  desk.config.options.maxPods = 1;
  CHECK(desk.ask(podWith({containerNamed("c")})) == "OutOfpods");
}

TEST_CASE("extended resources are the scheduler's business") {
  Desk desk;
  Pod pod = podWith({containerNamed("c")});
  pod.spec.containers[0].resources.requests["example.com/foo"] = api::Quantity::of(2);
  CHECK(desk.ask(pod).empty());
}

TEST_CASE("a node selector is checked against the node's labels") {
  Desk desk;
  Pod pod = podWith({containerNamed("c")});
  pod.spec.nodeSelector["zone"] = "a";
  CHECK(desk.ask(pod).empty());  // the node is not known yet
  auto node = std::make_shared<api::core::v1::Node>();
  desk.inputs.node = node;
  CHECK(desk.ask(pod) == "NodeAffinity");
  node->metadata.labels["zone"] = "a";
  CHECK(desk.ask(pod).empty());
}

TEST_CASE("under pressure only the critical come in, and with little memory those that asked for some") {
  Desk desk;
  Pod best = podWith({containerNamed("c")}), burstable = best, critical = best;
  burstable.spec.containers[0].resources.requests["memory"] = api::Quantity::of(1);
  desk.config.allocatable["memory"] = api::Quantity::of(1000);
  critical.spec.priority = 2000001000;
  desk.inputs.pressure = "memory";
  CHECK(desk.ask(best) == "Evicted");
  CHECK(desk.ask(burstable).empty());
  CHECK(desk.ask(critical).empty());
  desk.inputs.pressure = "ephemeral-storage";
  CHECK(desk.ask(burstable) == "Evicted");
  CHECK(desk.ask(critical).empty());
}

}  // namespace skiff::kubelet
