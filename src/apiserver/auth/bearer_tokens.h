// All kinds of bearer tokens that this server takes, tried in upstream's order: static ones, service accounts', bootstrap tokens,
// issuers', and those of a webhook.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "apiserver/auth/token_authenticator.h"
#include "apiserver/security.h"

namespace skiff::apiserver {

// "Authorization: Bearer x", or for browsers' web sockets a protocol name that carries the token; "" when there is none.
std::string bearerToken(const net::Request& request);

class BearerTokens final : public TokenAuthenticator {
 public:
  BearerTokens(const SecurityOptions& options, const ClusterReader& cluster);

  // The tokens of issuers, replaced when the configuration changes.
  void setIssuers(std::vector<std::unique_ptr<TokenAuthenticator>> issuers);
  void setWebhook(std::unique_ptr<TokenAuthenticator> webhook) { webhook_ = std::move(webhook); }  // before the first request

  TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) override;
  std::optional<TokenAnswer> tryAuthenticate(const std::string& token, const std::vector<std::string>& audiences) override;

 private:
  using Parts = std::vector<std::unique_ptr<TokenAuthenticator>>;
  template <class Ask>
  std::optional<TokenAnswer> ask(Ask ask);

  Parts own_;
  std::unique_ptr<TokenAuthenticator> webhook_;
  std::mutex mutex_;  // guards issuers_
  std::shared_ptr<const Parts> issuers_ = std::make_shared<const Parts>();
};

}  // namespace skiff::apiserver
