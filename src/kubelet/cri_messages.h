// The messages of the CRI (runtime.v1) that a kubelet needs, as plain structs. The interface is described at
// https://kubernetes.io/docs/concepts/architecture/cri/; `each` names a message's fields with their numbers and is
// all that cri_codec.h knows of it. An optional number stands for the wrapper message Int64Value.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skiff::kubelet::cri {

enum class Protocol : int32_t { Tcp = 0, Udp = 1, Sctp = 2 };
enum class MountPropagation : int32_t { Private = 0, HostToContainer = 1, Bidirectional = 2 };
enum class NamespaceMode : int32_t { Pod = 0, Container = 1, Node = 2, Target = 3 };
enum class SupplementalGroupsPolicy : int32_t { Merge = 0, Strict = 1 };
enum class PodSandboxState : int32_t { Ready = 0, NotReady = 1 };
enum class ContainerState : int32_t { Created = 0, Running = 1, Exited = 2, Unknown = 3 };
enum class ProfileType : int32_t { RuntimeDefault = 0, Unconfined = 1, Localhost = 2 };

struct VersionResponse {
  std::string version;
  std::string runtimeName;
  std::string runtimeVersion;
  std::string runtimeApiVersion;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.version); f(2, m.runtimeName); f(3, m.runtimeVersion); f(4, m.runtimeApiVersion);
  }
};

struct DNSConfig {
  std::vector<std::string> servers;
  std::vector<std::string> searches;
  std::vector<std::string> options;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.servers); f(2, m.searches); f(3, m.options);
  }
};

struct PortMapping {
  Protocol protocol{};
  int32_t containerPort = 0;
  int32_t hostPort = 0;
  std::string hostIp;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.protocol); f(2, m.containerPort); f(3, m.hostPort); f(4, m.hostIp);
  }
};

struct Mount {
  std::string containerPath;
  std::string hostPath;
  bool readonly = false;
  bool selinuxRelabel = false;
  MountPropagation propagation{};
  bool recursiveReadOnly = false;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerPath); f(2, m.hostPath); f(3, m.readonly); f(4, m.selinuxRelabel); f(5, m.propagation);
    f(8, m.recursiveReadOnly);
  }
};

struct NamespaceOption {
  NamespaceMode network{};
  NamespaceMode pid{};
  NamespaceMode ipc{};
  std::string targetId;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.network); f(2, m.pid); f(3, m.ipc); f(4, m.targetId);
  }
};

struct SecurityProfile {
  ProfileType profileType{};
  std::string localhostRef;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.profileType); f(2, m.localhostRef);
  }
};

struct LinuxSandboxSecurityContext {
  std::optional<NamespaceOption> namespaceOptions;
  std::optional<int64_t> runAsUser;
  std::optional<int64_t> runAsGroup;
  bool readonlyRootfs = false;
  std::vector<int64_t> supplementalGroups;
  SupplementalGroupsPolicy supplementalGroupsPolicy{};
  bool privileged = false;
  std::optional<SecurityProfile> seccomp;
  std::optional<SecurityProfile> apparmor;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.namespaceOptions); f(3, m.runAsUser); f(8, m.runAsGroup); f(4, m.readonlyRootfs);
    f(5, m.supplementalGroups); f(11, m.supplementalGroupsPolicy); f(6, m.privileged); f(9, m.seccomp);
    f(10, m.apparmor);
  }
};

struct LinuxContainerResources {
  int64_t cpuPeriod = 0;
  int64_t cpuQuota = 0;
  int64_t cpuShares = 0;
  int64_t memoryLimitInBytes = 0;
  int64_t oomScoreAdj = 0;
  std::string cpusetCpus;
  std::string cpusetMems;
  std::map<std::string, std::string> unified;
  int64_t memorySwapLimitInBytes = 0;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.cpuPeriod); f(2, m.cpuQuota); f(3, m.cpuShares); f(4, m.memoryLimitInBytes); f(5, m.oomScoreAdj);
    f(6, m.cpusetCpus); f(7, m.cpusetMems); f(9, m.unified); f(10, m.memorySwapLimitInBytes);
  }
};

struct LinuxPodSandboxConfig {
  std::string cgroupParent;
  LinuxSandboxSecurityContext securityContext;
  std::map<std::string, std::string> sysctls;
  std::optional<LinuxContainerResources> overhead;
  std::optional<LinuxContainerResources> resources;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.cgroupParent); f(2, m.securityContext); f(3, m.sysctls); f(4, m.overhead); f(5, m.resources);
  }
};

struct PodSandboxMetadata {
  std::string name;
  std::string uid;
  std::string ns;
  uint32_t attempt = 0;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.name); f(2, m.uid); f(3, m.ns); f(4, m.attempt);
  }
};

