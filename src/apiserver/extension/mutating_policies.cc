// The plug-in MutatingAdmissionPolicy: expressions that build what is to be merged into the object, or a patch of it.
// https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
#include "api/apply_schema.h"
#include "api/patch.h"
#include "apiserver/extension/plugins.h"
#include "apiserver/extension/policy.h"
#include "apiserver/extension/snapshot.h"
#include "apiserver/status.h"
#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::apiserver::extension {
namespace {

using codec::Value;

class MutatingPolicies final : public AdmissionPlugin {
 public:
  MutatingPolicies(ClusterReader& cluster, Authorizer& authorizer)
      : cluster_(cluster), authorizer_(authorizer), policies_(cluster, {kPolicies, kBindings}) {}

  std::string_view name() const override { return "MutatingAdmissionPolicy"; }

  Status mutate(AdmissionRequest& request) override {
    if (!request.object || isExempt(request)) return okStatus();
    auto policies = policies_.get([](const ClusterReader& cluster) { return loadPolicies(cluster, kPolicies, kBindings); });
    for (const Policy& policy : *policies) TRY(run(policy, request));
    return okStatus();
  }

 private:
  static constexpr const char* kPolicies = "mutatingadmissionpolicies";
  static constexpr const char* kBindings = "mutatingadmissionpolicybindings";

  Status run(const Policy& policy, AdmissionRequest& request) {
    if (request.isReinvocation && !policy.reinvoked) return okStatus();
    for (const Binding& binding : policy.bindings) {
      Status done = bind(policy, binding, request);
      if (done.ok()) continue;
      if (policy.failsOpen) {
        log::warn("Admission policy failed, failing open", {{"policy", policy.name}, {"err", done.error().message()}});
        continue;
      }
      return refusal(policy, binding, request, done.error());
    }
    return okStatus();
  }

  static Error refusal(const Policy& policy, const Binding& binding, const AdmissionRequest& request, const Error& why) {
    std::string message = concat("policy '", policy.name, "' with binding '", binding.name, "' denied request: ", why.message());
    Error base = forbidden(request.resource->group, request.resource->plural,
                           (*request.object)["metadata"]["name"].asString(), message);
    ErrorDetails details = base.details() ? *base.details() : ErrorDetails{};
    details.causes.push_back({"", message, ""});
    return Error(Reason::Invalid, base.message(), std::move(details)).withCode(422);
  }

  Status bind(const Policy& policy, const Binding& binding, AdmissionRequest& request) {
    if (!policy.problem.empty()) return badRequest(policy.problem);
    if (!binding.problem.empty()) return badRequest(binding.problem);
    std::optional<MatchedResource> matched = TRY(policy.match.match(request, cluster_));
    if (!matched) return okStatus();
    std::optional<MatchedResource> bound = TRY(binding.match.match(request, cluster_));
    if (!bound) return okStatus();
    std::vector<codec::DocumentPtr> params = TRY(paramsOf(policy, binding, request, cluster_));
    for (const codec::DocumentPtr& param : params) TRY(apply(policy, request, *matched, param));
    return okStatus();
  }

  Status apply(const Policy& policy, AdmissionRequest& request, const MatchedResource& matched,
               const codec::DocumentPtr& param) {
    cel::Budget budget{kPolicyBudget};
    for (size_t i = 0; i < policy.mutations.size(); ++i) {
      codec::Arena& arena = *request.arena;
      // Each mutation sees what the one before it made, so the variables are evaluated anew.
      const Value* object = TRY(inVersion(request.object, request, matched, arena));
      const Value* oldObject = TRY(inVersion(request.oldObject, request, matched, arena));
      Evaluation evaluation({.request = request,
                             .matched = matched,
                             .object = object,
                             .oldObject = oldObject,
                             .params = param ? &param->root : nullptr,
                             .policy = true,
                             .variables = &policy.variables},
                            cluster_, authorizer_);
      bool applies = i > 0 || TRY(evaluation.matches(policy.conditions));
      if (!applies) return okStatus();
      cel::Value made = TRY(evaluation.evaluate(policy.mutations[i].expression, budget));
      std::optional<Value> tree = cel::toTree(made, arena);
      if (!tree) return badRequest("expression evaluates to what no object can hold");
      Value changed = TRY(policy.mutations[i].isPatch ? patched(*object, *tree, arena)
                                                      : merged(*object, *tree, matched, made.messageName(), arena));
      TRY(store(std::move(changed), request, matched));
    }
    return okStatus();
  }

  static Result<Value> patched(const Value& object, const Value& patch, codec::Arena& arena) {
    if (!patch.isList()) return badRequest("type mismatch: JSONPatchType.expression should evaluate to array");
    return api::applyJsonPatch(object, patch, arena);
  }

  static Result<Value> merged(const Value& object, const Value& configuration, const MatchedResource& matched,
                              std::string_view message, codec::Arena& arena) {
    if (message != "Object") return badRequest("must evaluate to Object");
    for (std::string_view name : {"apiVersion", "kind"})
      if (configuration.has(name)) return badRequest(concat("apply configuration must not set ", name));
    const api::ResourceInfo* info = api::findResource(matched.group, matched.version, matched.plural);
    const api::TypeInfo* type = info ? info->type : nullptr;
    if (object["kind"].asString() != matched.kind) type = api::findKind(matched.group, matched.version, object["kind"].asString());
    api::ApplyShape shape = api::ApplyShape::ofObject(type);
    if (auto fields = api::fieldSetOf(configuration, shape); !fields.ok())
      return badRequest(concat("error applying patch: invalid ApplyConfiguration: ", fields.error().message()));
    return api::mergeByShape(object, configuration, shape, arena).clone(arena);
  }

  static Status store(Value changed, AdmissionRequest& request, const MatchedResource& matched) {
    TRY(toStoredVersion(changed, request, matched, *request.arena));
    if (request.reform) TRY(request.reform(changed));
    if (changed == *request.object) return okStatus();
    *request.object = changed;
    request.reinvoke = true;
    return okStatus();
  }

  ClusterReader& cluster_;
  Authorizer& authorizer_;
  Snapshot<Policies> policies_;
};

}  // namespace

std::unique_ptr<AdmissionPlugin> mutatingPolicies(ClusterReader& cluster, Authorizer& authorizer) {
  return std::make_unique<MutatingPolicies>(cluster, authorizer);
}

}  // namespace skiff::apiserver::extension
