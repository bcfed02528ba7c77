#include "apiserver/extension/webhook.h"

#include <algorithm>

#include "apiserver/extension/review.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Value;

// Warnings of webhooks are bounded as upstream bounds all warnings of a response.
constexpr size_t kMaxWarning = 256;

Webhook parseWebhook(const codec::DocumentPtr& document, const Value& value) {
  Webhook webhook;
  webhook.configuration = document->root["metadata"]["name"].str();
  webhook.name = value["name"].str();
  webhook.document = document;
  webhook.client = &value["clientConfig"];
  if (auto match = RequestMatch::parse(value); match.ok())
    webhook.match = std::move(match).value();
  else
    webhook.problem = match.error().message();
  webhook.conditions = compileConditions(value["matchConditions"], webhookEnvironment());
  webhook.timeout = std::chrono::seconds(std::clamp<int64_t>(value["timeoutSeconds"].asInt(10), 1, 30));
  webhook.failsOpen = value["failurePolicy"].asString() == "Ignore";
  webhook.reinvoked = value["reinvocationPolicy"].asString() == "IfNeeded";
  std::string_view effects = value["sideEffects"].asString();
  webhook.sideEffects = effects != "None" && effects != "NoneOnDryRun";
  for (const Value& version : value["admissionReviewVersions"].items())
    if (webhook.reviewVersion.empty() && (version.asString() == "v1" || version.asString() == "v1beta1"))
      webhook.reviewVersion = version.str();
  if (webhook.reviewVersion.empty()) webhook.problem = "webhook does not accept known AdmissionReview versions (v1, v1beta1)";
  return webhook;
}

// A failure of the call itself, not a denial: it refuses the request unless the webhook fails open.
Error failedCalling(const Webhook& webhook, std::string_view why) {
  std::string text = concat("failed calling webhook ", quoted(webhook.name), ": ", why);
  ErrorDetails details;
  details.causes.push_back({"", text, ""});
  return {Reason::InternalError, concat("Internal error occurred: ", text), std::move(details)};
}

Error denied(const Webhook& webhook, const Value& status) {
  std::string text = concat("admission webhook ", quoted(webhook.name), " denied the request");
  std::string_view message = status["message"].asString(), reason = status["reason"].asString();
  if (!message.empty())
    text += concat(": ", message);
  else if (!reason.empty())
    text += concat(": ", reason);
  else
    text += " without explanation";
  ErrorDetails details;
  const Value& given = status["details"];
  details.name = given["name"].str();
  details.group = given["group"].str();
  details.kind = given["kind"].str();
  details.uid = given["uid"].str();
  details.retryAfterSeconds = int(given["retryAfterSeconds"].asInt());
  for (const Value& cause : given["causes"].items())
    details.causes.push_back({cause["reason"].str(), cause["message"].str(), cause["field"].str()});
  int64_t code = status["code"].asInt();
  return Error(reasonFromText(reason), std::move(text), std::move(details)).withCode(code < 400 || code > 599 ? 400 : int(code));
}

std::string reviewJson(const AdmissionRequest& request, const MatchedResource& matched, const Value* object,
                       const Value* oldObject, std::string_view version, std::string_view uid) {
  codec::Arena arena;
  Value attributes = requestAttributes(request, matched, arena);
  Value body = Value::map();
  body.set(arena, "uid", Value::string(uid));
  for (const codec::Member& member : attributes.members()) {
    // The objects stand where the type has them: after the user.
    body.set(arena, member.key, member.value);
    if (member.key != "userInfo") continue;
    body.set(arena, "object", object ? *object : Value::null());
    body.set(arena, "oldObject", oldObject ? *oldObject : Value::null());
  }
  Value review = Value::map();
  review.set(arena, "kind", Value::string("AdmissionReview"));
  review.set(arena, "apiVersion", Value::text(arena, concat("admission.k8s.io/", version)));
  review.set(arena, "request", body);
  return codec::toJson(review);
}

}  // namespace

Webhooks loadWebhooks(const ClusterReader& cluster, std::string_view resource) {
  std::vector<codec::DocumentPtr> configurations = cluster.list("admissionregistration.k8s.io", resource, "");
  std::ranges::sort(configurations, {}, [](const codec::DocumentPtr& document) {
    return document->root["metadata"]["name"].asString();
  });
  Webhooks webhooks;
  for (const codec::DocumentPtr& document : configurations)
    for (const Value& webhook : document->root["webhooks"].items()) webhooks.push_back(parseWebhook(document, webhook));
  return webhooks;
}

