// Deployments, replica sets, replication controllers, stateful sets and daemon sets.
#include "apiserver/strategies/workloads.h"

#include <set>

#include "api/selectors.h"
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"
#include "apiserver/strategies/strategies.h"
#include "apiserver/strategies/warnings.h"

namespace skiff::apiserver {

using codec::Arena;
using codec::Value;

void validateSelectorMatches(const Field& selector, const Field& podTemplate, FieldErrors& errors) {
  Field labels = podTemplate["metadata"]["labels"];
  if (selector.has()) {
    auto parsed = api::LabelSelector::fromValue(*selector.value);
    if (!parsed.ok()) return;  // its own faults have been told
    if (parsed->empty() || parsed->matches(*labels.value)) return;
  }
  errors.invalid(labels.path, shown(*labels.value), "`selector` does not match template `labels`");
}

namespace {

void validateSelector(const Field& spec, std::string_view what, FieldErrors& errors) {
  Field selector = spec["selector"];
  if (!selector.has()) {
    errors.required(selector.path, "");
    return;
  }
  validateLabelSelector(selector, errors);
  if (selector["matchLabels"].size() + selector["matchExpressions"].size() == 0) {
    errors.invalid(selector.path, shown(*selector.value), concat("empty selector is invalid for ", what));
  }
}

// Pods of these run for ever.
void validateAlwaysTemplate(StrategyContext& context, const Field& podTemplate, FieldErrors& errors) {
  validatePodTemplate(podTemplate, errors);
  warnPodSpec(podTemplate["spec"], context.request.warnings);
  Field spec = podTemplate["spec"];
  if (spec["restartPolicy"].text() != "Always") {
    errors.notSupported(spec["restartPolicy"].path, quoted(spec["restartPolicy"].text()), {"Always"});
  }
  if (spec["activeDeadlineSeconds"].has()) {
    errors.forbidden(spec["activeDeadlineSeconds"].path,
                     "activeDeadlineSeconds in pod template is not Supported");
  }
}

bool isZeroAmount(const Value& value) {
  return value.isString() ? percentOf(value).value_or(1) == 0 : value.asInt() == 0;
}

void checkAtMostAll(const Field& value, FieldErrors& errors) {
  if (percentOf(*value.value).value_or(0) > 100) {
    errors.invalid(value.path, shown(*value.value), "must not be greater than 100%");
  }
}

class DeploymentStrategy final : public StatusStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    checkNonNegative(errors, spec["replicas"]);
    validateSelector(spec, "deployment", errors);
    validateSelectorMatches(spec["selector"], spec["template"], errors);
    validateAlwaysTemplate(context, spec["template"], errors);
    validateRollout(spec["strategy"], errors);
    checkNonNegative(errors, spec["minReadySeconds"]);
    checkNonNegative(errors, spec["revisionHistoryLimit"]);
    Field deadline = spec["progressDeadlineSeconds"];
    if (!deadline.has()) return;
    checkNonNegative(errors, deadline);
    if (deadline.number() <= spec["minReadySeconds"].number()) {
      errors.invalid(deadline.path, shown(*deadline.value), "must be greater than minReadySeconds");
    }
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    checkImmutable(errors, rootField(context.object())["spec"]["selector"], context.old()["spec"]["selector"]);
  }

 private:
  static void validateRollout(const Field& strategy, FieldErrors& errors) {
    std::string_view type = strategy["type"].text();
    Field rolling = strategy["rollingUpdate"];
    if (type == "Recreate") {
      if (rolling.has()) {
        errors.forbidden(rolling.path, "may not be specified when strategy `type` is 'Recreate'");
      }
      return;
    }
    if (type != "RollingUpdate") {
      checkEnum(errors, strategy["type"], {"Recreate", "RollingUpdate"});
      return;
    }
    if (!rolling.has()) {
      errors.required(rolling.path, "this should be defaulted and never be nil");
      return;
    }
    Field down = rolling["maxUnavailable"], up = rolling["maxSurge"];
    checkIntOrPercent(errors, down);
    checkIntOrPercent(errors, up);
    if (isZeroAmount(*down.value) && isZeroAmount(*up.value)) {
      errors.invalid(down.path, shown(*down.value), "may not be 0 when `maxSurge` is 0");
    }
    checkAtMostAll(down, errors);
  }
};