struct PodSandboxConfig {
  PodSandboxMetadata metadata;
  std::string hostname;
  std::string logDirectory;
  DNSConfig dnsConfig;
  std::vector<PortMapping> portMappings;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  LinuxPodSandboxConfig linux;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.metadata); f(2, m.hostname); f(3, m.logDirectory); f(4, m.dnsConfig); f(5, m.portMappings);
    f(6, m.labels); f(7, m.annotations); f(8, m.linux);
  }
};

struct RunPodSandboxRequest {
  PodSandboxConfig config;
  std::string runtimeHandler;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.config); f(2, m.runtimeHandler);
  }
};

struct RunPodSandboxResponse {
  std::string podSandboxId;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.podSandboxId);
  }
};

struct PodIP {
  std::string ip;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.ip);
  }
};

struct PodSandboxNetworkStatus {
  std::string ip;
  std::vector<PodIP> additionalIps;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.ip); f(2, m.additionalIps);
  }
};

struct Namespace {
  std::optional<NamespaceOption> options;
  template <class M, class F>
  static void each(M& m, F f) {
    f(2, m.options);
  }
};

struct LinuxPodSandboxStatus {
  Namespace namespaces;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.namespaces);
  }
};

struct PodSandboxStatus {
  std::string id;
  PodSandboxMetadata metadata;
  PodSandboxState state{};
  int64_t createdAt = 0;
  std::optional<PodSandboxNetworkStatus> network;
  LinuxPodSandboxStatus linux;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::string runtimeHandler;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.metadata); f(3, m.state); f(4, m.createdAt); f(5, m.network); f(6, m.linux); f(7, m.labels);
    f(8, m.annotations); f(9, m.runtimeHandler);
  }
};

struct PodSandboxStatusResponse {
  PodSandboxStatus status;
  std::map<std::string, std::string> info;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.status); f(2, m.info);
  }
};

struct PodSandboxFilter {
  std::string id;
  std::optional<PodSandboxState> state;
  std::map<std::string, std::string> labelSelector;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.state); f(3, m.labelSelector);
  }
};

struct ListPodSandboxRequest {
  PodSandboxFilter filter;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.filter);
  }
};

struct PodSandbox {
  std::string id;
  PodSandboxMetadata metadata;
  PodSandboxState state{};
  int64_t createdAt = 0;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::string runtimeHandler;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.metadata); f(3, m.state); f(4, m.createdAt); f(5, m.labels); f(6, m.annotations);
    f(7, m.runtimeHandler);
  }
};

struct ListPodSandboxResponse {
  std::vector<PodSandbox> items;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.items);
  }
};

struct ImageSpec {
  std::string image;
  std::map<std::string, std::string> annotations;
  std::string userSpecifiedImage;
  std::string runtimeHandler;
  std::string imageRef;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.image); f(2, m.annotations); f(18, m.userSpecifiedImage); f(19, m.runtimeHandler); f(20, m.imageRef);
  }
};

struct KeyValue {
  std::string key;
  std::string value;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.key); f(2, m.value);
  }
};

struct HugepageLimit {
  std::string pageSize;
  uint64_t limit = 0;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.pageSize); f(2, m.limit);
  }
};

struct Capability {
  std::vector<std::string> addCapabilities;
  std::vector<std::string> dropCapabilities;
  std::vector<std::string> addAmbientCapabilities;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.addCapabilities); f(2, m.dropCapabilities); f(3, m.addAmbientCapabilities);
  }
};

struct LinuxContainerSecurityContext {
  std::optional<Capability> capabilities;
  bool privileged = false;
  std::optional<NamespaceOption> namespaceOptions;
  std::optional<int64_t> runAsUser;
  std::optional<int64_t> runAsGroup;
  std::string runAsUsername;
  bool readonlyRootfs = false;
  std::vector<int64_t> supplementalGroups;
  SupplementalGroupsPolicy supplementalGroupsPolicy{};
  bool noNewPrivs = false;
  std::vector<std::string> maskedPaths;
  std::vector<std::string> readonlyPaths;
  std::optional<SecurityProfile> seccomp;
  std::optional<SecurityProfile> apparmor;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.capabilities); f(2, m.privileged); f(3, m.namespaceOptions); f(5, m.runAsUser); f(12, m.runAsGroup);
    f(6, m.runAsUsername); f(7, m.readonlyRootfs); f(8, m.supplementalGroups); f(17, m.supplementalGroupsPolicy);
    f(11, m.noNewPrivs); f(13, m.maskedPaths); f(14, m.readonlyPaths); f(15, m.seccomp); f(16, m.apparmor);
  }
};

struct LinuxContainerConfig {
  std::optional<LinuxContainerResources> resources;
  LinuxContainerSecurityContext securityContext;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.resources); f(2, m.securityContext);
  }
};

