// The plug-in ValidatingAdmissionPolicy.
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

struct Denial {
  std::string policy, binding, message;
  std::string reason;  // of the API's status; "": Invalid
};

int codeOf(Reason reason) {
  switch (reason) {
    case Reason::Forbidden:
    case Reason::Unauthorized:
    case Reason::RequestEntityTooLarge: return httpCode(reason);
    default: return 422;
  }
}

class ValidatingPolicies final : public AdmissionPlugin {
 public:
  ValidatingPolicies(ClusterReader& cluster, Authorizer& authorizer)
      : cluster_(cluster), authorizer_(authorizer), policies_(cluster, {kPolicies, kBindings}) {}

  std::string_view name() const override { return "ValidatingAdmissionPolicy"; }

  Status validate(const AdmissionRequest& request) override {
    if (isExempt(request)) return okStatus();
    auto policies = policies_.get([](const ClusterReader& cluster) { return loadPolicies(cluster, kPolicies, kBindings); });
    std::vector<Denial> denials;
    for (const Policy& policy : *policies) run(policy, request, denials);
    if (denials.empty()) return okStatus();
    return refusal(request, denials.front());
  }

 private:
  static constexpr const char* kPolicies = "validatingadmissionpolicies";
  static constexpr const char* kBindings = "validatingadmissionpolicybindings";

  static Error refusal(const AdmissionRequest& request, const Denial& denial) {
    std::string message = concat("ValidatingAdmissionPolicy '", denial.policy, "' ",
                                 denial.binding.empty() ? "" : concat("with binding '", denial.binding, "' "),
                                 "denied request: ", denial.message);
    std::string_view name = request.name;
    if (name.empty() && request.object) name = (*request.object)["metadata"]["name"].asString();
    Error base = forbidden(request.resource->group, request.resource->plural, name, message);
    ErrorDetails details = base.details() ? *base.details() : ErrorDetails{};
    details.causes.push_back({"", message, ""});
    Reason reason = denial.reason.empty() ? Reason::Invalid : reasonFromText(denial.reason);
    return Error(reason, base.message(), std::move(details)).withCode(codeOf(reason));
  }

  void run(const Policy& policy, const AdmissionRequest& request, std::vector<Denial>& denials) {
    auto fail = [&](std::string_view binding, std::string_view why) {
      if (policy.failsOpen)
        log::warn("Admission policy failed, failing open", {{"policy", policy.name}, {"err", why}});
      else
        denials.push_back({policy.name, std::string(binding), std::string(why), ""});
    };
    if (!policy.problem.empty()) return fail("", policy.problem);
    auto matched = policy.match.match(request, cluster_);
    if (!matched.ok()) return fail("", matched.error().message());
    if (!*matched) return;
    for (const Binding& binding : policy.bindings) {
      auto bound = binding.match.match(request, cluster_);
      if (!bound.ok() || !binding.problem.empty()) {
        fail(binding.name, bound.ok() ? binding.problem : bound.error().message());
        continue;
      }
      if (!*bound) continue;
      auto params = paramsOf(policy, binding, request, cluster_);
      if (!params.ok()) {
        fail(binding.name, concat("failed to configure binding: ", params.error().message()));
        continue;
      }
      for (const codec::DocumentPtr& param : *params) evaluate(policy, binding, request, **matched, param, denials);
    }
  }

