// Probes, back-off, resources, image names, DNS, logs, projected folders.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kubelet/housekeeping.h"
#include "kubelet/atomic_writer.h"
#include "kubelet/backoff.h"
#include "kubelet/cni.h"
#include "kubelet/container_config.h"
#include "kubelet/container_logs.h"
#include "kubelet/images.h"
#include "kubelet/pod_dns.h"
#include "kubelet/probes.h"
#include "kubelet/resources.h"
#include "kubelet/server_auth.h"
#include "kubelet/status_manager.h"
#include "kubelet/test_util.h"

namespace skiff::kubelet {

TEST_CASE("probe results tip only at their thresholds") {
  ProbeState liveness(ProbeKind::Liveness, 1, 3);
  CHECK(liveness.result());
  CHECK_FALSE(liveness.record(false));
  CHECK_FALSE(liveness.record(false));
  CHECK_FALSE(liveness.failedForGood());
  CHECK(liveness.record(false));
  CHECK(liveness.failedForGood());
  ProbeState adopted(ProbeKind::Readiness, 1, 2);
  adopted.resume();
  CHECK(adopted.result());
  CHECK_FALSE(adopted.record(false));  // one failure is not yet enough
  CHECK(adopted.result());
  CHECK(adopted.record(false));
  CHECK_FALSE(adopted.result());
  ProbeState readiness(ProbeKind::Readiness, 2, 1);
  CHECK_FALSE(readiness.result());
  CHECK_FALSE(readiness.record(true));
  CHECK_FALSE(readiness.result());
  CHECK(readiness.record(true));
  CHECK(readiness.result());
  CHECK_FALSE(readiness.record(true));  // nothing new
  CHECK(readiness.record(false));
  CHECK_FALSE(readiness.result());
}

TEST_CASE("back-off doubles to its limit and is forgotten after calm") {
  Backoff backoff;
  WallTime t{seconds(1000000)};
  CHECK(backoff.remaining("a", t, t).count() == 0);
  backoff.next("a", t);
  CHECK(backoff.remaining("a", t, t) == seconds(10));
  CHECK(backoff.remaining("a", t, t + seconds(4)) == seconds(6));
  for (int i = 0; i < 10; ++i) backoff.next("a", t);
  CHECK(backoff.delay("a") == seconds(300));
  CHECK(backoff.remaining("a", t + seconds(601), t + seconds(601)).count() == 0);
  backoff.next("a", t + seconds(700));
  CHECK(backoff.delay("a") == seconds(10));
}

TEST_CASE("QoS class and cgroup numbers") {
  Container c = containerNamed("c");
  Pod pod = podWith({c});
  CHECK(qosClassOf(pod) == "BestEffort");
  pod.spec.containers[0].resources.requests["cpu"] = *api::Quantity::parse("100m");
  CHECK(qosClassOf(pod) == "Burstable");
  auto& r = pod.spec.containers[0].resources;
  r.limits = r.requests = {{"cpu", *api::Quantity::parse("500m")}, {"memory", *api::Quantity::parse("64Mi")}};
  CHECK(qosClassOf(pod) == "Guaranteed");
  CHECK(cpuShares(0) == 2);
  CHECK(cpuShares(1000) == 1024);
  CHECK(cpuQuota(500) == 50000);
  CHECK(cpuQuota(1) == 1000);
  CHECK(oomScoreAdj(pod, pod.spec.containers[0], 1 << 30) == -997);
  Cgroups cgroups("/", "/nonexistent");
  CHECK(cgroups.podCgroup(pod) == "/kubepods/poduid");
  auto linux = linuxResources(pod, pod.spec.containers[0], 1 << 30);
  CHECK(linux.cpuShares == 512);
  CHECK(linux.cpuQuota == 50000);
  CHECK(linux.memoryLimitInBytes == 64 << 20);
}

TEST_CASE("image names are completed as container tools do") {
  CHECK(normalizedImageName("nginx") == "docker.io/library/nginx:latest");
  CHECK(normalizedImageName("a/b:1") == "docker.io/a/b:1");
  CHECK(normalizedImageName("reg.io:5000/a/b") == "reg.io:5000/a/b:latest");
  CHECK(normalizedImageName("localhost/a") == "localhost/a:latest");
  CHECK(normalizedImageName("a@sha256:00") == "docker.io/library/a@sha256:00");
  CHECK(registryOf("reg.io:5000/a/b:1") == "reg.io:5000");
}

TEST_CASE("resolv.conf by policy") {
  Pod pod = podWith({});
  constexpr std::string_view host = "# x\nnameserver 9.9.9.9\nsearch corp.example\noptions rotate\n";
  auto dns = podDns(pod, "10.96.0.10", "cluster.local", host);
  CHECK(dns.servers == std::vector<std::string>{"10.96.0.10"});
  CHECK(dns.searches == std::vector<std::string>{"ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"});
  CHECK(dns.options == std::vector<std::string>{"ndots:5"});
  pod.spec.hostNetwork = true;
  CHECK(podDns(pod, "10.96.0.10", "cluster.local", host).servers == std::vector<std::string>{"9.9.9.9"});
  pod.spec.dnsPolicy = "ClusterFirstWithHostNet";
  CHECK(podDns(pod, "10.96.0.10", "cluster.local", host).servers == std::vector<std::string>{"10.96.0.10"});
  pod.spec.dnsPolicy = "None";
  auto& config = pod.spec.dnsConfig.emplace();
  config.nameservers = {"1.1.1.1"};
  config.options.resize(1);
  config.options[0].name = "ndots";
  config.options[0].value = "2";
  dns = podDns(pod, "10.96.0.10", "cluster.local", host);
  CHECK(dns.servers == std::vector<std::string>{"1.1.1.1"});
  CHECK(dns.searches.empty());
  CHECK(dns.options == std::vector<std::string>{"ndots:2"});
}

TEST_CASE("the hosts file names the pod and its aliases") {
  Pod pod = podWith({});
  pod.spec.hostname = "h";
  pod.spec.subdomain = "sub";
  pod.spec.hostAliases.resize(1);
  pod.spec.hostAliases[0].ip = "1.2.3.4";
  pod.spec.hostAliases[0].hostnames = {"foo", "bar"};
  std::string text = podHostsFile(pod, {"10.0.0.2"}, "cluster.local", "");
  CHECK(text.starts_with("# Kubernetes-managed hosts file.\n"));
  CHECK(text.find("10.0.0.2\th.sub.ns.svc.cluster.local\th\n") != std::string::npos);
  CHECK(text.find("1.2.3.4\tfoo\tbar\n") != std::string::npos);
  pod.spec.hostNetwork = true;
  CHECK(podHostsFile(pod, {}, "cluster.local", "127.0.0.1 x\n").find("# Kubernetes-managed hosts file.\n") == std::string::npos);
}

TEST_CASE("log lines of the runtime's format") {
  auto line = parseLogLine("2026-11-22T10:00:00.000000001Z stdout F hello world");
  REQUIRE(line);
  CHECK(line->stream == "stdout");
  CHECK(line->text == "hello world");
  CHECK_FALSE(line->partial);
  CHECK(parseLogLine("t stderr P part")->partial);
  CHECK(parseLogLine("t stdout F ")->text == "");
  CHECK_FALSE(parseLogLine("garbage"));
}

TEST_CASE("logs: tail, limit, since, timestamps, partial lines") {
  TempDir dir;
  const std::string path = dir.path + "/0.log";
  REQUIRE(writeFile(path,
                    "2026-01-01T00:00:01Z stdout F one\n"
                    "2026-01-01T00:00:02Z stderr F two\n"
                    "2026-01-01T00:00:03Z stdout P thr\n"
                    "2026-01-01T00:00:03Z stdout F ee\n").ok());
  auto read = [&](LogOptions options) {
    std::string out;
    auto done = streamLog(path, options, [&](std::string s) { out += s; return true; }, [] { return false; });
    REQUIRE(done.ok());
    return out;
  };
  CHECK(read({}) == "one\ntwo\nthree\n");
  CHECK(read({.tailLines = 2}) == "three\n");
  CHECK(read({.tailLines = 0}) == "");
  CHECK(read({.tailLines = 100}) == "one\ntwo\nthree\n");
  CHECK(read({.limitBytes = 5}) == "one\nt");
  CHECK(read({.stream = "stderr"}) == "two\n");
  CHECK(read({.since = parseRfc3339("2026-01-01T00:00:03Z")}) == "three\n");
  LogOptions timed;
  timed.timestamps = true;
  timed.tailLines = 2;
  CHECK(read(timed) == "2026-01-01T00:00:03Z three\n");
}

TEST_CASE("rotation moves a large log and keeps the newest") {
  TempDir dir;
  FixedClock clock;
  const std::string path = dir.path + "/0.log";
  for (int i = 0; i < 6; ++i) {
    REQUIRE(writeFile(path, std::string(100, 'x')).ok());
    clock.time += seconds(1);
    auto moved = rotateLog(path, 50, 3, clock);
    REQUIRE(moved.ok());
    CHECK(*moved);
  }
  CHECK(listDir(dir.path).size() == 2);  // with the live one, that the runtime makes anew: 3
  REQUIRE(writeFile(path, "small").ok());
  CHECK_FALSE(*rotateLog(path, 50, 3, clock));
}

TEST_CASE("a projected folder changes at once and only when it must") {
  TempDir dir;
  FixedClock clock;
  auto target = [&] {
    char text[256] = {};
    CHECK(::readlink((dir.path + "/..data").c_str(), text, sizeof text - 1) > 0);
    return std::string(text);
  };
  Payload payload{{"a", {"1", 0644, {}}}, {"d/b", {"2", 0400, {}}}};
  REQUIRE(writePayload(dir.path, payload, std::nullopt, clock).ok());
  CHECK(*readFile(dir.path + "/a") == "1");
  CHECK(*readFile(dir.path + "/d/b") == "2");
  struct stat info {};
  REQUIRE(::stat((dir.path + "/d/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0400);
  const std::string first = target();
  REQUIRE(writePayload(dir.path, payload, std::nullopt, clock).ok());
  CHECK(target() == first);
  payload.erase("a");
  payload["c"] = {"3", 0644, {}};
  REQUIRE(writePayload(dir.path, payload, std::nullopt, clock).ok());
  CHECK(target() != first);
  CHECK_FALSE(exists(dir.path + "/a"));
  CHECK(*readFile(dir.path + "/c") == "3");
  CHECK_FALSE(exists(dir.path + "/" + first));
  CHECK_FALSE(writePayload(dir.path, {{"../x", {}}}, std::nullopt, clock).ok());
  CHECK_FALSE(writePayload(dir.path, {{"/x", {}}}, std::nullopt, clock).ok());
}

TEST_CASE("a status patch says what changed, and leaves foreign conditions alone") {
  Pod pod = podWith({});
  PodStatus before, now;
  before.conditions.resize(1);
  before.conditions[0].type = "example.com/gate";
  before.phase = "Pending";
  before.message = "old";
  now = before;
  CHECK(statusPatch(pod, before, now).empty());
  now.phase = "Running";
  now.message.clear();
  now.podIPs.resize(1);
  now.podIPs[0].ip = "1.2.3.4";
  CHECK(statusPatch(pod, before, now) ==
        R"({"metadata":{"uid":"uid"},"status":{"phase":"Running","podIPs":[{"$patch":"replace"},{"ip":"1.2.3.4"}],"message":null}})");
}

TEST_CASE("runAsNonRoot refuses root in all its forms") {
  Pod pod = podWith({containerNamed("c")});
  auto& c = pod.spec.containers[0];
  CHECK(checkNonRoot(pod, c, 0, "").ok());
  c.securityContext.emplace().runAsNonRoot = true;
  CHECK_FALSE(checkNonRoot(pod, c, 0, "").ok());
  CHECK_FALSE(checkNonRoot(pod, c, std::nullopt, "app").ok());
  CHECK(checkNonRoot(pod, c, 1000, "").ok());
  c.securityContext->runAsUser = 0;
  CHECK_FALSE(checkNonRoot(pod, c, 1000, "").ok());
  c.securityContext->runAsUser = 5;
  CHECK(checkNonRoot(pod, c, 0, "").ok());
}

TEST_CASE("bridges of several instances have names of their own") {
  CHECK(bridgeName("/var/lib/skiff") == "skiff0");
  CHECK(bridgeName("/tmp/a") != bridgeName("/tmp/b"));
  CHECK(bridgeName("/tmp/a").size() <= 15);
}

TEST_CASE("what a path of the server is in the API's terms") {
  CHECK(subresourceOf("/exec/ns/pod/c") == "proxy");
  CHECK(subresourceOf("/stats/summary") == "stats");
  CHECK(subresourceOf("/metrics/resource") == "metrics");
}

TEST_CASE("images that no container needs may go, the largest first") {
  auto image = [](std::string id, std::string tag, uint64_t size, bool pinned = false) {
    cri::Image out;
    out.id = std::move(id);
    out.repoTags = {std::move(tag)};
    out.size = size;
    out.pinned = pinned;
    return out;
  };
  cri::Container byId, byName;
  byId.imageRef = "sha256:a";
  byName.image.image = "b:1";
  auto free = unusedImages({image("sha256:a", "a:1", 9), image("sha256:b", "b:1", 9), image("sha256:c", "c:1", 1),
                            image("sha256:d", "d:1", 2), image("sha256:e", "pause:1", 9), image("sha256:f", "f:1", 9, true)},
                           {byId, byName}, "pause:1");
  REQUIRE(free.size() == 2);
  CHECK(free[0].id == "sha256:d");
  CHECK(free[1].id == "sha256:c");
}

}  // namespace skiff::kubelet
