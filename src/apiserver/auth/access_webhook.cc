#include "apiserver/auth/access_webhook.h"

#include "api/selectors.h"
#include "apiserver/auth/text_list.h"
#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

Value requirementValue(std::string_view key, std::string_view op, const std::vector<std::string>& values, Arena& arena) {
  Value out = Value::map();
  out.set(arena, "key", Value::text(arena, key));
  out.set(arena, "operator", Value::string(op));
  if (!values.empty()) out.set(arena, "values", textList(values, arena));
  return out;
}

// Only what can be said as requirements is told: leaving one out asks for more than is wanted, which is safe.
Value fieldRequirements(std::string_view text, Arena& arena) {
  Value list = Value::list();
  if (auto selector = api::FieldSelector::parse(text); selector.ok())
    for (const auto& one : selector->requirements())
      list.push(arena, requirementValue(one.field, one.equal ? "In" : "NotIn", {one.value}, arena));
  return list;
}

Value labelRequirements(std::string_view text, Arena& arena) {
  using Operator = api::LabelSelector::Operator;
  Value list = Value::list();
  auto selector = api::LabelSelector::parse(text);
  if (!selector.ok()) return list;
  for (const auto& one : selector->requirements()) {
    switch (one.op) {
      case Operator::In: case Operator::Equals: list.push(arena, requirementValue(one.key, "In", one.values, arena)); break;
      case Operator::NotIn: case Operator::NotEquals: list.push(arena, requirementValue(one.key, "NotIn", one.values, arena)); break;
      case Operator::Exists: list.push(arena, requirementValue(one.key, "Exists", {}, arena)); break;
      case Operator::DoesNotExist: list.push(arena, requirementValue(one.key, "DoesNotExist", {}, arena)); break;
      case Operator::GreaterThan: case Operator::LessThan: break;
    }
  }
  return list;
}

Value attributesOf(const RequestInfo& request, Arena& arena) {
  Value out = Value::map();
  auto add = [&](std::string_view key, const std::string& text) {
    if (!text.empty()) out.set(arena, key, Value::text(arena, text));
  };
  if (!request.isResource) {
    add("path", request.path);
    add("verb", request.verb);
    return out;
  }
  add("namespace", request.ns);
  add("verb", request.verb);
  add("group", request.group);
  add("version", request.version);
  add("resource", request.resource);
  add("subresource", request.subresource);
  add("name", request.name);
  auto select = [&](std::string_view key, Value requirements) {
    if (requirements.empty()) return;
    Value selector = Value::map();
    selector.set(arena, "requirements", requirements);
    out.set(arena, key, selector);
  };
  if (!request.fieldSelector.empty()) select("fieldSelector", fieldRequirements(request.fieldSelector, arena));
  if (!request.labelSelector.empty()) select("labelSelector", labelRequirements(request.labelSelector, arena));
  return out;
}

}  // namespace

AccessWebhook::Question AccessWebhook::questionOf(const UserInfo& user, const RequestInfo& request) const {
  Question question;
  Arena& arena = question.arena;
  Value spec = Value::map();
  spec.set(arena, request.isResource ? "resourceAttributes" : "nonResourceAttributes", attributesOf(request, arena));
  if (!user.name.empty()) spec.set(arena, "user", Value::text(arena, user.name));
  if (!user.groups.empty()) spec.set(arena, "groups", textList(user.groups, arena));
  if (!user.extra.empty()) {
    Value extra = Value::map();
    for (const auto& [key, values] : user.extra) extra.set(arena, key, textList(values, arena));
    spec.set(arena, "extra", extra);
  }
  if (!user.uid.empty()) spec.set(arena, "uid", Value::text(arena, user.uid));
  question.spec = spec;
  question.key = codec::toJson(spec);
  return question;
}

std::optional<Verdict> AccessWebhook::unmatched(const Question& question) const {
  cel::Budget budget;
  std::optional<Error> problem;
  for (const Program& condition : options_.matchConditions) {
    Arena arena;
    std::optional<cel::Value> activation[] = {cel::Value::of(question.spec)};
    auto value = condition->evaluate(activation, arena, budget);
    if (value.ok() && value->isFalse()) return Verdict{};
    if (!problem && !(value.ok() && value->isTrue()))
      problem = value.ok() ? Error(Reason::Invalid, concat("expression '", condition->source(), "' must evaluate to bool"))
                           : Error(value.error()).wrap(concat("expression '", condition->source(), "' resulted in error"));
  }
  if (!problem) return std::nullopt;
  log::warn("A match condition of an authorization webhook fails", {{"err", problem->message()}});
  return Verdict{options_.onFailure, "", options_.onFailure == Decision::Deny ? problem->message() : ""};
}

std::optional<Verdict> AccessWebhook::known(const Question& question) {
  if (auto skipped = unmatched(question)) return skipped;
  std::lock_guard lock(mutex_);
  auto found = known_.find(question.key);
  if (found == known_.end() || options_.clock->steadyNow() >= found->second.until) return std::nullopt;
  return found->second.verdict;
}

std::optional<Verdict> AccessWebhook::tryAuthorize(const UserInfo& user, const RequestInfo& request) {
  return known(questionOf(user, request));
}

Verdict AccessWebhook::authorize(const UserInfo& user, const RequestInfo& request) {
  Question question = questionOf(user, request);
  if (auto verdict = known(question)) return *std::move(verdict);
  auto answer = ask(question);
  if (!answer.ok()) {
    log::warn("An authorization webhook does not answer", {{"err", answer.error().message()}});
    return {options_.onFailure, "", answer.error().message()};
  }
  seconds ttl = answer->decision == Decision::Allow ? options_.authorizedTtl : options_.unauthorizedTtl;
  if (ttl > seconds(0) && question.key.size() <= kMaxKeptBytes) {
    std::lock_guard lock(mutex_);
    if (known_.size() >= kMaxKnown) known_.clear();
    known_[std::move(question.key)] = {*answer, options_.clock->steadyNow() + ttl};
  }
  return *std::move(answer);
}

Result<Verdict> AccessWebhook::ask(Question& question) {
  Arena& arena = question.arena;
  // The older version names the groups otherwise.
  if (options_.version == "v1beta1" && question.spec.has("groups")) {
    Value groups = question.spec["groups"];
    question.spec.erase("groups");
    question.spec.set(arena, "group", groups);
  }
  Value review = Value::map();
  review.set(arena, "apiVersion", Value::text(arena, concat("authorization.k8s.io/", options_.version)));
  review.set(arena, "kind", Value::string("SubjectAccessReview"));
  review.set(arena, "spec", question.spec);
  auto answer = TRY(webhook_->review(review));
  const Value& status = answer->root["status"];
  bool allowed = status["allowed"].asBool(), denied = status["denied"].asBool();
  if (allowed && denied) return Error(Reason::InternalError, "webhook subject access review returned both allow and deny response");
  return Verdict{allowed ? Decision::Allow : denied ? Decision::Deny : Decision::NoOpinion, status["reason"].str()};
}

}  // namespace skiff::apiserver
