// --authentication-token-webhook-config-file: a server that reviews tokens nobody here knows.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication
#pragma once
#include "apiserver/auth/review_webhook.h"
#include "apiserver/auth/token_authenticator.h"

namespace skiff::apiserver {

class TokenWebhook final : public TokenAuthenticator {
 public:
  // `own`: the audiences of this server; what the webhook accepts without naming audiences is meant for it.
  TokenWebhook(std::unique_ptr<ReviewWebhook> webhook, std::string version, std::vector<std::string> own)
      : webhook_(std::move(webhook)), version_(std::move(version)), own_(std::move(own)) {}
  TokenAnswer authenticate(const std::string& token, const std::vector<std::string>& audiences) override;
  std::optional<TokenAnswer> tryAuthenticate(const std::string&, const std::vector<std::string>&) override { return std::nullopt; }

 private:
  const std::unique_ptr<ReviewWebhook> webhook_;
  const std::string version_;
  const std::vector<std::string> own_;
};

}  // namespace skiff::apiserver
