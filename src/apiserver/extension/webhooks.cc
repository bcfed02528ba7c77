// The plug-ins MutatingAdmissionWebhook and ValidatingAdmissionWebhook.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
#include "api/patch.h"
#include "apiserver/extension/plugins.h"
#include "apiserver/extension/snapshot.h"
#include "apiserver/extension/webhook.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Value;

uint64_t hashOf(const Value& object) { return fnv64a(codec::toJson(object)); }

// One after the other, each seeing what the one before it made of the object.
class MutatingWebhooks final : public AdmissionPlugin {
 public:
  MutatingWebhooks(ClusterReader& cluster, Authorizer& authorizer, WebhookMetrics* metrics)
      : caller_(cluster, authorizer, WebhookType::Mutating, metrics), webhooks_(cluster, {kResource}) {}

  std::string_view name() const override { return "MutatingAdmissionWebhook"; }

  Status mutate(AdmissionRequest& request) override {
    if (isExempt(request)) return okStatus();
    auto webhooks = webhooks_.get([](const ClusterReader& cluster) { return loadWebhooks(cluster, kResource); });
    for (const Webhook& webhook : *webhooks)
      if (!request.isReinvocation || isStale(webhook, request)) TRY(run(webhook, request));
    return okStatus();
  }

 private:
  static constexpr const char* kResource = "mutatingwebhookconfigurations";

  // On the second run: has the object changed since this webhook saw it?
  static bool isStale(const Webhook& webhook, const AdmissionRequest& request) {
    if (!webhook.reinvoked || !request.object) return false;
    auto seen = request.reinvocable.find(webhook.key());
    return seen != request.reinvocable.end() && seen->second != hashOf(*request.object);
  }

  Status run(const Webhook& webhook, AdmissionRequest& request) {
    WebhookCaller::Outcome outcome = TRY(caller_.call(webhook, request));
    if (!outcome.called) return okStatus();
    if (!outcome.answer.patch.isNull() && request.object) TRY(apply(webhook, outcome, request));
    if (webhook.reinvoked && request.object) request.reinvocable[webhook.key()] = hashOf(*request.object);
    return okStatus();
  }

  Status apply(const Webhook& webhook, const WebhookCaller::Outcome& outcome, AdmissionRequest& request) {
    codec::Arena& arena = *request.arena;
    const Value* object = TRY(inVersion(request.object, request, outcome.matched, arena));
    auto patched = api::applyJsonPatch(*object, outcome.answer.patch, arena);
    if (!patched.ok())
      return internalError(concat("Internal error occurred: failed calling webhook ", quoted(webhook.name), ": ",
                                  patched.error().message()));
    TRY(toStoredVersion(*patched, request, outcome.matched, arena));
    if (request.reform) TRY(request.reform(*patched));
    if (*patched == *request.object) return okStatus();
    *request.object = *patched;
    request.reinvoke = true;
    return okStatus();
  }

  WebhookCaller caller_;
  Snapshot<Webhooks> webhooks_;
};

// In order; the first refusal is the answer.
class ValidatingWebhooks final : public AdmissionPlugin {
 public:
  ValidatingWebhooks(ClusterReader& cluster, Authorizer& authorizer, WebhookMetrics* metrics)
      : caller_(cluster, authorizer, WebhookType::Validating, metrics), webhooks_(cluster, {kResource}) {}

  std::string_view name() const override { return "ValidatingAdmissionWebhook"; }

  Status validate(const AdmissionRequest& request) override {
    if (isExempt(request)) return okStatus();
    auto webhooks = webhooks_.get([](const ClusterReader& cluster) { return loadWebhooks(cluster, kResource); });
    for (const Webhook& webhook : *webhooks) TRY(caller_.call(webhook, request));
    return okStatus();
  }

 private:
  static constexpr const char* kResource = "validatingwebhookconfigurations";
  WebhookCaller caller_;
  Snapshot<Webhooks> webhooks_;
};

}  // namespace

std::unique_ptr<AdmissionPlugin> mutatingWebhooks(ClusterReader& cluster, Authorizer& authorizer, WebhookMetrics* metrics) {
  return std::make_unique<MutatingWebhooks>(cluster, authorizer, metrics);
}
std::unique_ptr<AdmissionPlugin> validatingWebhooks(ClusterReader& cluster, Authorizer& authorizer, WebhookMetrics* metrics) {
  return std::make_unique<ValidatingWebhooks>(cluster, authorizer, metrics);
}

}  // namespace skiff::apiserver::extension
