// What the flags of authentication and authorization say. Names as upstream's flags.
#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::apiserver {

// A server that is asked to review tokens or access, as a kubeconfig names it.
struct WebhookServer {
  std::string url;
  std::string caPem, certPem, keyPem, token, username, password, tlsServerName;
  bool insecure = false;
};
// Kubeconfigs are read by the binary's front: their rules are a client's.
using ReadKubeconfig = std::function<Result<WebhookServer>(const std::string& path)>;

// --oidc-*: one issuer without a configuration file.
struct OidcFlags {
  std::string issuerUrl, clientId, caFile;
  std::string usernameClaim = "sub", usernamePrefix;
  std::string groupsClaim, groupsPrefix;
  std::vector<std::string> signingAlgs{"RS256"};
  std::vector<std::string> requiredClaims;  // "name=value"
};

struct AuthenticationOptions {
  std::string configFile;  // --authentication-config
  OidcFlags oidc;
  bool bootstrapTokens = false;      // --enable-bootstrap-token-auth
  std::string tokenWebhookConfigFile;
  std::string tokenWebhookVersion = "v1beta1";
  std::chrono::seconds tokenWebhookCacheTtl{120};
};

struct AuthorizationOptions {
  std::string configFile;  // --authorization-config
  std::string policyFile;  // --authorization-policy-file, of ABAC
  std::string webhookConfigFile;
  std::string webhookVersion = "v1beta1";
  std::chrono::seconds webhookAuthorizedTtl{300}, webhookUnauthorizedTtl{30};
};

}  // namespace skiff::apiserver