class ReplicaSetStrategy final : public StatusStrategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    status.set(context.arena(), "replicas", Value::integer(0));
    context.object().set(context.arena(), "status", status);
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    checkNonNegative(errors, spec["replicas"]);
    checkNonNegative(errors, spec["minReadySeconds"]);
    validateSelector(spec, "replicaset", errors);
    validateSelectorMatches(spec["selector"], spec["template"], errors);
    validateAlwaysTemplate(context, spec["template"], errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    checkImmutable(errors, rootField(context.object())["spec"]["selector"], context.old()["spec"]["selector"]);
  }
};

class ReplicationControllerStrategy final : public StatusStrategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    status.set(context.arena(), "replicas", Value::integer(0));
    context.object().set(context.arena(), "status", status);
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    checkNonNegative(errors, spec["minReadySeconds"]);
    if (spec["selector"].size() == 0) errors.required(spec["selector"].path, "");
    checkNonNegative(errors, spec["replicas"]);
    Field podTemplate = spec["template"];
    if (!podTemplate.has()) {
      errors.required(podTemplate.path, "");
      return;
    }
    const Value& labels = *podTemplate["metadata"]["labels"].value;
    for (const codec::Member& member : spec["selector"].value->members()) {
      if (labels[member.key] == member.value) continue;
      errors.invalid(podTemplate["metadata"]["labels"].path, shown(labels),
                     "`selector` does not match template `labels`");
      break;
    }
    validateAlwaysTemplate(context, podTemplate, errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) validateCreate(context, errors);
  }
  bool orphansByDefault() const override { return true; }
};

class StatefulSetStrategy final : public StatusStrategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    status.set(context.arena(), "availableReplicas", Value::integer(0));
    status.set(context.arena(), "replicas", Value::integer(0));
    context.object().set(context.arena(), "status", status);
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    Field policy = spec["podManagementPolicy"];
    if (policy.text().empty()) {
      errors.required(policy.path, "");
    } else if (!oneOf(policy.text(), {"OrderedReady", "Parallel"})) {
      errors.invalid(policy.path, quoted(policy.text()), "must be 'OrderedReady' or 'Parallel'");
    }
    validateUpdateStrategy(spec["updateStrategy"], errors);
    checkNonNegative(errors, spec["replicas"]);
    checkNonNegative(errors, spec["minReadySeconds"]);
    checkNonNegative(errors, spec["ordinals"]["start"]);
    validateSelector(spec, "statefulset", errors);
    validateSelectorMatches(spec["selector"], spec["template"], errors);
    Value podTemplate = withClaims(*spec.value, context.arena());
    validateAlwaysTemplate(context, {&podTemplate, spec["template"].path}, errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    Field spec = rootField(context.object())["spec"];
    const Value& old = context.old()["spec"];
    size_t before = errors.causes().size();
    checkImmutable(errors, spec["selector"], old["selector"]);
    checkImmutable(errors, spec["serviceName"], old["serviceName"]);
    checkImmutable(errors, spec["podManagementPolicy"], old["podManagementPolicy"]);
    if (errors.causes().size() != before || sameValue(*spec["volumeClaimTemplates"].value, old["volumeClaimTemplates"])) {
      return;
    }
    errors.forbidden(spec.path,
                     "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                     "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                     "'minReadySeconds' are forbidden");
  }

 private:
  // The template as its pods will have it: each claim template is a volume, in place of one of that name.
  static Value withClaims(const Value& spec, Arena& arena) {
    Value podTemplate = spec["template"].clone(arena);
    if (spec["volumeClaimTemplates"].empty()) return podTemplate;
    Value volumes = Value::list();
    std::set<std::string_view> names;
    for (const Value& claim : spec["volumeClaimTemplates"].items()) {
      Value source = Value::map();
      source.set(arena, "claimName", claim["metadata"]["name"]);
      Value volume = Value::map();
      volume.set(arena, "name", claim["metadata"]["name"]);
      volume.set(arena, "persistentVolumeClaim", source);
      volumes.push(arena, volume);
      names.insert(claim["metadata"]["name"].asString());
    }
    for (const Value& volume : podTemplate["spec"]["volumes"].items()) {
      if (!names.contains(volume["name"].asString())) volumes.push(arena, volume);
    }
    podTemplate.child(arena, "spec").set(arena, "volumes", volumes);
    return podTemplate;
  }

  static void validateUpdateStrategy(const Field& strategy, FieldErrors& errors) {
    std::string_view type = strategy["type"].text();
    Field rolling = strategy["rollingUpdate"];
    if (type.empty()) {
      errors.required(strategy.path, "");
    } else if (type == "OnDelete") {
      if (rolling.has()) {
        errors.invalid(rolling.path, shown(*rolling.value),
                       "only allowed for updateStrategy 'RollingUpdate'");
      }
    } else if (type == "RollingUpdate") {
      checkNonNegative(errors, rolling["partition"]);
    } else {
      errors.invalid(strategy.path, shown(*strategy.value), "must be 'RollingUpdate' or 'OnDelete'");
    }
  }
};

