// Kinds that extend the server: API services, webhooks, flow control. (Custom resources have their own place: crd_strategy.cc.)
#include <algorithm>

#include "apiserver/crd_strategy.h"
#include "apiserver/extension/expression_checks.h"
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"

namespace skiff::apiserver {

namespace {

using codec::Value;

class ApiServiceStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object()), spec = object["spec"];
    std::string expected = concat(spec["version"].text(), ".", spec["group"].text());
    std::string_view name = object["metadata"]["name"].text();
    if (name != expected) {
      errors.invalid("metadata.name", quoted(name),
                     concat("must be `spec.version+\".\"+spec.group`: ", quoted(expected)));
    }
    auto range = [&](std::string_view field, int64_t below) {
      int64_t value = spec[field].number();
      if (value > 0 && value <= below) return;
      errors.invalid(spec[field].path, std::to_string(value), concat("must be positive and less than ", below));
    };
    range("groupPriorityMinimum", 20000);
    range("versionPriority", 1000);
    if (!spec["service"].has()) return;
    for (std::string_view part : {"namespace", "name"}) {
      if (spec["service"][part].text().empty()) errors.required(spec["service"][part].path, "");
    }
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) validateCreate(context, errors);
  }
};

class WebhookStrategy final : public Strategy {
 public:
  bool hasStatus() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    each(rootField(context.object())["webhooks"], [&](const Field& hook) { validateHook(hook, errors); });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override { validateCreate(context, errors); }

 private:
  static void requireList(const Field& list, FieldErrors& errors) {
    if (list.size() == 0) errors.required(list.path, "");
  }
  static void validateHook(const Field& hook, FieldErrors& errors) {
    addFaults(errors, hook["name"], formats::fullyQualifiedName(hook["name"].text()));
    each(hook["rules"], [&](const Field& rule) {
      requireList(rule["operations"], errors);
      each(rule["operations"], [&](const Field& operation) {
        checkEnum(errors, operation, {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"});
      });
      for (std::string_view name : {"apiGroups", "apiVersions", "resources"}) requireList(rule[name], errors);
    });
    if (hook["failurePolicy"].has()) checkEnum(errors, hook["failurePolicy"], {"Fail", "Ignore"});
    if (hook["matchPolicy"].has()) checkEnum(errors, hook["matchPolicy"], {"Equivalent", "Exact"});
    if (!hook["sideEffects"].has()) {
      errors.required(hook["sideEffects"].path, "must specify one of None, NoneOnDryRun");
    } else {
      checkEnum(errors, hook["sideEffects"], {"None", "NoneOnDryRun"});
    }
    Field timeout = hook["timeoutSeconds"];
    if (timeout.has() && (timeout.number() < 1 || timeout.number() > 30)) {
      errors.invalid(timeout.path, shown(*timeout.value), "the timeout value must be between 1 and 30 seconds");
    }
    validateLabelSelector(hook["namespaceSelector"], errors);
    validateLabelSelector(hook["objectSelector"], errors);
    checkMatchConditions(*hook["matchConditions"].value, hook["matchConditions"].path, errors);
    Field client = hook["clientConfig"];
    if (client["url"].has() == client["service"].has()) {
      errors.required(client.path, "exactly one of url or service is required");
    }
    Field versions = hook["admissionReviewVersions"];
    if (versions.size() == 0) {
      errors.required(versions.path, "must specify one of v1, v1beta1");
      return;
    }
    auto items = versions.value->items();
    bool known = std::ranges::any_of(items, [](const Value& v) { return oneOf(v.asString(), {"v1", "v1beta1"}); });
    if (!known) {
      errors.invalid(versions.path, shown(*versions.value), "must include at least one of v1, v1beta1");
    }
  }
};

class FlowSchemaStrategy final : public StatusStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    Field precedence = spec["matchingPrecedence"];
    if (precedence.number() < 1 || precedence.number() > 10000) {
      errors.invalid(precedence.path, std::to_string(precedence.number()), "must be between 1 and 10000");
    }
    Field level = spec["priorityLevelConfiguration"]["name"];
    if (level.text().empty()) {
      errors.required(level.path, "must reference a priority level");
    } else {
      addFaults(errors, level, formats::dnsSubdomain(level.text()));
    }
    each(spec["rules"], [&](const Field& rule) {
      if (rule["subjects"].size() == 0) {
        errors.required(rule["subjects"].path, "subjects must contain at least one value");
      }
      if (rule["resourceRules"].size() + rule["nonResourceRules"].size() == 0) {
        errors.required(rule.path, "at least one of resourceRules and nonResourceRules has to be non-empty");
      }
    });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) validateCreate(context, errors);
  }
};

// Admission policies: what they say in expressions must compile.
template <class Base>
class PolicyStrategy final : public Base {
 public:
  bool hasStatus() const override { return std::is_same_v<Base, StatusStrategy>; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    checkPolicyExpressions(std::as_const(context.object())["spec"], errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (context.request.subresource.empty()) validateCreate(context, errors);
  }
};

// Policies that are data only have generation and no status.
class CountedStrategy final : public Strategy {
 public:
  bool hasStatus() const override { return false; }
};

}  // namespace

void addExtensionStrategies(const AddStrategy& add) {
  add("apiextensions.k8s.io/customresourcedefinitions", makeDefinitionStrategy());
  add("apiregistration.k8s.io/apiservices", std::make_unique<ApiServiceStrategy>());
  constexpr std::string_view kAdmission = "admissionregistration.k8s.io/";
  add(concat(kAdmission, "validatingwebhookconfigurations"), std::make_unique<WebhookStrategy>());
  add(concat(kAdmission, "mutatingwebhookconfigurations"), std::make_unique<WebhookStrategy>());
  add(concat(kAdmission, "validatingadmissionpolicies"), std::make_unique<PolicyStrategy<StatusStrategy>>());
  add(concat(kAdmission, "mutatingadmissionpolicies"), std::make_unique<PolicyStrategy<Strategy>>());
  for (std::string_view plain : {"validatingadmissionpolicybindings", "mutatingadmissionpolicybindings"}) {
    add(concat(kAdmission, plain), std::make_unique<CountedStrategy>());
  }
  add("flowcontrol.apiserver.k8s.io/flowschemas", std::make_unique<FlowSchemaStrategy>());
}

}  // namespace skiff::apiserver
