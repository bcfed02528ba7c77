#include "kubelet/server_auth.h"

#include <algorithm>

#include "base/strings.h"
#include "gen/authentication_v1.h"
#include "gen/authorization_v1.h"
#include "pki/x509.h"

namespace skiff::kubelet {
namespace {

constexpr seconds kAllowedFor{60};
constexpr seconds kDeniedFor{10};
constexpr size_t kMaxDecisions = 1000;

}  // namespace

std::string_view subresourceOf(std::string_view path) {
  if (path.starts_with("/stats")) return "stats";
  if (path.starts_with("/metrics")) return "metrics";
  if (path.starts_with("/logs")) return "log";
  if (path == "/pods" || path.starts_with("/runningpods")) return "pods";
  if (path.starts_with("/healthz")) return "healthz";
  if (path.starts_with("/configz")) return "configz";
  return "proxy";
}

Result<ServerAuth::User> ServerAuth::authenticate(const net::Request& request) {
  if (!request.peer.certificateChain.empty() && !caPem_.empty()) {
    auto verified = pki::verifyClientChain(request.peer.certificateChain, caPem_, clock_);
    if (verified.ok()) return User{verified->subject.commonName, verified->subject.organizations};
  }
  std::string_view header = request.headers.get("authorization");
  if (header.size() > 7 && equalsIgnoreCase(header.substr(0, 7), "Bearer ")) {
    api::authentication::v1::TokenReview review;
    review.spec.token = std::string(trim(header.substr(7)));
    auto answer = TRY(api_.create(review));
    if (answer.status.authenticated) return User{answer.status.user.username, answer.status.user.groups};
  }
  return Error(Reason::Unauthorized, "Unauthorized");
}

Result<bool> ServerAuth::allowed(const User& user, std::string_view verb, std::string_view subresource) {
  if (std::find(user.groups.begin(), user.groups.end(), "system:masters") != user.groups.end()) return true;
  const std::string key = concat(user.name, "\n", join(user.groups, ","), "\n", verb, "\n", subresource);
  auto now = clock_.steadyNow();
  {
    std::lock_guard lock(mutex_);
    if (auto it = decisions_.find(key); it != decisions_.end() && now < it->second.until) return it->second.allowed;
  }
  api::authorization::v1::SubjectAccessReview review;
  review.spec.user = user.name;
  review.spec.groups = user.groups;
  auto& attributes = review.spec.resourceAttributes.emplace();
  attributes.verb = std::string(verb);
  attributes.version = "v1";
  attributes.resource = "nodes";
  attributes.subresource = std::string(subresource);
  attributes.name = nodeName_;
  auto answer = TRY(api_.create(review));
  std::lock_guard lock(mutex_);
  if (decisions_.size() >= kMaxDecisions) decisions_.clear();
  decisions_[key] = {answer.status.allowed, now + (answer.status.allowed ? kAllowedFor : kDeniedFor)};
  return answer.status.allowed;
}

Status ServerAuth::check(const net::Request& request) {
  User user = TRY(authenticate(request));
  std::string_view verb = request.method == "POST" ? "create" : request.method == "PUT" ? "update"
                          : request.method == "DELETE" ? "delete" : request.method == "PATCH" ? "patch" : "get";
  std::string_view subresource = subresourceOf(request.path);
  if (!TRY(allowed(user, verb, subresource)))
    return Error(Reason::Forbidden, concat("Forbidden (user=", user.name, ", verb=", verb, ", resource=nodes, subresource(s)=[",
                                           subresource, "])"));
  return okStatus();
}

}  // namespace skiff::kubelet
