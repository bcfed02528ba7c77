// The volumes of pods below <rootDir>/pods/<uid>/: made before the first container, kept current, removed at the end.
//
//   volumes/kubernetes.io~secret/NAME      one folder each; memory ones and secrets are tmpfs mounts
//   volume-subpaths/NAME/CONTAINER/INDEX   bind mounts of subPath
//   containers/NAME/ATTEMPT                termination message files
//   etc-hosts
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kubelet/atomic_writer.h"
#include "kubelet/env.h"
#include "kubelet/pod_certificates.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

// Fetches what volumes project beyond ObjectSource.
class TokenSource : public CertificateRequests {
 public:
  struct Token {
    std::string token;
    WallTime expires;
  };
  virtual Result<Token> serviceAccountToken(const Pod& pod, const api::core::v1::ServiceAccountTokenProjection& what) = 0;
  virtual Result<std::string> trustBundle(const api::core::v1::ClusterTrustBundleProjection& what) = 0;
  // The host path of a bound claim whose volume is a hostPath or local one.
  virtual Result<std::string> claimPath(std::string_view ns, std::string_view claim, bool* readOnly) = 0;
};

class VolumeManager {
 public:
  VolumeManager(std::string podsDir, ObjectSource& objects, TokenSource& tokens, const Clock& clock)
      : podsDir_(std::move(podsDir)), objects_(objects), tokens_(tokens), clock_(clock), certificates_(tokens, clock) {}

  // Ensures all volumes of the pod; may be called again at any time, and brings projected ones up to date.
  Status setUp(const PodFacts& facts);
  // Does it have volumes whose content follows API objects or expires?
  static bool isLive(const Pod& pod);

  struct VolumePath {
    std::string hostPath;
    bool readOnly = false;
  };
  // Host path of a volume after setUp.
  Result<VolumePath> pathOf(const Pod& pod, const api::core::v1::Volume& volume);
  // A bind mount of volume/subPath for one mount of a container, safe against links that lead out of the volume.
  Result<std::string> subPath(const Pod& pod, const std::string& volumeDir, const std::string& volume,
                              const std::string& container, size_t index, const std::string& path);

  std::string podDir(std::string_view uid) const { return podsDir_ + "/" + std::string(uid); }
  Status tearDown(std::string_view uid);  // unmounts and removes the pod's folder
  std::vector<std::string> podUids() const;

 private:
  std::string volumeDir(const Pod& pod, std::string_view plugin, std::string_view name) const;
  Status setUpOne(const PodFacts& facts, const api::core::v1::Volume& volume);
  Status setUpEmptyDir(const Pod& pod, const api::core::v1::Volume& volume);
  Status checkHostPath(const api::core::v1::HostPathVolumeSource& source);
  Status project(const PodFacts& facts, std::string_view plugin, const std::string& name, bool inMemory, Payload payload);
  Result<Payload> projectedPayload(const PodFacts& facts, const std::string& volume,
                                   const api::core::v1::ProjectedVolumeSource& source);
  Result<Payload> downwardPayload(const PodFacts& facts, const std::vector<api::core::v1::DownwardAPIVolumeFile>& items,
                                  int32_t defaultMode);
  Result<std::string> currentToken(const Pod& pod, const std::string& volume,
                                   const api::core::v1::ServiceAccountTokenProjection& source);

  static ProjectedFile privateFile(const Pod& pod, std::string content, mode_t mode);
  Result<Payload> certificatePayload(const Pod& pod, const std::string& volume, size_t source, mode_t mode,
                                     const api::core::v1::PodCertificateProjection& what);

  std::string podsDir_;
  ObjectSource& objects_;
  TokenSource& tokens_;
  const Clock& clock_;
  PodCertificates certificates_;
  struct CachedToken {
    std::string token;
    WallTime refreshAt;  // at 80% of its life, or after a day
  };
  std::mutex mutex_;  // guards tokenCache_
  std::map<std::string, CachedToken> tokenCache_;  // by "uid/volume/audience/path"
};

}  // namespace skiff::kubelet
