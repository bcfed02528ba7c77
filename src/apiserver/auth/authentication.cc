// Who asks: front proxy, client certificate, bearer token, in upstream's order; the first that knows its credentials wins.
#include "apiserver/auth/authentication.h"

#include <algorithm>

#include "apiserver/auth/authentication_configuration.h"
#include "apiserver/auth/bearer_tokens.h"
#include "apiserver/auth/client_certificates.h"
#include "apiserver/auth/config_file.h"
#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/auth/token_cache.h"
#include "apiserver/auth/token_webhook.h"
#include "apiserver/health.h"
#include "apiserver/security.h"
#include "base/strings.h"

namespace skiff::apiserver {

namespace {

using Found = Result<std::optional<UserInfo>>;

// As upstream's: how long a token of an issuer is taken without being verified again.
constexpr seconds kIssuerTokenTtl{10};

Error unauthorized(std::string why) { return {Reason::Unauthorized, std::move(why)}; }

UserInfo withAuthenticated(UserInfo user) {
  constexpr std::string_view kAuthenticated = "system:authenticated";
  auto has = [&](std::string_view group) { return std::ranges::find(user.groups, group) != user.groups.end(); };
  // A front proxy may speak for an anonymous user.
  if (!has(kAuthenticated) && !has("system:unauthenticated")) user.groups.emplace_back(kAuthenticated);
  return user;
}

class UnionAuthenticator final : public Authenticator, public TokenReviewer {
 public:
  UnionAuthenticator(const SecurityOptions& options, const ClusterReader& cluster)
      : options_(options),
        audiences_(acceptedAudiences(options)),
        proxy_(options),
        certificate_(options),
        tokens_(options, cluster) {}

  Status start() override {
    const AuthenticationOptions& authentication = options_.authentication;
    if (!authentication.tokenWebhookConfigFile.empty()) TRY(startWebhook());
    auto issuer = TRY(issuerOfFlags(authentication.oidc));
    if (authentication.configFile.empty()) {
      AuthenticationConfiguration configuration;
      if (issuer) configuration.issuers.push_back(*std::move(issuer));
      apply(std::move(configuration));
      return okStatus();
    }
    if (issuer) return Error(Reason::Invalid, "authentication-config file and oidc-* flags are mutually exclusive");
    file_ = TRY(ReloadedFile::start(authentication.configFile, [this](const std::string& text) -> Status {
      auto configuration = parseAuthenticationConfiguration(text, acceptedIssuers(options_));
      if (!configuration.ok()) return std::move(configuration).error();
      apply(*std::move(configuration));
      return okStatus();
    }));
    return okStatus();
  }

  void stop() override {
    if (webhook_) webhook_->stop();
  }

  Found authenticate(const net::Request& request) override {
    return *identify(request, [&](const std::string& token) { return std::optional(tokens_.authenticate(token, audiences_)); });
  }

  std::optional<Found> tryAuthenticate(const net::Request& request) override {
    return identify(request, [&](const std::string& token) { return tokens_.tryAuthenticate(token, audiences_); });
  }

  Result<TokenIdentity> reviewToken(const std::string& token, const std::vector<std::string>& audiences) override {
    auto identity = TRY(tokens_.authenticate(token, audiences.empty() ? audiences_ : audiences));
    if (!identity) return unauthorized("invalid bearer token");
    identity->user = withAuthenticated(std::move(identity->user));
    return *std::move(identity);
  }

 private:
  Status startWebhook() {
    const AuthenticationOptions& authentication = options_.authentication;
    if (!options_.readKubeconfig) return internalError("kubeconfig files cannot be read here");
    WebhookServer server = TRY(options_.readKubeconfig(authentication.tokenWebhookConfigFile));
    auto webhook = TRY(ReviewWebhook::create({.server = std::move(server)}));
    webhook_ = webhook.get();
    seconds ttl = authentication.tokenWebhookCacheTtl;
    tokens_.setWebhook(std::make_unique<CachedTokens>(
        std::make_unique<TokenWebhook>(std::move(webhook), authentication.tokenWebhookVersion, audiences_),
        CachedTokens::Lifetimes{.good = ttl, .bad = ttl}, *options_.clock));
    return okStatus();
  }

  void apply(AuthenticationConfiguration configuration) {
    std::vector<std::unique_ptr<TokenAuthenticator>> issuers;
    for (JwtIssuer& issuer : configuration.issuers)
      issuers.push_back(std::make_unique<CachedTokens>(std::make_unique<JwtAuthenticator>(std::move(issuer), audiences_, *options_.clock),
                                                       CachedTokens::Lifetimes{.good = kIssuerTokenTtl, .bad = seconds(0)}, *options_.clock));
    tokens_.setIssuers(std::move(issuers));
    std::lock_guard lock(mutex_);
    anonymous_ = std::move(configuration.anonymous);
  }

  template <class AskToken>
  std::optional<Found> identify(const net::Request& request, AskToken askToken) {
    std::optional<Error> wrong;
    for (Authenticator* part : {static_cast<Authenticator*>(&proxy_), static_cast<Authenticator*>(&certificate_)}) {
      Found found = part->authenticate(request);
      if (found.ok() && *found) return Found(withAuthenticated(**std::move(found)));
      if (!found.ok() && !wrong) wrong = found.error();
    }
    if (std::string token = bearerToken(request); !token.empty()) {
      std::optional<TokenAnswer> answer = askToken(token);
      if (!answer) return std::nullopt;
      if (answer->ok() && answer->value()) return Found(withAuthenticated(std::move(answer->value()->user)));
      if (!wrong) wrong = answer->ok() ? unauthorized("invalid bearer token") : answer->error();
    }
    if (wrong) return Found(unauthorized(wrong->message()));
    std::optional<UserInfo> anonymous;
    if (mayBeAnonymous(request.path)) anonymous = UserInfo{.name = "system:anonymous", .uid = "", .groups = {"system:unauthenticated"}, .extra = {}};
    return Found(std::move(anonymous));
  }

  bool mayBeAnonymous(std::string_view path) {
    {
      std::lock_guard lock(mutex_);
      if (anonymous_) return anonymous_->allows(path);
    }
    return options_.anonymous || (options_.anonymousHealth && isHealthPath(path));
  }

  const SecurityOptions options_;
  const std::vector<std::string> audiences_;
  FrontProxyAuthenticator proxy_;
  CertificateAuthenticator certificate_;
  BearerTokens tokens_;
  ReviewWebhook* webhook_ = nullptr;  // of tokens_
  std::mutex mutex_;  // guards anonymous_
  std::optional<AnonymousRule> anonymous_;
  std::unique_ptr<ReloadedFile> file_;  // last: its thread calls apply()
};

}  // namespace

std::unique_ptr<Authenticator> makeAuthenticator(const SecurityOptions& options, const ClusterReader& cluster) {
  return std::make_unique<UnionAuthenticator>(options, cluster);
}

}  // namespace skiff::apiserver
