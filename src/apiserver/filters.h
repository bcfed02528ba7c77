// What every request passes before it is served: who asks, as whom, and may they.
#pragma once
#include <atomic>
#include <memory>

#include "apiserver/exchange.h"
#include "apiserver/request.h"

namespace skiff::apiserver {

class Filters {
 public:
  Filters(Authenticator& authenticator, Authorizer& authorizer, bool anonymousHealth)
      : authenticator_(authenticator), authorizer_(authorizer), anonymousHealth_(anonymousHealth) {}
  // Fills exchange.user; the error is the answer.
  Status authenticate(Exchange& exchange) const;
  Status impersonate(Exchange& exchange) const;
  Status authorize(const Exchange& exchange) const;

 private:
  Authenticator& authenticator_;
  Authorizer& authorizer_;
  bool anonymousHealth_;
};

// `User "x" cannot list resource ...`, as upstream says it.
Error forbiddenRequest(const UserInfo& user, const RequestInfo& info, std::string_view reason);

}  // namespace skiff::apiserver