class DaemonSetStrategy final : public StatusStrategy {
 public:
  // Who writes a daemon set owns the count that it is given.
  void applyDefaults(Value& object, Arena& arena) override {
    Value& annotations = object.child(arena, "metadata").child(arena, "annotations");
    if (!annotations.has(kTemplateGeneration)) annotations.set(arena, kTemplateGeneration, Value::string("0"));
  }
  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    for (std::string_view name : {"currentNumberScheduled", "desiredNumberScheduled",
                                  "numberMisscheduled", "numberReady"}) {
      status.set(context.arena(), name, Value::integer(0));
    }
    context.object().set(context.arena(), "status", status);
    setTemplateGeneration(context, 1);
  }
  void prepareUpdate(StrategyContext& context) override {
    if (!isWhole(context)) return;
    const Value& old = context.old();
    int64_t before = parseInt(old["metadata"]["annotations"][kTemplateGeneration].asString()).value_or(0);
    bool same = sameValue(context.object()["spec"]["template"], old["spec"]["template"]);
    setTemplateGeneration(context, same ? before : before + 1);
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validateLabelSelector(spec["selector"], errors);
    Field selector = spec["selector"];
    validateSelectorMatches(selector, spec["template"], errors);
    if (selector["matchLabels"].size() + selector["matchExpressions"].size() == 0) {
      errors.invalid(selector.path, shown(*selector.value), "empty selector is invalid for daemonset");
    }
    validateAlwaysTemplate(context, spec["template"], errors);
    checkNonNegative(errors, spec["minReadySeconds"]);
    validateUpdateStrategy(spec["updateStrategy"], errors);
    checkNonNegative(errors, spec["revisionHistoryLimit"]);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    checkImmutable(errors, rootField(context.object())["spec"]["selector"], context.old()["spec"]["selector"]);
  }

 private:
  // A field of old versions, kept as an annotation: it counts the changes of the template.
  static constexpr std::string_view kTemplateGeneration = "deprecated.daemonset.template.generation";
  static void setTemplateGeneration(StrategyContext& context, int64_t generation) {
    Arena& arena = context.arena();
    context.object().child(arena, "metadata").child(arena, "annotations")
        .set(arena, kTemplateGeneration, Value::text(arena, std::to_string(generation)));
  }

  static void validateUpdateStrategy(const Field& strategy, FieldErrors& errors) {
    std::string_view type = strategy["type"].text();
    if (type == "OnDelete") return;
    if (type != "RollingUpdate") {
      checkEnum(errors, strategy["type"], {"RollingUpdate", "OnDelete"});
      return;
    }
    Field rolling = strategy["rollingUpdate"];
    Field down = rolling["maxUnavailable"], up = rolling["maxSurge"];
    checkIntOrPercent(errors, down);
    checkIntOrPercent(errors, up);
    checkAtMostAll(down, errors);
    bool noDown = isZeroAmount(*down.value), noUp = isZeroAmount(*up.value);
    if (noDown && noUp) {
      errors.required(down.path, "cannot be 0 when maxSurge is 0");
    } else if (!noDown && !noUp) {
      errors.invalid(up.path, shown(*up.value), "may not be set when maxUnavailable is non-zero");
    }
  }
};

class ControllerRevisionStrategy final : public PlainStrategy {
 public:
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    checkImmutable(errors, rootField(context.object())["data"], context.old()["data"]);
  }
};

}  // namespace

void addWorkloadStrategies(const AddStrategy& add) {
  add("apps/deployments", std::make_unique<DeploymentStrategy>());
  add("apps/replicasets", std::make_unique<ReplicaSetStrategy>());
  add("/replicationcontrollers", std::make_unique<ReplicationControllerStrategy>());
  add("apps/statefulsets", std::make_unique<StatefulSetStrategy>());
  add("apps/daemonsets", std::make_unique<DaemonSetStrategy>());
  add("apps/controllerrevisions", std::make_unique<ControllerRevisionStrategy>());
}

}  // namespace skiff::apiserver
