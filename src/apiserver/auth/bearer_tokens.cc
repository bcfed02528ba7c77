#include "apiserver/auth/bearer_tokens.h"

#include <algorithm>

#include "apiserver/auth/bootstrap_tokens.h"
#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/auth/token_file.h"
#include "base/strings.h"

namespace skiff::apiserver {

std::string bearerToken(const net::Request& request) {
  std::string_view header = trim(request.headers.get("authorization"));
  if (auto parts = cut(header, " "); parts && equalsIgnoreCase(parts->first, "bearer")) return std::string(trim(parts->second));
  constexpr std::string_view kProtocol = "base64url.bearer.authorization.k8s.io.";
  for (std::string_view line : request.headers.all("sec-websocket-protocol")) {
    for (std::string_view protocol : split(line, ',')) {
      protocol = trim(protocol);
      if (!protocol.starts_with(kProtocol)) continue;
      return base64UrlDecode(protocol.substr(kProtocol.size())).value_or("");
    }
  }
  return {};
}

std::vector<std::string> commonAudiences(const std::vector<std::string>& asked, const std::vector<std::string>& meant) {
  std::vector<std::string> out;
  for (const std::string& audience : asked)
    if (std::ranges::find(meant, audience) != meant.end()) out.push_back(audience);
  return out;
}

BearerTokens::BearerTokens(const SecurityOptions& options, const ClusterReader& cluster) {
  std::vector<std::string> audiences = acceptedAudiences(options);
  if (!options.tokenFile.empty()) own_.push_back(std::make_unique<TokenFile>(options.tokenFile, audiences));
  own_.push_back(std::make_unique<ServiceAccountTokens>(options, cluster));
  if (options.authentication.bootstrapTokens)
    own_.push_back(std::make_unique<BootstrapTokens>(cluster, *options.clock, std::move(audiences)));
}

void BearerTokens::setIssuers(Parts issuers) {
  std::lock_guard lock(mutex_);
  issuers_ = std::make_shared<const Parts>(std::move(issuers));
}

// The first that knows the token decides. What one finds wrong another may still know: the first error is told at the end.
template <class Ask>
std::optional<TokenAnswer> BearerTokens::ask(Ask ask) {
  std::shared_ptr<const Parts> issuers;
  {
    std::lock_guard lock(mutex_);
    issuers = issuers_;
  }
  std::optional<Error> wrong;
  auto decides = [&](TokenAuthenticator& part) -> std::optional<std::optional<TokenAnswer>> {
    std::optional<TokenAnswer> answer = ask(part);
    if (!answer || (answer->ok() && answer->value())) return answer;
    if (!answer->ok() && !wrong) wrong = answer->error();
    return std::nullopt;
  };
  for (const auto& part : own_)
    if (auto decided = decides(*part)) return *std::move(decided);
  for (const auto& part : *issuers)
    if (auto decided = decides(*part)) return *std::move(decided);
  if (webhook_)
    if (auto decided = decides(*webhook_)) return *std::move(decided);
  if (wrong) return TokenAnswer(*std::move(wrong));
  return TokenAnswer(std::optional<TokenIdentity>());
}

TokenAnswer BearerTokens::authenticate(const std::string& token, const std::vector<std::string>& audiences) {
  return *ask([&](TokenAuthenticator& part) { return std::optional(part.authenticate(token, audiences)); });
}

std::optional<TokenAnswer> BearerTokens::tryAuthenticate(const std::string& token, const std::vector<std::string>& audiences) {
  return ask([&](TokenAuthenticator& part) { return part.tryAuthenticate(token, audiences); });
}

}  // namespace skiff::apiserver
