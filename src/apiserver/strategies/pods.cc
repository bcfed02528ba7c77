// Pods: status is the server's, nearly all of the spec is fixed once created.
#include <algorithm>

#include "api/internal_form.h"
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_qos.h"
#include "apiserver/strategies/pod_spec.h"
#include "apiserver/strategies/strategies.h"
#include "apiserver/strategies/warnings.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

void copyMember(Value& into, const Value& from, std::string_view name, Arena& arena) {
  if (const Value* value = from.find(name)) {
    into.set(arena, name, value->clone(arena));
  } else {
    into.erase(name);
  }
}

constexpr std::string_view kUpdateRefused =
    "pod updates may not change fields other than "
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

// Removed gates let a pod be scheduled; none may be added.
void validateGateUpdate(const Field& gates, const Value& before, FieldErrors& errors) {
  each(gates, [&](const Field& gate) {
    auto old = before.items();
    if (std::ranges::find(old, *gate.value) != old.end()) return;
    errors.forbidden(gate["name"].path, concat("only deletion is allowed, but found new scheduling gate '",
                                               gate["name"].text(), "'"));
  });
}

class PodStrategy final : public Strategy {
 public:
  explicit PodStrategy(const Clock& clock) : clock_(clock) {}

  void prepareCreate(StrategyContext& context) override {
    Value& pod = context.object();
    Arena& arena = context.arena();
    setPodLevelRequests(pod.child(arena, "spec"), arena);
    Value status = Value::map();
    status.set(arena, "phase", Value::string("Pending"));
    status.set(arena, "qosClass", Value::string(qosClassOf(pod["spec"])));
    if (!pod["spec"]["schedulingGates"].empty()) {
      Value condition = Value::map();
      condition.set(arena, "type", Value::string("PodScheduled"));
      condition.set(arena, "status", Value::string("False"));
      condition.set(arena, "reason", Value::string("SchedulingGated"));
      condition.set(arena, "message",
                    Value::string("Scheduling is blocked due to non-empty scheduling gates"));
      condition.set(arena, "lastTransitionTime", Value::text(arena, formatRfc3339(clock_.now())));
      status.child(arena, "conditions").push(arena, condition);
    }
    pod.set(arena, "status", status);
    mergeLabelKeys(pod, arena);
  }

