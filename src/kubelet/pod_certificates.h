// Keys and certificates of podCertificate projections: a key made here never leaves the node; a PodCertificateRequest proves
// that we hold it, some signer of the cluster answers with a certificate for the pod. KEP-4317.
//
//   no key --request--> pending --issued--> valid --beginRefreshAt: new key, new request--> valid
//                        `--denied, failed--> failed: the pod does not start (what is valid stays valid until it expires)
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "gen/certificates_v1.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

// The API's part.
class CertificateRequests {
 public:
  virtual ~CertificateRequests() = default;
  // Gives the new request's name.
  virtual Result<std::string> requestCertificate(const Pod& pod, const api::core::v1::PodCertificateProjection& what,
                                                 const std::string& stubCsrDer) = 0;
  virtual Result<api::certificates::v1::PodCertificateRequest> certificateRequest(std::string_view ns,
                                                                                  std::string_view name) = 0;
};

class PodCertificates {
 public:
  struct Credential {
    std::string keyPem, chainPem;
  };
  PodCertificates(CertificateRequests& requests, const Clock& clock) : requests_(requests), clock_(clock) {}

  // The credential of one projection, as far as it is there; starts and follows requests. Until the first certificate has
  // come, Reason::ServiceUnavailable: ask again soon. Calls for the same pod must not overlap.
  Result<Credential> credential(const Pod& pod, std::string_view volume, size_t source,
                                const api::core::v1::PodCertificateProjection& what);
  void forget(std::string_view uid);

 private:
  struct State {
    std::optional<Credential> current;
    WallTime refreshAt{}, notAfter{};
    std::string pendingKey, pendingName;  // of the request on its way; no name: none is
    std::optional<Error> failure;         // the signer's last word on the newest request
    WallTime failedAt{};
  };
  Status request(const Pod& pod, const api::core::v1::PodCertificateProjection& what, State& state);
  Status follow(const Pod& pod, State& state);

  CertificateRequests& requests_;
  const Clock& clock_;
  std::mutex mutex_;  // guards the map, not the states
  std::map<std::string, std::shared_ptr<State>> states_;  // by "uid/volume/source"
};

}  // namespace skiff::kubelet