  void evaluate(const Policy& policy, const Binding& binding, const AdmissionRequest& request,
                const MatchedResource& matched, const codec::DocumentPtr& param, std::vector<Denial>& denials) {
    codec::Arena arena;
    auto act = [&](std::string message, std::string reason, size_t index = 0) {
      if (binding.has("Audit")) addFailure(policy, binding, request, message, index);
      if (binding.has("Deny")) denials.push_back({policy.name, binding.name, message, std::move(reason)});
      if (binding.has("Warn") && request.warnings)
        request.warnings->push_back(concat("Validation failed for ValidatingAdmissionPolicy '", policy.name,
                                           "' with binding '", binding.name, "': ", message));
    };
    auto fail = [&](const Error& error) {
      if (!policy.failsOpen) act(error.message(), "");
    };
    auto object = inVersion(request.object, request, matched, arena);
    auto oldObject = inVersion(request.oldObject, request, matched, arena);
    if (!object.ok()) return fail(object.error());
    if (!oldObject.ok()) return fail(oldObject.error());
    Evaluation evaluation({.request = request,
                           .matched = matched,
                           .object = *object,
                           .oldObject = *oldObject,
                           .params = param ? &param->root : nullptr,
                           .policy = true,
                           .variables = &policy.variables},
                          cluster_, authorizer_);
    auto applies = evaluation.matches(policy.conditions);
    if (!applies.ok()) return fail(applies.error());
    if (!*applies) return;
    cel::Budget budget{kPolicyBudget};
    for (size_t i = 0; i < policy.validations.size(); ++i) {
      const Validation& validation = policy.validations[i];
      auto value = evaluation.evaluate(validation.expression, budget);
      if (!value.ok()) {
        fail(value.error());
      } else if (!value->isTrue()) {
        act(messageOf(validation, evaluation, budget), validation.reason, i);
      }
    }
    annotate(policy, evaluation, request, budget);
  }

  // The policy's own annotations; those of several bindings and params are joined, each value once.
  static void annotate(const Policy& policy, Evaluation& evaluation, const AdmissionRequest& request, cel::Budget& budget) {
    if (!request.auditAnnotations) return;
    for (const AuditAnnotation& annotation : policy.auditAnnotations) {
      auto made = evaluation.evaluate(annotation.expression, budget);
      if (!made.ok() || !made->is(cel::Kind::String)) continue;  // null: nothing to tell
      std::string_view text = trim(made->asText());
      if (text.empty()) continue;
      std::string& value = (*request.auditAnnotations)[concat(policy.name, '/', annotation.key)];
      auto parts = split(value, ',');
      bool told = std::ranges::any_of(parts, [&](std::string_view part) { return trim(part) == text; });
      if (!told) value += value.empty() ? std::string(text) : concat(", ", text);
    }
  }

  // What a binding with the action Audit found is one list of all failures of the request.
  static void addFailure(const Policy& policy, const Binding& binding, const AdmissionRequest& request, std::string_view message,
                         size_t index) {
    if (!request.auditAnnotations) return;
    codec::Arena arena;
    Value failure = Value::map();
    failure.set(arena, "message", Value::string(message));
    failure.set(arena, "policy", Value::string(policy.name));
    failure.set(arena, "binding", Value::string(binding.name));
    failure.set(arena, "expressionIndex", Value::integer(int64_t(index)));
    failure.set(arena, "validationActions", binding.spec()["validationActions"]);
    std::string& all = (*request.auditAnnotations)["validation.policy.admission.k8s.io/validation_failure"];
    if (all.empty()) all = "[]";
    all.insert(all.size() - 1, concat(all.size() > 2 ? "," : "", codec::toJson(failure)));
  }

  static std::string messageOf(const Validation& validation, Evaluation& evaluation, cel::Budget& budget) {
    if (validation.messageExpression) {
      auto made = evaluation.evaluate(*validation.messageExpression, budget);
      if (made.ok() && made->is(cel::Kind::String)) {
        std::string_view text = trim(made->asText());
        if (!text.empty() && text.size() <= 5 * 1024 && text.find('\n') == std::string_view::npos) return std::string(text);
      }
    }
    if (!validation.message.empty()) return validation.message;
    return concat("failed expression: ", trim(validation.expression.source));
  }

  ClusterReader& cluster_;
  Authorizer& authorizer_;
  Snapshot<Policies> policies_;
};

}  // namespace

std::unique_ptr<AdmissionPlugin> validatingPolicies(ClusterReader& cluster, Authorizer& authorizer) {
  return std::make_unique<ValidatingPolicies>(cluster, authorizer);
}

}  // namespace skiff::apiserver::extension
