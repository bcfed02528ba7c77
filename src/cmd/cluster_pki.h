// The keys and certificates of a cluster in DIR/pki, made once and kept: one CA for servers and clients, one for the
// front proxy, the key that signs service-account tokens, and a client certificate for each role.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "client/transport.h"
#include "pki/jwt.h"
#include "pki/x509.h"

namespace skiff::cmd {

// The common name of the front proxy's certificate: the one name that servers take its word from.
inline constexpr std::string_view kFrontProxyName = "front-proxy-client";

class ClusterPki {
 public:
  static Result<ClusterPki> open(const std::string& directory, const Clock& clock);

  const pki::Pair& ca() const { return ca_; }
  const pki::Pair& frontProxyCa() const { return frontProxyCa_; }
  const std::vector<pki::JwtKey>& serviceAccountKeys() const { return serviceAccountKeys_; }

  // Kept under `name` in the directory; issued anew when absent, within 30 days of its end, or with other names.
  Result<pki::Pair> serverCertificate(const std::string& name, std::vector<std::string> dnsNames,
                                      std::vector<std::string> ipAddresses) const;
  Result<pki::Pair> clientCertificate(const std::string& name, pki::Subject subject) const;
  // Shown to aggregated API servers, by the front proxy's own CA.
  Result<pki::Pair> frontProxyCertificate() const;
  // A kubeconfig of the client certificate of that name.
  Result<client::Config> clientConfig(const std::string& name, pki::Subject subject, const std::string& server) const;

 private:
  Result<pki::Pair> keep(const pki::Pair& ca, const std::string& name, const pki::IssueOptions& options) const;
  std::string directory_;
  const Clock* clock_ = nullptr;
  pki::Pair ca_, frontProxyCa_;
  std::vector<pki::JwtKey> serviceAccountKeys_;
};

}  // namespace skiff::cmd