struct ContainerMetadata {
  std::string name;
  uint32_t attempt = 0;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.name); f(2, m.attempt);
  }
};

struct Device {
  std::string containerPath;
  std::string hostPath;
  std::string permissions;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerPath); f(2, m.hostPath); f(3, m.permissions);
  }
};

struct ContainerConfig {
  ContainerMetadata metadata;
  ImageSpec image;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::string workingDir;
  std::vector<KeyValue> envs;
  std::vector<Mount> mounts;
  std::vector<Device> devices;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::string logPath;
  bool stdin_ = false;
  bool stdinOnce = false;
  bool tty = false;
  LinuxContainerConfig linux;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.metadata); f(2, m.image); f(3, m.command); f(4, m.args); f(5, m.workingDir); f(6, m.envs);
    f(7, m.mounts); f(8, m.devices); f(9, m.labels); f(10, m.annotations); f(11, m.logPath); f(12, m.stdin_);
    f(13, m.stdinOnce); f(14, m.tty); f(15, m.linux);
  }
};

struct CreateContainerRequest {
  std::string podSandboxId;
  ContainerConfig config;
  PodSandboxConfig sandboxConfig;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.podSandboxId); f(2, m.config); f(3, m.sandboxConfig);
  }
};

struct CreateContainerResponse {
  std::string containerId;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerId);
  }
};

struct StopContainerRequest {
  std::string containerId;
  int64_t timeout = 0;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerId); f(2, m.timeout);
  }
};

struct ContainerFilter {
  std::string id;
  std::optional<ContainerState> state;
  std::string podSandboxId;
  std::map<std::string, std::string> labelSelector;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.state); f(3, m.podSandboxId); f(4, m.labelSelector);
  }
};

struct ListContainersRequest {
  ContainerFilter filter;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.filter);
  }
};

struct Container {
  std::string id;
  std::string podSandboxId;
  ContainerMetadata metadata;
  ImageSpec image;
  std::string imageRef;
  ContainerState state{};
  int64_t createdAt = 0;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::string imageId;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.podSandboxId); f(3, m.metadata); f(4, m.image); f(5, m.imageRef); f(6, m.state);
    f(7, m.createdAt); f(8, m.labels); f(9, m.annotations); f(10, m.imageId);
  }
};

struct ListContainersResponse {
  std::vector<Container> containers;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containers);
  }
};

struct ContainerResources {
  std::optional<LinuxContainerResources> linux;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.linux);
  }
};

struct LinuxContainerUser {
  int64_t uid = 0;
  int64_t gid = 0;
  std::vector<int64_t> supplementalGroups;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.uid); f(2, m.gid); f(3, m.supplementalGroups);
  }
};

struct ContainerUser {
  std::optional<LinuxContainerUser> linux;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.linux);
  }
};

struct ContainerStatus {
  std::string id;
  ContainerMetadata metadata;
  ContainerState state{};
  int64_t createdAt = 0;
  int64_t startedAt = 0;
  int64_t finishedAt = 0;
  int32_t exitCode = 0;
  ImageSpec image;
  std::string imageRef;
  std::string reason;
  std::string message;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<Mount> mounts;
  std::string logPath;
  std::optional<ContainerResources> resources;
  std::string imageId;
  std::optional<ContainerUser> user;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.metadata); f(3, m.state); f(4, m.createdAt); f(5, m.startedAt); f(6, m.finishedAt);
    f(7, m.exitCode); f(8, m.image); f(9, m.imageRef); f(10, m.reason); f(11, m.message); f(12, m.labels);
    f(13, m.annotations); f(14, m.mounts); f(15, m.logPath); f(16, m.resources); f(17, m.imageId); f(18, m.user);
  }
};

struct ContainerStatusResponse {
  ContainerStatus status;
  std::map<std::string, std::string> info;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.status); f(2, m.info);
  }
};

struct UpdateContainerResourcesRequest {
  std::string containerId;
  std::optional<LinuxContainerResources> linux;
  std::map<std::string, std::string> annotations;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerId); f(2, m.linux); f(4, m.annotations);
  }
};

struct ExecSyncRequest {
  std::string containerId;
  std::vector<std::string> cmd;
  int64_t timeout = 0;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerId); f(2, m.cmd); f(3, m.timeout);
  }
};

struct ExecSyncResponse {
  std::string stdout_;
  std::string stderr_;
  int32_t exitCode = 0;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.stdout_); f(2, m.stderr_); f(3, m.exitCode);
  }
};

struct ExecRequest {
  std::string containerId;
  std::vector<std::string> cmd;
  bool tty = false;
  bool stdin_ = false;
  bool stdout_ = false;
  bool stderr_ = false;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerId); f(2, m.cmd); f(3, m.tty); f(4, m.stdin_); f(5, m.stdout_); f(6, m.stderr_);
  }
};