  void prepareUpdate(StrategyContext& context) override {
    Value& pod = context.object();
    const Value& old = context.old();
    Arena& arena = context.arena();
    std::string_view sub = context.request.subresource;
    if (sub == "ephemeralcontainers" || sub == "resize") {
      keepOnly(pod, old, sub, arena);
    } else if (sub == "status" && pod["status"]["qosClass"].asString().empty()) {
      copyMember(pod.child(arena, "status"), old["status"], "qosClass", arena);
    }
  }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validatePodSpec(spec, errors);
    warnPodSpec(spec, context.request.warnings);
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    Field pod = rootField(context.object());
    const Value& old = context.old();
    std::string_view sub = context.request.subresource;
    if (sub == "status") return;
    validatePodSpec(pod["spec"], errors);
    if (sub == "ephemeralcontainers") {
      validateEphemeralUpdate(pod["spec"]["ephemeralContainers"], old["spec"], errors);
    } else if (sub.empty()) {
      validateSpecUpdate(pod["spec"], old, context.arena(), errors);
    }
  }

  std::optional<int64_t> gracePeriod(const Value& pod, std::optional<int64_t> asked) override {
    const Value& spec = pod["spec"];
    int64_t period = asked.value_or(spec["terminationGracePeriodSeconds"].asInt(0));
    std::string_view phase = pod["status"]["phase"].asString();
    // Nobody is there to wait for: it is not bound, or its containers have ended.
    if (spec["nodeName"].asString().empty() || phase == "Failed" || phase == "Succeeded") period = 0;
    return period < 0 ? 1 : period;
  }

 private:
  // matchLabelKeys stand for the pod's own values of these labels, as they are when it is created.
  static void mergeLabelKeys(Value& pod, Arena& arena) {
    const Value labels = pod["metadata"]["labels"];
    Value& spec = pod.child(arena, "spec");
    auto mergeInto = [&](Value& term) {
      if (term["labelSelector"].isNull()) return;
      for (std::string_view list : {"matchLabelKeys", "mismatchLabelKeys"}) {
        for (const Value& key : term[list].items()) {
          const Value* value = labels.find(key.asString());
          if (value == nullptr) continue;
          Value requirement = Value::map();
          requirement.set(arena, "key", key);
          requirement.set(arena, "operator", Value::string(list == "matchLabelKeys" ? "In" : "NotIn"));
          requirement.child(arena, "values").push(arena, *value);
          term.child(arena, "labelSelector").child(arena, "matchExpressions").push(arena, requirement);
        }
      }
    };
    if (Value* spread = spec.find("topologySpreadConstraints")) {
      for (Value& term : spread->items()) mergeInto(term);
    }
    Value* affinity = spec.find("affinity");
    for (std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
      Value* terms = affinity != nullptr ? affinity->find(kind) : nullptr;
      if (terms == nullptr) continue;
      if (Value* required = terms->find("requiredDuringSchedulingIgnoredDuringExecution")) {
        for (Value& term : required->items()) mergeInto(term);
      }
      if (Value* preferred = terms->find("preferredDuringSchedulingIgnoredDuringExecution")) {
        for (Value& weighted : preferred->items()) {
          if (Value* term = weighted.find("podAffinityTerm")) mergeInto(*term);
        }
      }
    }
  }

  // The subresources change one part of the pod; all else stays as it is.
  static void keepOnly(Value& pod, const Value& old, std::string_view sub, Arena& arena) {
    Value asked = pod;
    pod = old.clone(arena);
    if (const Value* version = asked["metadata"].find("resourceVersion")) {
      pod.child(arena, "metadata").set(arena, "resourceVersion", *version);
    }
    if (const Value* managers = asked["metadata"].find("managedFields")) {
      pod.child(arena, "metadata").set(arena, "managedFields", *managers);
    }
    Value& spec = pod.child(arena, "spec");
    if (sub == "ephemeralcontainers") {
      copyMember(spec, asked["spec"], "ephemeralContainers", arena);
      return;
    }
    for (std::string_view list : {"containers", "initContainers"}) {
      Value* containers = spec.find(list);
      if (containers == nullptr) continue;
      for (Value& container : containers->items()) {
        for (const Value& wanted : asked["spec"][list].items()) {
          if (wanted["name"] != container["name"]) continue;
          copyMember(container, wanted, "resources", arena);
          copyMember(container, wanted, "resizePolicy", arena);
        }
      }
    }
  }

  static void validateEphemeralUpdate(const Field& containers, const Value& oldSpec, FieldErrors& errors) {
    for (const Value& before : oldSpec["ephemeralContainers"].items()) {
      std::string_view name = before["name"].asString();
      auto items = containers.value->items();
      auto now = std::ranges::find_if(items, [&](const Value& item) { return item["name"].asString() == name; });
      if (now == items.end()) {
        errors.forbidden(containers.path,
                         concat("existing ephemeral containers ", quoted(name), " may not be removed"));
      } else if (!sameValue(*now, before)) {
        errors.forbidden(containers.path,
                         concat("existing ephemeral containers ", quoted(name), " may not be changed"));
      }
    }
  }

  static void validateSpecUpdate(const Field& spec, const Value& old, Arena& arena, FieldErrors& errors) {
    const Value& before = old["spec"];
    if (*spec.value == before) return;
    for (std::string_view list : {"containers", "initContainers"}) {
      if (spec[list].size() == before[list].size()) continue;
      errors.forbidden(spec[list].path, concat("pod updates may not add or remove ",
                                               list == "containers" ? "containers" : "init containers"));
      return;
    }
    validateTolerationUpdate(spec["tolerations"], before["tolerations"], errors);
    validateGateUpdate(spec["schedulingGates"], before["schedulingGates"], errors);
    // What may change is made equal; whatever still differs may not.
    Value same = spec.value->clone(arena);
    for (std::string_view list : {"containers", "initContainers"}) {
      Value* containers = same.find(list);
      if (containers == nullptr) continue;
      for (size_t i = 0; i < containers->size(); ++i) {
        copyMember(containers->items()[i], before[list].at(i), "image", arena);
      }
    }
    for (std::string_view name : {"tolerations", "schedulingGates"}) copyMember(same, before, name, arena);
    // A deadline may be set or brought forward.
    const Value &deadline = (*spec.value)["activeDeadlineSeconds"], &oldDeadline = before["activeDeadlineSeconds"];
    if (!deadline.isNull() && (oldDeadline.isNull() || deadline.asInt() <= oldDeadline.asInt())) {
      copyMember(same, before, "activeDeadlineSeconds", arena);
    }
    if (before["terminationGracePeriodSeconds"].asInt() < 0 &&
        same["terminationGracePeriodSeconds"].asInt() == 1) {
      copyMember(same, before, "terminationGracePeriodSeconds", arena);
    }
    // A pod that waits behind gates may still be steered to other nodes.
    if (!before["schedulingGates"].empty()) {
      for (std::string_view name : {"nodeSelector", "affinity"}) copyMember(same, before, name, arena);
    }
    if (sameValue(same, before)) return;
    errors.forbidden("spec", concat(kUpdateRefused, "\n", api::internalDiff(before, same, *api::findType("core/v1", "PodSpec"))));
  }

  static void validateTolerationUpdate(const Field& now, const Value& before, FieldErrors& errors) {
    for (const Value& old : before.items()) {
      auto items = now.value->items();
      bool kept = std::ranges::any_of(items, [&](const Value& item) {
        for (std::string_view name : {"key", "operator", "value", "effect"}) {
          if (!sameValue(item[name], old[name])) return false;
        }
        return true;
      });
      if (kept) continue;
      errors.forbidden(now.path, "existing toleration can not be modified except its tolerationSeconds");
      return;
    }
  }

  const Clock& clock_;
};