Result<WebhookCaller::Outcome> WebhookCaller::call(const Webhook& webhook, const AdmissionRequest& request) {
  std::optional<MatchedResource> matched = TRY(wanted(webhook, request));
  if (!matched) return Outcome{};
  if (request.dryRun && webhook.sideEffects)
    return badRequest(concat("admission webhook ", quoted(webhook.name), " does not support dry run"));
  WebhookMetrics::Call call{.name = webhook.name, .type = type_, .operation = request.operation, .took = {}};
  SteadyTime started = Clock::real().steadyNow();
  int httpStatus = 0;
  auto answer = ask(webhook, request, *matched, httpStatus);
  call.took = Clock::real().steadyNow() - started;
  if (!answer.ok()) {
    call.failed = answer.error().message().starts_with("Internal error occurred: failed calling webhook");
    call.failedOpen = call.failed && webhook.failsOpen;
    call.code = !call.failed ? answer.error().code() : httpStatus != 0 && httpStatus != 200 ? httpStatus : 503;
  }
  if (metrics_) metrics_->called(call);
  if (answer.ok()) return Outcome{true, *std::move(matched), std::move(answer).value()};
  if (!call.failedOpen) return std::move(answer).error();
  log::warn("Failed calling webhook, failing open", {{"webhook", webhook.name}, {"err", answer.error().message()}});
  return Outcome{};
}

Result<std::optional<MatchedResource>> WebhookCaller::wanted(const Webhook& webhook, const AdmissionRequest& request) {
  std::optional<MatchedResource> matched = TRY(webhook.match.match(request, cluster_));
  if (!matched || webhook.conditions.empty()) return matched;
  codec::Arena arena;
  const Value* object = TRY(inVersion(request.object, request, *matched, arena));
  const Value* oldObject = TRY(inVersion(request.oldObject, request, *matched, arena));
  Evaluation evaluation({.request = request, .matched = *matched, .object = object, .oldObject = oldObject}, cluster_,
                        authorizer_);
  auto matches = evaluation.matches(webhook.conditions);
  if (matches.ok()) return *matches ? matched : std::nullopt;
  log::warn("Failed evaluating match conditions", {{"webhook", webhook.name}, {"err", matches.error().message()}});
  if (webhook.failsOpen) return std::optional<MatchedResource>();
  return forbidden(request.resource->group, request.resource->plural, request.name, matches.error().message());
}

Result<WebhookAnswer> WebhookCaller::ask(const Webhook& webhook, const AdmissionRequest& request,
                                         const MatchedResource& matched, int& httpStatus) {
  if (!webhook.problem.empty()) return failedCalling(webhook, webhook.problem);
  codec::Arena arena;
  const Value* object = TRY(inVersion(request.object, request, matched, arena));
  const Value* oldObject = TRY(inVersion(request.oldObject, request, matched, arena));
  std::string uid = newUid();
  std::string body = reviewJson(request, matched, object, oldObject, webhook.reviewVersion, uid);
  auto answer = client_.post(*webhook.client, std::move(body), webhook.timeout, request.traceparent, &httpStatus);
  if (!answer.ok()) return failedCalling(webhook, concat("failed to call webhook: ", answer.error().message()));
  return read(webhook, request, std::move(answer).value(), uid);
}

Result<WebhookAnswer> WebhookCaller::read(const Webhook& webhook, const AdmissionRequest& request,
                                          std::shared_ptr<codec::Document> document, std::string_view uid) const {
  auto invalid = [&](std::string_view why) {
    return failedCalling(webhook, concat("received invalid webhook response: ", why));
  };
  const Value& review = document->root;
  const Value& response = review["response"];
  if (!response.isMap()) return invalid("webhook response was absent");
  if (webhook.reviewVersion == "v1") {
    std::string got = concat(review["apiVersion"].asString(), ", Kind=", review["kind"].asString());
    if (got != "admission.k8s.io/v1, Kind=AdmissionReview")
      return invalid(concat("expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ", got));
    if (response["uid"].asString() != uid)
      return invalid(concat("expected response.uid=", quoted(uid), ", got ", quoted(response["uid"].asString())));
  }
  if (request.warnings)
    for (const Value& warning : response["warnings"].items())
      request.warnings->emplace_back(warning.asString().substr(0, kMaxWarning));
  if (request.auditAnnotations)
    for (const auto& annotation : response["auditAnnotations"].members())
      request.auditAnnotations->emplace(concat(webhook.name, '/', annotation.key), annotation.value.str());
  if (!response["allowed"].asBool()) return denied(webhook, response["status"]);
  std::string_view patch = response["patch"].asString();
  if (patch.empty() || type_ == WebhookType::Validating) return WebhookAnswer{};
  std::string_view type = response["patchType"].asString();
  bool isOld = webhook.reviewVersion == "v1beta1" && type.empty();
  if (type != "JSONPatch" && !isOld)
    return invalid(concat("webhook returned invalid response.patchType of ", quoted(type)));
  auto text = base64Decode(patch);
  if (!text) return invalid("response.patch is no base64");
  auto parsed = codec::parseJsonDocument(*text);
  if (!parsed.ok()) return failedCalling(webhook, parsed.error().message());
  return WebhookAnswer{*parsed, (*parsed)->root};
}

}  // namespace skiff::apiserver::extension