struct AttachRequest {
  std::string containerId;
  bool stdin_ = false;
  bool tty = false;
  bool stdout_ = false;
  bool stderr_ = false;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.containerId); f(2, m.stdin_); f(3, m.tty); f(4, m.stdout_); f(5, m.stderr_);
  }
};

struct PortForwardRequest {
  std::string podSandboxId;
  std::vector<int32_t> port;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.podSandboxId); f(2, m.port);
  }
};

struct Image {
  std::string id;
  std::vector<std::string> repoTags;
  std::vector<std::string> repoDigests;
  uint64_t size = 0;
  std::optional<int64_t> uid;
  std::string username;
  ImageSpec spec;
  bool pinned = false;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.repoTags); f(3, m.repoDigests); f(4, m.size); f(5, m.uid); f(6, m.username); f(7, m.spec);
    f(8, m.pinned);
  }
};

struct ListImagesResponse {
  std::vector<Image> images;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.images);
  }
};

struct ImageStatusResponse {
  std::optional<Image> image;
  std::map<std::string, std::string> info;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.image); f(2, m.info);
  }
};

struct AuthConfig {
  std::string username;
  std::string password;
  std::string auth;
  std::string serverAddress;
  std::string identityToken;
  std::string registryToken;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.username); f(2, m.password); f(3, m.auth); f(4, m.serverAddress); f(5, m.identityToken);
    f(6, m.registryToken);
  }
};

struct PullImageRequest {
  ImageSpec image;
  std::optional<AuthConfig> auth;
  PodSandboxConfig sandboxConfig;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.image); f(2, m.auth); f(3, m.sandboxConfig);
  }
};

struct PullImageResponse {
  std::string imageRef;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.imageRef);
  }
};

struct RuntimeCondition {
  std::string type;
  bool status = false;
  std::string reason;
  std::string message;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.type); f(2, m.status); f(3, m.reason); f(4, m.message);
  }
};

struct RuntimeStatus {
  std::vector<RuntimeCondition> conditions;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.conditions);
  }
};

struct StatusResponse {
  RuntimeStatus status;
  std::map<std::string, std::string> info;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.status); f(2, m.info);
  }
};

struct FilesystemIdentifier {
  std::string mountpoint;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.mountpoint);
  }
};

struct FilesystemUsage {
  int64_t timestamp = 0;
  FilesystemIdentifier fsId;
  std::optional<uint64_t> usedBytes;
  std::optional<uint64_t> inodesUsed;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.timestamp); f(2, m.fsId); f(3, m.usedBytes); f(4, m.inodesUsed);
  }
};

struct ImageFsInfoResponse {
  std::vector<FilesystemUsage> imageFilesystems;
  std::vector<FilesystemUsage> containerFilesystems;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.imageFilesystems); f(2, m.containerFilesystems);
  }
};

struct ContainerAttributes {
  std::string id;
  ContainerMetadata metadata;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.metadata); f(3, m.labels); f(4, m.annotations);
  }
};

struct CpuUsage {
  int64_t timestamp = 0;
  std::optional<uint64_t> usageCoreNanoSeconds;
  std::optional<uint64_t> usageNanoCores;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.timestamp); f(2, m.usageCoreNanoSeconds); f(3, m.usageNanoCores);
  }
};

struct MemoryUsage {
  int64_t timestamp = 0;
  std::optional<uint64_t> workingSetBytes;
  std::optional<uint64_t> availableBytes;
  std::optional<uint64_t> usageBytes;
  std::optional<uint64_t> rssBytes;
  std::optional<uint64_t> pageFaults;
  std::optional<uint64_t> majorPageFaults;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.timestamp); f(2, m.workingSetBytes); f(3, m.availableBytes); f(4, m.usageBytes); f(5, m.rssBytes);
    f(6, m.pageFaults); f(7, m.majorPageFaults);
  }
};

struct ContainerStats {
  ContainerAttributes attributes;
  CpuUsage cpu;
  MemoryUsage memory;
  FilesystemUsage writableLayer;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.attributes); f(2, m.cpu); f(3, m.memory); f(4, m.writableLayer);
  }
};

struct ListContainerStatsResponse {
  std::vector<ContainerStats> stats;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.stats);
  }
};

// Requests that carry one id (field 1), and answers without fields.
struct IdRequest {
  std::string id;
  bool verbose = false;  // status requests only
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.id); f(2, m.verbose);
  }
};
struct ImageRequest {  // ImageStatus, RemoveImage
  ImageSpec image;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.image);
  }
};
struct UrlResponse {  // Exec, Attach, PortForward
  std::string url;
  template <class M, class F>
  static void each(M& m, F f) {
    f(1, m.url);
  }
};
struct Empty {
  template <class M, class F>
  static void each(M&, F) {}
};

}  // namespace skiff::kubelet::cri
