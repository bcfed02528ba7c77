// Images of containers: present or pulled by policy, with back-off, events and pull secrets.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "client/events.h"
#include "kubelet/backoff.h"
#include "kubelet/cri.h"
#include "kubelet/env.h"
#include "kubelet/pod_status.h"

namespace skiff::kubelet {

// "nginx" -> "docker.io/library/nginx:latest"; names with a registry, tag or digest keep theirs.
std::string normalizedImageName(std::string_view name);
std::string registryOf(std::string_view normalizedName);

class ImageManager {
 public:
  ImageManager(cri::Client& runtime, ObjectSource& objects, client::EventRecorder& events, const Clock& clock)
      : runtime_(runtime), objects_(objects), events_(events), clock_(clock) {}

  struct Outcome {
    std::string ref;             // of the image to run; "" when there is none yet
    std::optional<int64_t> uid;  // the user that the image names
    std::string username;
    Waiting waiting;             // why not, with upstream's reasons
    microseconds retryAfter{0};
  };
  Outcome ensure(const Pod& pod, const Container& container, ContainerKind kind, const cri::PodSandboxConfig& sandbox);
  void forget(std::string_view uid);  // the pod is gone
  // "sha256:..." -> "registry/name@sha256:..." where the runtime knows a digest, for statuses.
  std::string imageId(const std::string& ref);

 private:
  std::vector<cri::AuthConfig> credentials(const Pod& pod, const std::string& image);
  Result<std::string> pull(const Pod& pod, const std::string& image, const cri::PodSandboxConfig& sandbox);

  cri::Client& runtime_;
  ObjectSource& objects_;
  client::EventRecorder& events_;
  const Clock& clock_;
  std::mutex mutex_;  // guards all below
  Backoff backoff_;
  struct Failure {
    WallTime at;
    std::string message;
  };
  std::map<std::string, Failure> failures_;     // by "uid/image"
  std::map<std::string, std::string> imageIds_;  // by ref
};

}  // namespace skiff::kubelet
