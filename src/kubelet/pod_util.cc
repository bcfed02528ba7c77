#include "kubelet/pod_util.h"

#include "api/typed.h"
#include "base/strings.h"

namespace skiff::kubelet {

std::string podKey(const Pod& pod) { return concat(pod.metadata.namespace_, "/", pod.metadata.name); }

std::string podFullName(const Pod& pod) {
  return concat(pod.metadata.name, "_", pod.metadata.namespace_, "(", pod.metadata.uid, ")");
}

bool isSidecar(const Container& initContainer) { return initContainer.restartPolicy == "Always"; }

bool isTerminal(const PodStatus& status) { return status.phase == "Succeeded" || status.phase == "Failed"; }

bool isMirrorPod(const Pod& pod) { return pod.metadata.annotations.contains(std::string(kConfigMirror)); }

bool isStaticPod(const Pod& pod) {
  auto it = pod.metadata.annotations.find(std::string(kConfigSource));
  return it != pod.metadata.annotations.end() && it->second != "api";
}

Container containerOf(const api::core::v1::EphemeralContainer& e) {
  Container c;
  c.name = e.name;
  c.image = e.image;
  c.command = e.command;
  c.args = e.args;
  c.workingDir = e.workingDir;
  c.envFrom = e.envFrom;
  c.env = e.env;
  c.volumeMounts = e.volumeMounts;
  c.volumeDevices = e.volumeDevices;
  c.terminationMessagePath = e.terminationMessagePath;
  c.terminationMessagePolicy = e.terminationMessagePolicy;
  c.imagePullPolicy = e.imagePullPolicy;
  c.securityContext = e.securityContext;
  c.stdin = e.stdin;
  c.stdinOnce = e.stdinOnce;
  c.tty = e.tty;
  c.restartPolicy = "Never";  // ephemeral containers never restart
  return c;
}

void eachContainer(const Pod& pod, const std::function<void(const Container&, ContainerKind)>& visit) {
  for (const auto& c : pod.spec.initContainers) visit(c, ContainerKind::Init);
  for (const auto& c : pod.spec.containers) visit(c, ContainerKind::Regular);
  for (const auto& c : pod.spec.ephemeralContainers) visit(containerOf(c), ContainerKind::Ephemeral);
}

const Container* findContainer(const Pod& pod, std::string_view name, Container* holder, ContainerKind* kind) {
  auto found = [kind](const Container& c, ContainerKind k) {
    if (kind != nullptr) *kind = k;
    return &c;
  };
  for (const auto& c : pod.spec.initContainers)
    if (c.name == name) return found(c, ContainerKind::Init);
  for (const auto& c : pod.spec.containers)
    if (c.name == name) return found(c, ContainerKind::Regular);
  for (const auto& c : pod.spec.ephemeralContainers) {
    if (c.name != name) continue;
    *holder = containerOf(c);
    return found(*holder, ContainerKind::Ephemeral);
  }
  return nullptr;
}

int64_t gracePeriodSeconds(const Pod& pod) {
  if (pod.metadata.deletionGracePeriodSeconds) return *pod.metadata.deletionGracePeriodSeconds;
  return pod.spec.terminationGracePeriodSeconds.value_or(30);
}

std::string containerHash(const Container& container) {
  // Only the image may change in a running pod (resources are resized in place): name and image say it all.
  char text[9];
  std::snprintf(text, sizeof text, "%08x", fnv32a(concat(container.name, "\n", container.image)));
  return text;
}

std::string fieldPathOf(std::string_view containerName, ContainerKind kind) {
  std::string_view list = kind == ContainerKind::Init      ? "initContainers"
                          : kind == ContainerKind::Regular ? "containers"
                                                           : "ephemeralContainers";
  return concat("spec.", list, "{", containerName, "}");
}

std::pair<std::string, std::string> hostnameOf(const Pod& pod, std::string_view clusterDomain) {
  if (pod.spec.hostnameOverride) return {*pod.spec.hostnameOverride, ""};
  std::string name = pod.spec.hostname.empty() ? pod.metadata.name : pod.spec.hostname;
  if (name.size() > 63) {
    name.resize(63);
    while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  }
  std::string domain;
  if (!pod.spec.subdomain.empty())
    domain = concat(pod.spec.subdomain, ".", pod.metadata.namespace_, ".svc.", clusterDomain);
  return {std::move(name), std::move(domain)};
}

}  // namespace skiff::kubelet
