// Fetches what pods refer to from the API: config maps, secrets, services, tokens, trust bundles, claims.
#pragma once
#include <memory>
#include <string>

#include "client/client.h"
#include "client/informer.h"
#include "kubelet/env.h"
#include "kubelet/volumes.h"

namespace skiff::kubelet {

class ApiObjects : public ObjectSource, public TokenSource {
 public:
  ApiObjects(client::Client& api, client::Informer<api::core::v1::Service> services, std::string nodeName)
      : api_(api), services_(std::move(services)), nodeName_(std::move(nodeName)) {}
  Result<api::core::v1::ConfigMap> configMap(std::string_view ns, std::string_view name) override;
  Result<api::core::v1::Secret> secret(std::string_view ns, std::string_view name) override;
  std::vector<std::shared_ptr<const api::core::v1::Service>> services(std::string_view ns) override;
  Result<Token> serviceAccountToken(const Pod& pod, const api::core::v1::ServiceAccountTokenProjection& what) override;
  Result<std::string> trustBundle(const api::core::v1::ClusterTrustBundleProjection& what) override;
  Result<std::string> claimPath(std::string_view ns, std::string_view claim, bool* readOnly) override;
  Result<std::string> requestCertificate(const Pod& pod, const api::core::v1::PodCertificateProjection& what,
                                         const std::string& stubCsrDer) override;
  Result<api::certificates::v1::PodCertificateRequest> certificateRequest(std::string_view ns,
                                                                          std::string_view name) override;

 private:
  client::Client& api_;
  client::Informer<api::core::v1::Service> services_;
  std::string nodeName_;
};

}  // namespace skiff::kubelet
