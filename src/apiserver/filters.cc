#include "apiserver/filters.h"

#include "api/scalars.h"
#include "apiserver/audit/record.h"
#include "apiserver/health.h"
#include "apiserver/impersonation.h"
#include "apiserver/status.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

Error unauthorized() { return {Reason::Unauthorized, "Unauthorized"}; }

Status checkTimeout(const Exchange& exchange) {
  std::string_view text = exchange.query.get("timeout");
  if (text.empty() || exchange.info.verb == "watch") return okStatus();
  if (!api::parseDuration(text))
    return badRequest(concat("invalid timeout specified in the request URL - time: invalid duration ", quoted(text)));
  return okStatus();
}

}  // namespace

Error forbiddenRequest(const UserInfo& user, const RequestInfo& info, std::string_view reason) {
  std::string why;
  if (!info.isResource) {
    why = concat("User ", quoted(user.name), " cannot ", info.verb, " path ", quoted(info.path));
    if (!reason.empty()) why += concat(": ", reason);
    return {Reason::Forbidden, concat("forbidden: ", why), ErrorDetails{}};
  }
  std::string resource = info.subresource.empty() ? info.resource : concat(info.resource, '/', info.subresource);
  why = concat("User ", quoted(user.name), " cannot ", info.verb, " resource ", quoted(resource), " in API group ",
               quoted(info.group), info.ns.empty() ? std::string(" at the cluster scope")
                                                   : concat(" in the namespace ", quoted(info.ns)));
  if (!reason.empty()) why += concat(": ", reason);
  return forbidden(info.group, info.resource, info.name, why);
}

std::optional<Verdict> Filters::ask(const UserInfo& user, const RequestInfo& info, Waiting waiting) const {
  if (waiting == Waiting::Never) return authorizer_.tryAuthorize(user, info);
  return authorizer_.authorize(user, info);
}

std::optional<Status> Filters::authenticate(Exchange& exchange, Waiting waiting) const {
  if (exchange.inProcess()) {
    exchange.user = exchange.caller()->user;
    return okStatus();
  }
  auto user = waiting == Waiting::Never ? authenticator_.tryAuthenticate(exchange.request())
                                        : std::optional(authenticator_.authenticate(exchange.request()));
  if (!user) return std::nullopt;
  if (!user->ok() || !user->value()) return Status(unauthorized());
  exchange.user = *std::move(user->value());
  return okStatus();
}

std::optional<Status> Filters::assumeUser(Exchange& exchange, Waiting waiting) const {
  const net::Headers& headers = exchange.request().headers;
  if (asksToImpersonate(headers)) {
    auto wanted = impersonate(exchange.user, headers, exchange.info,
                              [&](const UserInfo& user, const RequestInfo& info) { return ask(user, info, waiting); });
    if (!wanted) return std::nullopt;
    if (!wanted->ok()) return Status(wanted->error());
    exchange.user = **std::move(wanted);
  }
  return checkTimeout(exchange);
}

std::optional<Status> Filters::authorize(const Exchange& exchange, Waiting waiting) const {
  if (anonymousHealth_ && isHealthPath(exchange.request().path)) return okStatus();
  auto verdict = ask(exchange.user, exchange.info, waiting);
  if (!verdict) return std::nullopt;
  if (exchange.audit) {
    exchange.audit->annotations["authorization.k8s.io/decision"] = verdict->decision == Decision::Allow ? "allow" : "forbid";
    exchange.audit->annotations["authorization.k8s.io/reason"] = verdict->reason;
  }
  if (verdict->decision == Decision::Allow) return okStatus();
  if (!verdict->error.empty())
    return Status(internalError(concat("Internal Server Error: ", quoted(exchange.info.path), ": ", verdict->error)));
  return Status(forbiddenRequest(exchange.user, exchange.info, verdict->reason));
}

}  // namespace skiff::apiserver
