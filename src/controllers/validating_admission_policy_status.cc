// Tells authors of ValidatingAdmissionPolicies what their expressions get wrong, in the policy's status.
#include "codec/json.h"
#include "controllers/controller.h"
#include "controllers/policy_type_check.h"
#include "controllers/registry.h"
#include "controllers/resource_catalog.h"

namespace skiff::controllers {
namespace {

constexpr std::string_view kFieldManager = "validatingadmissionpolicy-status";

// What is applied to the status: only what the check knows, so that conditions of others stay.
std::string statusOf(const ValidatingAdmissionPolicy& policy, const std::vector<ExpressionWarning>& warnings) {
  codec::Arena arena;
  codec::Value typeChecking = codec::Value::map(), list = codec::Value::list();
  for (const ExpressionWarning& warning : warnings) {
    codec::Value item = codec::Value::map();
    item.set(arena, "fieldRef", codec::Value::string(warning.fieldRef));
    item.set(arena, "warning", codec::Value::string(warning.warning));
    list.push(arena, item);
  }
  if (!warnings.empty()) typeChecking.set(arena, "expressionWarnings", list);
  codec::Value out = codec::Value::map();
  out.set(arena, "apiVersion", codec::Value::string("admissionregistration.k8s.io/v1"));
  out.set(arena, "kind", codec::Value::string(ValidatingAdmissionPolicy::kKind));
  out.child(arena, "metadata").set(arena, "name", codec::Value::string(policy.metadata.name));
  codec::Value& status = out.child(arena, "status");
  status.set(arena, "observedGeneration", codec::Value::integer(policy.metadata.generation));
  status.set(arena, "typeChecking", typeChecking);
  return codec::toJson(out);
}

class PolicyStatusController final : public Controller {
 public:
  explicit PolicyStatusController(Context& context)
      : Controller(context, "validatingadmissionpolicy-status", 1),
        policies_(context.informers.of<ValidatingAdmissionPolicy>()),
        definitions_(context.informers.of<CustomResourceDefinition>()) {
    enqueueOwnKeys(policies_);
  }

  // A policy is checked once for each of its generations, against the kinds that are known then.
  Result<client::Requeue> reconcile(const std::string& key) override {
    auto policy = policies_.getByKey(key);
    if (!policy || policy->metadata.generation <= policy->status.observedGeneration) return done();
    KindCatalog catalog(definitions_.objects().list());
    auto typeNumber = uint64_t(ctx_.clock.now().time_since_epoch().count()) % 1'000'000'000;
    std::string body = statusOf(*policy, checkPolicyTypes(*policy, catalog, typeNumber));
    auto applied = ctx_.client->patch<ValidatingAdmissionPolicy>(
        {}, key, client::PatchType::Apply, std::move(body),
        {.subresource = "status", .fieldManager = std::string(kFieldManager), .force = true});
    if (!applied.ok() && !applied.failedWith(Reason::NotFound)) return std::move(applied).error();
    return done();
  }

 private:
  client::Informer<ValidatingAdmissionPolicy> policies_;
  client::Informer<CustomResourceDefinition> definitions_;
};

}  // namespace

std::unique_ptr<Controller> createPolicyStatusController(Context& context) {
  return std::make_unique<PolicyStatusController>(context);
}

}  // namespace skiff::controllers
