// Acting as somebody else: Impersonate-* headers, and who may send them.
// https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
#pragma once
#include <functional>
#include <optional>

#include "apiserver/request.h"

namespace skiff::apiserver {

bool asksToImpersonate(const net::Headers& headers);

// An authorizer, as far as this thread may ask: nullopt when it would have to wait.
using AskAuthorizer = std::function<std::optional<Verdict>(const UserInfo&, const RequestInfo&)>;

// Whom `user` becomes for the request, or the refusal; nullopt: `ask` had to wait.
std::optional<Result<UserInfo>> impersonate(const UserInfo& user, const net::Headers& headers, const RequestInfo& request,
                                            const AskAuthorizer& ask);

}  // namespace skiff::apiserver
