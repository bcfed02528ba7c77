#include "kubelet/container_config.h"

#include <algorithm>

#include "base/strings.h"
#include "kubelet/resources.h"
#include "kubelet/runtime.h"

namespace skiff::kubelet {
namespace {

using api::core::v1::SeccompProfile;

// What the default /proc mount hides from containers, and what it makes read-only.
constexpr std::string_view kMaskedPaths[] = {
    "/proc/asound",      "/proc/acpi",        "/proc/interrupts", "/proc/kcore",
    "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi",        "/sys/firmware",    "/sys/devices/virtual/powercap"};
constexpr std::string_view kReadonlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

cri::NamespaceOption namespacesOf(const Pod& pod) {
  cri::NamespaceOption out;
  out.network = pod.spec.hostNetwork ? cri::NamespaceMode::Node : cri::NamespaceMode::Pod;
  out.ipc = pod.spec.hostIPC ? cri::NamespaceMode::Node : cri::NamespaceMode::Pod;
  out.pid = pod.spec.hostPID                                  ? cri::NamespaceMode::Node
            : pod.spec.shareProcessNamespace.value_or(false) ? cri::NamespaceMode::Pod
                                                              : cri::NamespaceMode::Container;
  return out;
}

std::optional<cri::SecurityProfile> seccompOf(const api::Box<SeccompProfile>& profile) {
  if (!profile) return std::nullopt;
  cri::SecurityProfile out;
  if (profile->type == "RuntimeDefault") {
    out.profileType = cri::ProfileType::RuntimeDefault;
  } else if (profile->type == "Localhost") {
    out.profileType = cri::ProfileType::Localhost;
    out.localhostRef = profile->localhostProfile.value_or("");
  } else {
    out.profileType = cri::ProfileType::Unconfined;
  }
  return out;
}

std::vector<int64_t> supplementalGroups(const Pod& pod) {
  std::vector<int64_t> out;
  if (!pod.spec.securityContext) return out;
  out = pod.spec.securityContext->supplementalGroups;
  if (pod.spec.securityContext->fsGroup) out.push_back(*pod.spec.securityContext->fsGroup);
  return out;
}

template <class T>
std::optional<T> first(const std::optional<T>& own, const std::optional<T>& ofPod) {
  return own ? own : ofPod;
}

cri::LinuxContainerSecurityContext securityOf(const ContainerInputs& in) {
  const Pod& pod = *in.facts->pod;
  const api::core::v1::SecurityContext none;
  const api::core::v1::PodSecurityContext podNone;
  const auto& own = in.container->securityContext ? *in.container->securityContext : none;
  const auto& ofPod = pod.spec.securityContext ? *pod.spec.securityContext : podNone;
  cri::LinuxContainerSecurityContext out;
  out.namespaceOptions = namespacesOf(pod);
  if (!in.targetId.empty()) {
    out.namespaceOptions->pid = cri::NamespaceMode::Target;
    out.namespaceOptions->targetId = in.targetId;
  }
  out.privileged = own.privileged.value_or(false);
  out.runAsUser = first(own.runAsUser, ofPod.runAsUser);
  out.runAsGroup = first(own.runAsGroup, ofPod.runAsGroup);
  out.readonlyRootfs = own.readOnlyRootFilesystem.value_or(false);
  out.supplementalGroups = supplementalGroups(pod);
  out.noNewPrivs = own.allowPrivilegeEscalation.has_value() && !*own.allowPrivilegeEscalation;
  if (own.capabilities) {
    out.capabilities.emplace();
    out.capabilities->addCapabilities = own.capabilities->add;
    out.capabilities->dropCapabilities = own.capabilities->drop;
  }
  out.seccomp = seccompOf(own.seccompProfile ? own.seccompProfile : ofPod.seccompProfile);
  if (!out.seccomp) out.seccomp.emplace().profileType = cri::ProfileType::Unconfined;
  if (!out.privileged && own.procMount.value_or("Default") != "Unmasked") {
    out.maskedPaths.assign(std::begin(kMaskedPaths), std::end(kMaskedPaths));
    out.readonlyPaths.assign(std::begin(kReadonlyPaths), std::end(kReadonlyPaths));
  }
  return out;
}

std::vector<std::string> expandAll(const std::vector<std::string>& words, const std::vector<cri::KeyValue>& environment) {
  auto lookup = [&](std::string_view name) -> std::optional<std::string> {
    for (const auto& variable : environment)
      if (variable.key == name) return variable.value;
    return std::nullopt;
  };
  std::vector<std::string> out;
  for (const auto& word : words) out.push_back(expandVariables(word, lookup));
  return out;
}

std::map<std::string, std::string> podLabels(const Pod& pod) {
  return {{labels::kPodName, pod.metadata.name},
          {labels::kPodNamespace, pod.metadata.namespace_},
          {labels::kPodUid, pod.metadata.uid}};
}

}  // namespace

std::string podLogDir(const NodeConfig& config, const Pod& pod) {
  return concat(config.options.podLogsDir, "/", pod.metadata.namespace_, "_", pod.metadata.name, "_", pod.metadata.uid);
}

cri::PodSandboxConfig sandboxConfig(const NodeConfig& config, const SandboxInputs& in) {
  const Pod& pod = *in.pod;
  cri::PodSandboxConfig out;
  out.metadata = {pod.metadata.name, pod.metadata.uid, pod.metadata.namespace_, in.attempt};
  out.logDirectory = podLogDir(config, pod);
  auto [host, domain] = hostnameOf(pod, config.options.clusterDomain);
  // A pod in the host network shares the host's UTS namespace too: there is no name of its own to set.
  out.hostname = pod.spec.hostNetwork ? "" : host;
  if (!pod.spec.hostNetwork && pod.spec.setHostnameAsFQDN.value_or(false) && !domain.empty())
    out.hostname = concat(host, ".", domain);
  out.labels = pod.metadata.labels;
  out.labels.merge(podLabels(pod));
  for (const auto& [key, value] : podLabels(pod)) out.labels[key] = value;
  out.annotations = pod.metadata.annotations;
  if (!pod.spec.hostNetwork) {
    eachContainer(pod, [&](const Container& c, ContainerKind) {
      for (const auto& port : c.ports) {
        if (port.hostPort == 0) continue;
        cri::PortMapping mapping;
        mapping.protocol = port.protocol == "UDP"    ? cri::Protocol::Udp
                           : port.protocol == "SCTP" ? cri::Protocol::Sctp
                                                     : cri::Protocol::Tcp;
        mapping.containerPort = port.containerPort;
        mapping.hostPort = port.hostPort;
        mapping.hostIp = port.hostIP;
        out.portMappings.push_back(std::move(mapping));
      }
    });
  }
  out.linux.cgroupParent = in.cgroupParent;
  auto& security = out.linux.securityContext;
  security.namespaceOptions = namespacesOf(pod);
  security.supplementalGroups = supplementalGroups(pod);
  security.seccomp.emplace().profileType = cri::ProfileType::RuntimeDefault;  // of the pause process
  if (pod.spec.securityContext) {
    security.runAsUser = pod.spec.securityContext->runAsUser;
    if (security.runAsUser) security.runAsGroup = pod.spec.securityContext->runAsGroup;
    for (const auto& sysctl : pod.spec.securityContext->sysctls) out.linux.sysctls[sysctl.name] = sysctl.value;
  }
  eachContainer(pod, [&](const Container& c, ContainerKind) {
    if (c.securityContext && c.securityContext->privileged.value_or(false)) security.privileged = true;
  });
  return out;
}

Result<cri::ContainerConfig> containerConfig(const NodeConfig& config, const ContainerInputs& in) {
  const Pod& pod = *in.facts->pod;
  const Container& c = *in.container;
  cri::ContainerConfig out;
  out.metadata = {c.name, uint32_t(in.attempt)};
  out.image.image = in.imageRef;
  out.image.userSpecifiedImage = c.image;
  out.command = expandAll(c.command, in.environment);
  out.args = expandAll(c.args, in.environment);
  out.workingDir = c.workingDir;
  out.envs = in.environment;
  out.mounts = in.mounts;
  out.labels = podLabels(pod);
  out.labels[labels::kContainerName] = c.name;
  out.annotations[labels::kHash] = containerHash(c);
  out.annotations[labels::kRestartCount] = std::to_string(in.attempt);
  out.annotations[labels::kMessagePath] = c.terminationMessagePath;
  out.annotations[labels::kMessagePolicy] = c.terminationMessagePolicy;
  out.annotations[labels::kGracePeriod] = std::to_string(pod.spec.terminationGracePeriodSeconds.value_or(30));
  out.logPath = concat(c.name, "/", in.attempt, ".log");
  out.stdin_ = c.stdin;
  out.stdinOnce = c.stdinOnce;
  out.tty = c.tty;
  out.linux.resources = linuxResources(pod, c, config.memoryBytes);
  out.linux.securityContext = securityOf(in);
  return out;
}

Status checkNonRoot(const Pod& pod, const Container& container, std::optional<int64_t> imageUid,
                    const std::string& imageUsername) {
  const auto& own = container.securityContext;
  const auto& ofPod = pod.spec.securityContext;
  auto nonRoot = first(own ? own->runAsNonRoot : std::nullopt, ofPod ? ofPod->runAsNonRoot : std::nullopt);
  if (!nonRoot.value_or(false)) return okStatus();
  auto user = first(own ? own->runAsUser : std::nullopt, ofPod ? ofPod->runAsUser : std::nullopt);
  const std::string where = concat(" (pod: ", skiff::quoted(podFullName(pod)), ", container: ", container.name, ")");
  if (user) {
    if (*user == 0) return badRequest(concat("container's runAsUser breaks non-root policy", where));
    return okStatus();
  }
  if (imageUid.value_or(0) == 0 && imageUsername.empty())
    return badRequest(concat("container has runAsNonRoot and image will run as root", where));
  if (!imageUsername.empty())
    return badRequest(concat("container has runAsNonRoot and image has non-numeric user (", imageUsername,
                             "), cannot verify user is non-root", where));
  return okStatus();
}

bool isSafeSysctl(std::string_view name) {
  static constexpr std::string_view kSafe[] = {
      "kernel.shm_rmid_forced",         "net.ipv4.ip_local_port_range",  "net.ipv4.tcp_syncookies",
      "net.ipv4.ping_group_range",      "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports",
      "net.ipv4.tcp_keepalive_time",    "net.ipv4.tcp_fin_timeout",      "net.ipv4.tcp_keepalive_intvl",
      "net.ipv4.tcp_keepalive_probes",  "net.ipv4.tcp_rmem",             "net.ipv4.tcp_wmem"};
  std::string dotted = replaceAll(name, "/", ".");
  return std::find(std::begin(kSafe), std::end(kSafe), dotted) != std::end(kSafe);
}

}  // namespace skiff::kubelet
