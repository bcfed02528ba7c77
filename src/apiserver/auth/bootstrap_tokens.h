// Tokens for joining nodes: kept as secrets of kube-system, told from one person to another.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
#pragma once
#include "apiserver/auth/token_authenticator.h"
#include "base/clock.h"

namespace skiff::apiserver {

class BootstrapTokens final : public TokenAuthenticator {
 public:
  BootstrapTokens(const ClusterReader& cluster, const Clock& clock, std::vector<std::string> own)
      : cluster_(cluster), clock_(clock), own_(std::move(own)) {}
  TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) override;

 private:
  const ClusterReader& cluster_;
  const Clock& clock_;
  const std::vector<std::string> own_;
};

}  // namespace skiff::apiserver
