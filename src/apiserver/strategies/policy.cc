// Budgets, limits, quotas, priorities and autoscalers.
#include <algorithm>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"
#include "apiserver/strategies/strategies.h"

namespace skiff::apiserver {

namespace {

using codec::Value;

class BudgetStrategy final : public StatusStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    Field least = spec["minAvailable"], most = spec["maxUnavailable"];
    if (least.has() && most.has()) {
      // As upstream's own struct is printed.
      errors.invalid(spec.path,
                     concat("{\"MinAvailable\":", shown(*least.value), ",\"Selector\":", shown(*spec["selector"].value),
                            ",\"MaxUnavailable\":", shown(*most.value), ",\"UnhealthyPodEvictionPolicy\":",
                            shown(*spec["unhealthyPodEvictionPolicy"].value), "}"),
                     "minAvailable and maxUnavailable cannot be both set");
    }
    for (const Field& value : {least, most}) {
      if (value.has()) checkIntOrPercent(errors, value);
    }
    validateLabelSelector(spec["selector"], errors);
    if (spec["unhealthyPodEvictionPolicy"].has()) {
      checkEnum(errors, spec["unhealthyPodEvictionPolicy"], {"AlwaysAllow", "IfHealthyBudget"});
    }
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) validateCreate(context, errors);
  }
};

class LimitRangeStrategy final : public PlainStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    each(rootField(context.object())["spec"]["limits"], [&](const Field& limit) { validateItem(limit, errors); });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override { validateCreate(context, errors); }

 private:
  static void validateItem(const Field& limit, FieldErrors& errors) {
    if (limit["type"].text() == "Pod") {
      for (std::string_view name : {"default", "defaultRequest"}) {
        if (limit[name].size() > 0) errors.forbidden(limit[name].path, "may not be specified when `type` is 'Pod'");
      }
    }
    std::vector<std::string> names;
    for (std::string_view part : {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}) {
      for (const codec::Member& member : limit[part].value->members()) {
        if (std::ranges::find(names, member.key) == names.end()) names.emplace_back(member.key);
      }
    }
    std::ranges::sort(names);
    for (const std::string& name : names) validateResource(limit, name, errors);
  }

  static void validateResource(const Field& limit, const std::string& name, FieldErrors& errors) {
    auto amount = [&](std::string_view part) -> std::optional<api::Quantity> {
      const Value* value = limit[part].value->find(name);
      if (value == nullptr) return std::nullopt;
      return quantityOf(*value);
    };
    auto min = amount("min"), max = amount("max"), given = amount("default"), request = amount("defaultRequest");
    using Amount = std::optional<api::Quantity>;
    // `blamed` is the value that upstream shows.
    auto check = [&](std::string_view part, const Amount& low, std::string_view lowName, const Amount& high,
                     std::string_view highName, const Amount& blamed) {
      if (!low || !high || *low <= *high) return;
      errors.invalid(concat(limit[part].path, "[", name, "]"), quoted(blamed->str()),
                     concat(lowName, " value ", low->str(), " is greater than ", highName, " value ", high->str()));
    };
    check("min", min, "min", max, "max", min);
    check("defaultRequest", min, "min", request, "default request", request);
    check("defaultRequest", request, "default request", max, "max", request);
    check("defaultRequest", request, "default request", given, "default", request);
    check("default", min, "min", given, "default", min);
    check("default", given, "default", max, "max", max);
  }
};

bool isQuotaName(std::string_view name) {
  if (oneOf(name, {"cpu", "memory", "ephemeral-storage", "pods", "services", "replicationcontrollers",
                   "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims", "requests.cpu",
                   "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu",
                   "limits.memory", "limits.ephemeral-storage", "services.nodeports", "services.loadbalancers"})) {
    return true;
  }
  return name.starts_with("hugepages-") || name.starts_with("requests.hugepages-") || name.starts_with("limits.hugepages-") ||
         name.starts_with("count/") || name.find('/') != name.npos;
}

class QuotaStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    eachEntry(spec["hard"], [&](std::string_view name, const Field& amount) {
      auto faults = formats::qualifiedName(name);
      addFaults(errors, amount.path, name, faults);
      if (faults.empty() && !isQuotaName(name)) {
        errors.invalid(amount.path, quoted(name), "must be a standard resource type or fully qualified");
        errors.invalid(amount.path, quoted(name), "must be a standard resource for quota");
      }
      if (quantityOf(*amount.value).sign() < 0) {
        errors.invalid(amount.path, shown(*amount.value), "must be greater than or equal to 0");
      }
    });
    each(spec["scopes"], [&](const Field& scope) {
      if (!oneOf(scope.text(), {"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass",
                                "CrossNamespacePodAffinity", "VolumeAttributesClass"})) {
        errors.invalid(spec["scopes"].path, shown(*spec["scopes"].value), "unsupported scope");
      }
    });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    Field scopes = rootField(context.object())["spec"]["scopes"];
    if (!sameValue(*scopes.value, context.old()["spec"]["scopes"])) {
      errors.invalid(scopes.path, shown(*scopes.value), "field is immutable");
    }
  }
};

class PriorityClassStrategy final : public Strategy {
 public:
  bool hasStatus() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    constexpr int64_t kHighest = 1000000000;
    Field object = rootField(context.object());
    std::string_view name = object["metadata"]["name"].text();
    if (name.starts_with("system-")) {
      bool known = (name == "system-node-critical" && object["value"].number() == 2000001000) ||
                   (name == "system-cluster-critical" && object["value"].number() == 2000000000);
      if (!known) {
        errors.forbidden("metadata.name",
                         concat("priority class names with 'system-' prefix are reserved for system use only. "
                                "error: ",
                                name, " is not a known system priority class"));
      }
    } else if (object["value"].number() > kHighest) {
      errors.forbidden("value", concat("maximum allowed value of a user defined priority is ", kHighest));
    }
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object());
    if (object["value"].number() != context.old()["value"].asInt()) {
      errors.forbidden("value", "may not be changed in an update.");
    }
    checkImmutable(errors, object["preemptionPolicy"], context.old()["preemptionPolicy"]);
  }
};

class AutoscalerStrategy final : public StatusStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    Field least = spec["minReplicas"], most = spec["maxReplicas"], target = spec["scaleTargetRef"];
    if (least.has() && least.number() < 1) {
      errors.invalid(least.path, shown(*least.value), "must be greater than or equal to 1");
    }
    if (most.number() < 1) {
      errors.invalid(most.path, std::to_string(most.number()), "must be greater than 0");
    } else if (least.has() && most.number() < least.number()) {
      errors.invalid(most.path, std::to_string(most.number()), "must be greater than or equal to `minReplicas`");
    }
    if (target["kind"].text().empty()) errors.required(target["kind"].path, "");
    if (target["name"].text().empty()) errors.required(target["name"].path, "");
    bool core = target["apiVersion"].text().find('/') == std::string_view::npos;
    if (core && target["kind"].text() != "ReplicationController") {
      errors.invalid(target["apiVersion"].path, quoted(target["apiVersion"].text()), "apiVersion must specify API group");
    }
    each(spec["metrics"], [&](const Field& metric) {
      if (metric["type"].text().empty()) {
        errors.required(metric["type"].path, "must specify a metric source type");
      } else {
        checkEnum(errors, metric["type"], {"ContainerResource", "External", "Object", "Pods", "Resource"});
      }
    });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) validateCreate(context, errors);
  }
};

}  // namespace

void addPolicyStrategies(const AddStrategy& add) {
  add("policy/poddisruptionbudgets", std::make_unique<BudgetStrategy>());
  add("/limitranges", std::make_unique<LimitRangeStrategy>());
  add("/resourcequotas", std::make_unique<QuotaStrategy>());
  add("scheduling.k8s.io/priorityclasses", std::make_unique<PriorityClassStrategy>());
  add("autoscaling/horizontalpodautoscalers", std::make_unique<AutoscalerStrategy>());
}

}  // namespace skiff::apiserver
