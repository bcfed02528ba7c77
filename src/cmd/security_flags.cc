#include "cmd/security_flags.h"

#include <cstdlib>

#include "base/strings.h"
#include "client/transport.h"
#include "cmd/duration_flag.h"
#include "cmd/files.h"

namespace skiff::cmd {
namespace {

void addOidcFlags(Flags& flags, apiserver::OidcFlags& oidc) {
  flags.text("oidc-issuer-url", &oidc.issuerUrl, "issuer of tokens, https")
      .text("oidc-client-id", &oidc.clientId, "audience that its tokens must be meant for")
      .text("oidc-ca-file", &oidc.caFile, "CA of the issuer; default: the system's")
      .text("oidc-username-claim", &oidc.usernameClaim, "claim with the user's name")
      .text("oidc-username-prefix", &oidc.usernamePrefix, "put before names; - for none")
      .text("oidc-groups-claim", &oidc.groupsClaim, "claim with the user's groups")
      .text("oidc-groups-prefix", &oidc.groupsPrefix, "put before groups")
      .list("oidc-signing-algs", &oidc.signingAlgs, "algorithms that are accepted")
      .list("oidc-required-claim", &oidc.requiredClaims, "name=value that tokens must have");
}

// A server that runs as a pod of the cluster it reviews for: what every pod is given.
Result<apiserver::WebhookServer> inClusterServer() {
  const std::string account = "/var/run/secrets/kubernetes.io/serviceaccount/";
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr)
    return Error(Reason::Invalid, "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined");
  apiserver::WebhookServer server;
  server.url = concat("https://", std::string_view(host), ":", std::string_view(port));
  server.caPem = TRY(readFile(account + "ca.crt"));
  server.token = TRY(readFile(account + "token"));
  return server;
}

}  // namespace

void SecurityFlags::addTo(Flags& flags, apiserver::SecurityOptions& security, apiserver::encryption::EncryptionAtRest::Options& encryption) {
  apiserver::AuthenticationOptions& authentication = security.authentication;
  apiserver::AuthorizationOptions& authorization = security.authorization;
  addOidcFlags(flags, authentication.oidc);
  flags.text("authentication-config", &authentication.configFile, "AuthenticationConfiguration: issuers of tokens")
      .boolean("enable-bootstrap-token-auth", &authentication.bootstrapTokens, "take tokens that are secrets of kube-system")
      .text("authentication-token-webhook-config-file", &authentication.tokenWebhookConfigFile, "kubeconfig of a server that reviews tokens")
      .text("authentication-token-webhook-version", &authentication.tokenWebhookVersion, "of the TokenReview sent: v1beta1 or v1")
      .text("token-auth-file", &security.tokenFile, "static tokens")
      .boolean("anonymous-auth", &security.anonymous, "requests without credentials are those of system:anonymous")
      .list("api-audiences", &security.apiAudiences, "whom tokens for this server are meant for; default: the issuers")
      .list("service-account-issuer", &issuers_, "issuer of service-account tokens; more of them are accepted")
      .text("service-account-signing-key-file", &signingKeyFile_, "key that signs service-account tokens")
      .array("service-account-key-file", &keyFiles_, "more keys that verify them")
      .text("service-account-jwks-uri", &security.serviceAccountJwksUri, "where the keys are published")
      .boolean("service-account-extend-token-expiration", &security.extendTokenExpiration, "let the tokens of pods live for a year")
      .text("authorization-config", &authorization.configFile, "AuthorizationConfiguration: authorizers in order")
      .text("authorization-policy-file", &authorization.policyFile, "policy of ABAC, a JSON object a line")
      .text("authorization-webhook-config-file", &authorization.webhookConfigFile, "kubeconfig of a server that reviews access")
      .text("authorization-webhook-version", &authorization.webhookVersion, "of the SubjectAccessReview sent: v1beta1 or v1")
      .list("authorization-mode", &security.authorizationModes, "Node, RBAC, Webhook, ABAC, AlwaysAllow, AlwaysDeny")
      .text("encryption-provider-config", &encryption.configFile, "EncryptionConfiguration: how objects are encrypted on disk")
      .boolean("encryption-provider-config-automatic-reload", &encryption.reload, "apply changes of that file");
  addDuration(flags, "authentication-token-webhook-cache-ttl", &authentication.tokenWebhookCacheTtl, "how long its answers are kept");
  addDuration(flags, "authorization-webhook-cache-authorized-ttl", &authorization.webhookAuthorizedTtl, "how long permissions are kept");
  addDuration(flags, "authorization-webhook-cache-unauthorized-ttl", &authorization.webhookUnauthorizedTtl, "how long refusals are kept");
  addDuration(flags, "service-account-max-token-expiration", &security.maxTokenExpiration, "longest life of a requested token");
}

Status SecurityFlags::complete(apiserver::SecurityOptions& security) const {
  security.readKubeconfig = readWebhookKubeconfig;
  if (!issuers_.empty()) {
    security.serviceAccountIssuer = issuers_[0];
    security.otherServiceAccountIssuers.assign(issuers_.begin() + 1, issuers_.end());
  }
  if (!signingKeyFile_.empty()) {
    std::string pem = TRY(readFile(signingKeyFile_));
    security.serviceAccountKeys.push_back(TRY(pki::jwtKeyFromPem(pem)));
  }
  for (const std::string& file : keyFiles_) {
    std::string pem = TRY(readFile(file));
    pki::JwtKey key = TRY(pki::jwtKeyFromPem(pem));
    key.privatePem.clear();  // it verifies, whatever the file holds
    if (signingKeyFile_.empty()) return Error(Reason::Invalid, "service-account-key-file needs service-account-signing-key-file");
    if (key.keyId != security.serviceAccountKeys[0].keyId) security.serviceAccountKeys.push_back(std::move(key));
  }
  return okStatus();
}

Result<apiserver::WebhookServer> readWebhookKubeconfig(const std::string& path) {
  if (path.empty()) return inClusterServer();
  client::Config config = TRY(client::loadKubeconfig({.path = path}));
  apiserver::WebhookServer server;
  server.url = config.server;
  server.caPem = config.caPem;
  server.certPem = config.certPem;
  server.keyPem = config.keyPem;
  server.token = config.token;
  if (!config.tokenFile.empty()) {
    std::string token = TRY(readFile(config.tokenFile));
    server.token = std::string(trim(token));
  }
  server.username = config.username;
  server.password = config.password;
  server.tlsServerName = config.tlsServerName;
  server.insecure = config.insecure;
  return server;
}

}  // namespace skiff::cmd
