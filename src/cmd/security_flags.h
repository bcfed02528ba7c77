// The API server's flags of authentication, authorization and encryption at rest, with upstream's names: the same for `skiff up` and `skiff apiserver`.
#pragma once
#include <string>
#include <vector>

#include "apiserver/encryption/encryption_at_rest.h"
#include "apiserver/security.h"
#include "base/flags.h"

namespace skiff::cmd {

class SecurityFlags {
 public:
  void addTo(Flags& flags, apiserver::SecurityOptions& security, apiserver::encryption::EncryptionAtRest::Options& encryption);
  // After the flags are parsed: reads the files of keys.
  Status complete(apiserver::SecurityOptions& security) const;

 private:
  std::string signingKeyFile_;
  std::vector<std::string> keyFiles_, issuers_;
};

// A kubeconfig of a webhook: https://kubernetes.io/docs/reference/access-authn-authz/webhook/#configuration-file-format
Result<apiserver::WebhookServer> readWebhookKubeconfig(const std::string& path);

}  // namespace skiff::cmd
