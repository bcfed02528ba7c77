// AuthorizationConfiguration (--authorization-config): authorizers in order; and the older flags that say the same.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/auth/access_webhook.h"
#include "apiserver/security.h"

namespace skiff::apiserver {

struct AuthorizerSpec {
  std::string type, name;
  // Of a webhook:
  AccessWebhook::Options webhook;
  milliseconds timeout{30000};
  std::string kubeconfig;  // empty: InClusterConfig
};

Result<std::vector<AuthorizerSpec>> parseAuthorizationConfiguration(std::string_view text);
std::vector<AuthorizerSpec> authorizersOfFlags(const SecurityOptions& options);

}  // namespace skiff::apiserver
