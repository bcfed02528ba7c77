// Helpers of this room's tests.
#pragma once
#include <stdlib.h>

#include <string>

#include "kubelet/env.h"
#include "kubelet/files.h"

namespace skiff::kubelet {

// A folder that goes away with it.
struct TempDir {
  std::string path;
  TempDir() {
    char name[] = "/tmp/kubelet-test-XXXXXX";
    MUST(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~TempDir() {
    auto unmounted = unmountUnder(path);
    auto removed = removeTree(path);
    (void)unmounted;
    (void)removed;
  }
};

struct FixedClock : Clock {
  WallTime time{std::chrono::seconds(1795000000)};
  WallTime now() const override { return time; }
  SteadyTime steadyNow() const override { return SteadyTime(time.time_since_epoch()); }
};

struct FakeObjects : ObjectSource {
  std::map<std::string, api::core::v1::ConfigMap> maps;  // by "ns/name"
  std::map<std::string, api::core::v1::Secret> secrets;
  std::map<std::string, std::vector<std::shared_ptr<const api::core::v1::Service>>> byNs;

  Result<api::core::v1::ConfigMap> configMap(std::string_view ns, std::string_view name) override {
    auto it = maps.find(std::string(ns) + "/" + std::string(name));
    if (it == maps.end()) return Error(Reason::NotFound, "configmap \"" + std::string(name) + "\" not found");
    return it->second;
  }
  Result<api::core::v1::Secret> secret(std::string_view ns, std::string_view name) override {
    auto it = secrets.find(std::string(ns) + "/" + std::string(name));
    if (it == secrets.end()) return Error(Reason::NotFound, "secret \"" + std::string(name) + "\" not found");
    return it->second;
  }
  std::vector<std::shared_ptr<const api::core::v1::Service>> services(std::string_view ns) override {
    return byNs[std::string(ns)];
  }
};

inline Container containerNamed(std::string name) {
  Container c;
  c.name = std::move(name);
  c.image = "image";
  return c;
}

inline Pod podWith(std::vector<Container> containers, std::string restartPolicy = "Always") {
  Pod pod;
  pod.metadata.name = "pod";
  pod.metadata.namespace_ = "ns";
  pod.metadata.uid = "uid";
  pod.metadata.generation = 7;
  pod.spec.restartPolicy = std::move(restartPolicy);
  pod.spec.containers = std::move(containers);
  return pod;
}

}  // namespace skiff::kubelet
