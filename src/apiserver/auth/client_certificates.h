// Users by the certificate of their connection: their own, or that of a proxy which tells for whom it speaks.
#pragma once
#include <mutex>
#include <unordered_map>

#include "apiserver/security.h"
#include "pki/x509.h"

namespace skiff::apiserver {

// Verified chains by their leaf's bytes: a client with one certificate is checked once in a while, not each time.
class ChainVerifier {
 public:
  ChainVerifier(std::string caPem, const Clock& clock) : caPem_(std::move(caPem)), clock_(clock) {}
  bool configured() const { return !caPem_.empty(); }
  Result<pki::CertificateInfo> verify(const std::vector<std::string>& chain);

 private:
  static constexpr size_t kMaxKnown = 1024;  // a certificate is about 1 KiB
  static constexpr auto kTrust = std::chrono::minutes(10);
  struct Known {
    pki::CertificateInfo info;
    WallTime until;
  };
  const std::string caPem_;
  const Clock& clock_;
  std::mutex mutex_;  // guards known_
  std::unordered_map<std::string, Known> known_;
};

class CertificateAuthenticator final : public Authenticator {
 public:
  explicit CertificateAuthenticator(const SecurityOptions& options) : verifier_(options.clientCaPem, *options.clock) {}
  Result<std::optional<UserInfo>> authenticate(const net::Request& request) override;

 private:
  ChainVerifier verifier_;
};

// An aggregating proxy shows a certificate of its own CA and tells whom it speaks for.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#authenticating-proxy
class FrontProxyAuthenticator final : public Authenticator {
 public:
  explicit FrontProxyAuthenticator(const SecurityOptions& options)
      : verifier_(options.requestHeaderCaPem, *options.clock), allowedNames_(options.requestHeaderAllowedNames) {}
  Result<std::optional<UserInfo>> authenticate(const net::Request& request) override;

 private:
  bool isAllowed(const std::string& name) const;
  ChainVerifier verifier_;
  const std::vector<std::string> allowedNames_;
};

}  // namespace skiff::apiserver