class PodTemplateStrategy final : public PlainStrategy {
 public:
  bool hasGeneration() const override { return true; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    validatePodTemplate(rootField(context.object())["template"], errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    validateCreate(context, errors);
  }
};

struct Totals {
  api::Quantity cpu, memory;
  bool hasCpu = false, hasMemory = false;

  void add(const Value& amounts) {
    api::Quantity c = quantityOf(amounts["cpu"]), m = quantityOf(amounts["memory"]);
    hasCpu |= !c.isZero();
    hasMemory |= !m.isZero();
    cpu += c;
    memory += m;
  }
};

}  // namespace

std::string_view qosClassOf(const Value& spec) {
  Totals requests, limits;
  bool allLimited = true;
  auto take = [&](const Value& resources) {
    requests.add(resources["requests"]);
    limits.add(resources["limits"]);
    allLimited &= !quantityOf(resources["limits"]["cpu"]).isZero() &&
                  !quantityOf(resources["limits"]["memory"]).isZero();
  };
  if (spec["resources"].size() > 0) {
    take(spec["resources"]);  // stated for the whole pod
  } else {
    for (std::string_view list : {"containers", "initContainers"}) {
      for (const Value& container : spec[list].items()) take(container["resources"]);
    }
  }
  bool any = requests.hasCpu || requests.hasMemory || limits.hasCpu || limits.hasMemory;
  if (!any) return "BestEffort";
  bool equal = allLimited && requests.cpu == limits.cpu && requests.memory == limits.memory;
  return equal ? "Guaranteed" : "Burstable";
}

void addPodStrategies(const AddStrategy& add, const Clock& clock) {
  add("/pods", std::make_unique<PodStrategy>(clock));
  add("/podtemplates", std::make_unique<PodTemplateStrategy>());
}

}  // namespace skiff::apiserver
