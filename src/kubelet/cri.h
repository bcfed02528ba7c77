// Client of the CRI's runtime and image services (runtime.v1). Thread safe; every call blocks and has a deadline.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kubelet/cri_messages.h"
#include "net/grpc.h"

namespace skiff::kubelet::cri {

class Client {
 public:
  // "unix:///run/containerd/containerd.sock", or a bare path.
  static std::unique_ptr<Client> create(std::string_view endpoint);
  explicit Client(std::unique_ptr<net::GrpcChannel> channel) : channel_(std::move(channel)) {}

  Result<VersionResponse> version(milliseconds timeout = seconds(5));
  Result<RuntimeStatus> status();

  Result<std::string> runPodSandbox(const PodSandboxConfig& config, std::string_view runtimeHandler);
  Status stopPodSandbox(std::string_view id);
  Status removePodSandbox(std::string_view id);
  Result<PodSandboxStatusResponse> podSandboxStatus(std::string_view id, bool verbose = false);
  Result<std::vector<PodSandbox>> listPodSandboxes(const PodSandboxFilter& filter = {});

  Result<std::string> createContainer(std::string_view sandboxId, const ContainerConfig& config,
                                      const PodSandboxConfig& sandbox);
  Status startContainer(std::string_view id);
  Status stopContainer(std::string_view id, seconds grace);  // blocks until it is gone
  Status removeContainer(std::string_view id);
  Result<std::vector<Container>> listContainers(const ContainerFilter& filter = {});
  Result<ContainerStatus> containerStatus(std::string_view id);
  Result<ContainerStatusResponse> containerStatusVerbose(std::string_view id);
  Status updateContainerResources(std::string_view id, const LinuxContainerResources& resources);
  Status reopenContainerLog(std::string_view id);
  Result<std::vector<ContainerStats>> listContainerStats();

  Result<ExecSyncResponse> execSync(std::string_view id, const std::vector<std::string>& command, seconds timeout);
  Result<std::string> execUrl(const ExecRequest& request);
  Result<std::string> attachUrl(const AttachRequest& request);
  Result<std::string> portForwardUrl(const PortForwardRequest& request);

  Result<std::vector<Image>> listImages();
  Result<std::optional<Image>> imageStatus(std::string_view image);
  Result<std::string> pullImage(const PullImageRequest& request);
  Status removeImage(std::string_view image);
  Result<std::vector<FilesystemUsage>> imageFsInfo();

  net::GrpcChannel& channel() { return *channel_; }

 private:
  template <class Response, class Request>
  Result<Response> call(std::string_view method, const Request& request, milliseconds timeout);
  std::unique_ptr<net::GrpcChannel> channel_;
};

}  // namespace skiff::kubelet::cri
