#include "kubelet/cri.h"

#include "base/strings.h"
#include "kubelet/cri_codec.h"

namespace skiff::kubelet::cri {
namespace {

constexpr std::string_view kRuntime = "/runtime.v1.RuntimeService/";
constexpr std::string_view kImage = "/runtime.v1.ImageService/";
// As upstream's runtime-request-timeout: starting a sandbox on a loaded machine takes long.
constexpr seconds kSlow{240};
constexpr seconds kQuick{60};
constexpr seconds kPull{1800};

std::string runtime(std::string_view method) { return concat(kRuntime, method); }
std::string image(std::string_view method) { return concat(kImage, method); }
IdRequest byId(std::string_view id, bool verbose = false) { return {std::string(id), verbose}; }

}  // namespace

std::unique_ptr<Client> Client::create(std::string_view endpoint) {
  if (endpoint.starts_with("unix://")) endpoint.remove_prefix(7);
  net::Endpoint target;
  target.unixPath = std::string(endpoint);
  return std::make_unique<Client>(net::GrpcChannel::create(target));
}

template <class Response, class Request>
Result<Response> Client::call(std::string_view method, const Request& request, milliseconds timeout) {
  return decode<Response>(TRY(channel_->call(method, encode(request), timeout)));
}

Result<VersionResponse> Client::version(milliseconds timeout) {
  return call<VersionResponse>(runtime("Version"), Empty{}, timeout);
}
Result<RuntimeStatus> Client::status() {
  return TRY(call<StatusResponse>(runtime("Status"), Empty{}, kQuick)).status;
}

Result<std::string> Client::runPodSandbox(const PodSandboxConfig& config, std::string_view runtimeHandler) {
  RunPodSandboxRequest request{config, std::string(runtimeHandler)};
  return TRY(call<RunPodSandboxResponse>(runtime("RunPodSandbox"), request, kSlow)).podSandboxId;
}
Status Client::stopPodSandbox(std::string_view id) {
  TRY(call<Empty>(runtime("StopPodSandbox"), byId(id), kSlow));
  return okStatus();
}
Status Client::removePodSandbox(std::string_view id) {
  TRY(call<Empty>(runtime("RemovePodSandbox"), byId(id), kSlow));
  return okStatus();
}
Result<PodSandboxStatusResponse> Client::podSandboxStatus(std::string_view id, bool verbose) {
  return call<PodSandboxStatusResponse>(runtime("PodSandboxStatus"), byId(id, verbose), kQuick);
}
Result<std::vector<PodSandbox>> Client::listPodSandboxes(const PodSandboxFilter& filter) {
  return TRY(call<ListPodSandboxResponse>(runtime("ListPodSandbox"), ListPodSandboxRequest{filter}, kQuick)).items;
}

Result<std::string> Client::createContainer(std::string_view sandboxId, const ContainerConfig& config,
                                            const PodSandboxConfig& sandbox) {
  CreateContainerRequest request{std::string(sandboxId), config, sandbox};
  return TRY(call<CreateContainerResponse>(runtime("CreateContainer"), request, kSlow)).containerId;
}
Status Client::startContainer(std::string_view id) {
  TRY(call<Empty>(runtime("StartContainer"), byId(id), kSlow));
  return okStatus();
}
Status Client::stopContainer(std::string_view id, seconds grace) {
  StopContainerRequest request;
  request.containerId = std::string(id);
  request.timeout = grace.count();
  TRY(call<Empty>(runtime("StopContainer"), request, kSlow + grace));
  return okStatus();
}
Status Client::removeContainer(std::string_view id) {
  TRY(call<Empty>(runtime("RemoveContainer"), byId(id), kSlow));
  return okStatus();
}
Result<std::vector<Container>> Client::listContainers(const ContainerFilter& filter) {
  return TRY(call<ListContainersResponse>(runtime("ListContainers"), ListContainersRequest{filter}, kQuick)).containers;
}
Result<ContainerStatus> Client::containerStatus(std::string_view id) {
  return TRY(call<ContainerStatusResponse>(runtime("ContainerStatus"), byId(id), kQuick)).status;
}
Result<ContainerStatusResponse> Client::containerStatusVerbose(std::string_view id) {
  return call<ContainerStatusResponse>(runtime("ContainerStatus"), byId(id, true), kQuick);
}
Status Client::updateContainerResources(std::string_view id, const LinuxContainerResources& resources) {
  UpdateContainerResourcesRequest request;
  request.containerId = std::string(id);
  request.linux = resources;
  TRY(call<Empty>(runtime("UpdateContainerResources"), request, kQuick));
  return okStatus();
}
Status Client::reopenContainerLog(std::string_view id) {
  TRY(call<Empty>(runtime("ReopenContainerLog"), byId(id), kQuick));
  return okStatus();
}
Result<std::vector<ContainerStats>> Client::listContainerStats() {
  return TRY(call<ListContainerStatsResponse>(runtime("ListContainerStats"), Empty{}, kQuick)).stats;
}

Result<ExecSyncResponse> Client::execSync(std::string_view id, const std::vector<std::string>& command,
                                          seconds timeout) {
  ExecSyncRequest request;
  request.containerId = std::string(id);
  request.cmd = command;
  request.timeout = timeout.count();
  // The runtime keeps the time; ours is only there in case it does not.
  return call<ExecSyncResponse>(runtime("ExecSync"), request, timeout.count() == 0 ? kSlow : timeout + kQuick);
}
Result<std::string> Client::execUrl(const ExecRequest& request) {
  return TRY(call<UrlResponse>(runtime("Exec"), request, kQuick)).url;
}
Result<std::string> Client::attachUrl(const AttachRequest& request) {
  return TRY(call<UrlResponse>(runtime("Attach"), request, kQuick)).url;
}
Result<std::string> Client::portForwardUrl(const PortForwardRequest& request) {
  return TRY(call<UrlResponse>(runtime("PortForward"), request, kQuick)).url;
}

Result<std::vector<Image>> Client::listImages() {
  return TRY(call<ListImagesResponse>(image("ListImages"), Empty{}, kQuick)).images;
}
Result<std::optional<Image>> Client::imageStatus(std::string_view name) {
  ImageRequest request;
  request.image.image = std::string(name);
  return TRY(call<ImageStatusResponse>(image("ImageStatus"), request, kQuick)).image;
}
Result<std::string> Client::pullImage(const PullImageRequest& request) {
  return TRY(call<PullImageResponse>(image("PullImage"), request, kPull)).imageRef;
}
Status Client::removeImage(std::string_view name) {
  ImageRequest request;
  request.image.image = std::string(name);
  TRY(call<Empty>(image("RemoveImage"), request, kSlow));
  return okStatus();
}
Result<std::vector<FilesystemUsage>> Client::imageFsInfo() {
  return TRY(call<ImageFsInfoResponse>(image("ImageFsInfo"), Empty{}, kQuick)).imageFilesystems;
}

}  // namespace skiff::kubelet::cri
