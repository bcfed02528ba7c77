// What every request passes before it is served: who asks, as whom, and may they.
#pragma once
#include <memory>
#include <optional>

#include "apiserver/exchange.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

// Whether this thread may wait for those who know: issuers of tokens, webhooks. Loop threads may not.
enum class Waiting { Never, Allowed };

// Each step answers nullopt if it would have to wait and may not: it is done again, whole, where it may.
class Filters {
 public:
  Filters(Authenticator& authenticator, Authorizer& authorizer, bool anonymousHealth)
      : authenticator_(authenticator), authorizer_(authorizer), anonymousHealth_(anonymousHealth) {}
  // Who asks: fills exchange.user; the error is the answer.
  std::optional<Status> authenticate(Exchange& exchange, Waiting waiting) const;
  // As whom: puts the impersonated user there.
  std::optional<Status> assumeUser(Exchange& exchange, Waiting waiting) const;
  std::optional<Status> authorize(const Exchange& exchange, Waiting waiting) const;

 private:
  std::optional<Verdict> ask(const UserInfo& user, const RequestInfo& info, Waiting waiting) const;
  Authenticator& authenticator_;
  Authorizer& authorizer_;
  bool anonymousHealth_;
};

// `User "x" cannot list resource ...`, as upstream says it.
Error forbiddenRequest(const UserInfo& user, const RequestInfo& info, std::string_view reason);

}  // namespace skiff::apiserver
