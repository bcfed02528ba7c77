#include "apiserver/auth/token_webhook.h"

#include "base/log.h"
#include "base/strings.h"

namespace skiff::apiserver {
namespace {

using codec::Value;

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> out;
  for (const Value& item : list.items()) out.push_back(item.str());
  return out;
}

}  // namespace

TokenAnswer TokenWebhook::authenticate(const std::string& token, const std::vector<std::string>& audiences) {
  std::optional<TokenIdentity> none;
  codec::Arena arena;
  Value spec = Value::map();
  spec.set(arena, "token", Value::string(token));
  for (const std::string& audience : audiences) spec.child(arena, "audiences").push(arena, Value::string(audience));
  Value review = Value::map();
  review.set(arena, "apiVersion", Value::text(arena, concat("authentication.k8s.io/", version_)));
  review.set(arena, "kind", Value::string("TokenReview"));
  review.set(arena, "spec", spec);
  auto answer = webhook_->review(review);
  if (!answer.ok()) {
    log::warn("A token webhook does not answer", {{"err", answer.error().message()}});
    return answer.error();
  }
  const Value& status = (*answer)->root["status"];
  if (!status["authenticated"].asBool()) {
    if (std::string why = status["error"].str(); !why.empty()) return Error(Reason::Unauthorized, std::move(why));
    return none;
  }
  TokenIdentity identity;
  const Value& user = status["user"];
  identity.user.name = user["username"].str();
  identity.user.uid = user["uid"].str();
  identity.user.groups = texts(user["groups"]);
  for (const codec::Member& member : user["extra"].members()) identity.user.extra[std::string(member.key)] = texts(member.value);
  // A webhook that knows nothing of audiences speaks for this server's own.
  std::vector<std::string> meant = texts(status["audiences"]);
  identity.audiences = commonAudiences(audiences, meant.empty() ? own_ : meant);
  if (identity.audiences.empty()) return none;
  return std::optional(std::move(identity));
}

}  // namespace skiff::apiserver
