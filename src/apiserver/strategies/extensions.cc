// Kinds that extend the server: custom resources, API services, webhooks, flow control.
#include <algorithm>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

class CrdStrategy final : public StatusStrategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    Arena& arena = context.arena();
    Value status = Value::map();
    for (const Value& version : context.object()["spec"]["versions"].items()) {
      if (version["storage"].asBool()) {
        status.child(arena, "storedVersions").push(arena, version["name"].clone(arena));
      }
    }
    context.object().set(arena, "status", status);
  }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object()), spec = object["spec"];
    std::string_view group = spec["group"].text(), plural = spec["names"]["plural"].text();
    std::string_view name = object["metadata"]["name"].text();
    if (name != concat(plural, ".", group)) {
      errors.invalid("metadata.name", quoted(name), "must be spec.names.plural+\".\"+spec.group");
    }
    validateGroup(spec["group"], errors);
    if (spec["scope"].text().empty()) {
      errors.required(spec["scope"].path, "");
    } else {
      checkEnum(errors, spec["scope"], {"Cluster", "Namespaced"});
    }
    validateVersions(spec, errors);
    validateNames(spec["names"], errors);
    validateApproval(object, group, errors);
    if (object["status"]["storedVersions"].size() == 0) {
      errors.invalid("status.storedVersions", shown(*object["status"]["storedVersions"].value),
                     "must have at least one stored version");
    }
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    Field spec = rootField(context.object())["spec"];
    const Value& old = context.old()["spec"];
    for (std::string_view name : {"group", "scope"}) checkImmutable(errors, spec[name], old[name]);
    checkImmutable(errors, spec["names"]["plural"], old["names"]["plural"]);
    checkImmutable(errors, spec["names"]["kind"], old["names"]["kind"]);
  }

 private:
  static void validateGroup(const Field& group, FieldErrors& errors) {
    if (group.text().empty()) {
      errors.required(group.path, "");
      return;
    }
    addFaults(errors, group, formats::dnsSubdomain(group.text()));
    if (split(group.text(), '.').size() < 2) {
      errors.invalid(group.path, quoted(group.text()), "should be a domain with at least one dot");
    }
  }

  static void validateVersions(const Field& spec, FieldErrors& errors) {
    Field versions = spec["versions"];
    int storage = 0;
    std::vector<std::string_view> names;
    each(versions, [&](const Field& version) {
      std::string_view name = version["name"].text();
      addFaults(errors, version["name"], formats::dns1035Label(name));
      if (std::ranges::find(names, name) != names.end()) {
        errors.invalid(versions.path, shown(*versions.value), "must contain unique version names");
      }
      names.push_back(name);
      storage += version["storage"].isTrue();
    });
    if (storage != 1) {
      errors.invalid(versions.path, versions.has() ? shown(*versions.value) : "[]",
                     "must have exactly one version marked as storage version");
    }
    each(versions, [&](const Field& version) {
      Field schema = version["schema"]["openAPIV3Schema"];
      if (!schema.has()) {
        errors.required(version["schema"]["openAPIV3Schema"].path, "schemas are required");
        return;
      }
      // The schema of a single version is reported as that of all.
      std::string path = versions.size() == 1 ? "spec.validation.openAPIV3Schema" : schema.path;
      validateTypesGiven({schema.value, path}, errors);
      if (schema["type"].text().empty()) errors.required(concat(path, ".type"), "must not be empty at the root");
      validateTypesKnown({schema.value, path}, errors);
    });
  }

  template <class Visit>
  static void below(const Field& schema, Visit visit) {
    eachEntry(schema["properties"], [&](std::string_view, const Field& property) { visit(property, "object fields"); });
    if (schema["items"].value->isMap()) visit(schema["items"], "array items");
    if (schema["additionalProperties"].value->isMap()) visit(schema["additionalProperties"], "object fields");
  }

  static bool typeless(const Field& schema) {
    return schema["x-kubernetes-int-or-string"].isTrue() || schema["x-kubernetes-preserve-unknown-fields"].isTrue();
  }

  // A structural schema names the type at every level.
  static void validateTypesGiven(const Field& schema, FieldErrors& errors) {
    below(schema, [&](const Field& inner, std::string_view what) {
      if (inner["type"].text().empty() && !typeless(inner)) {
        errors.required(inner["type"].path, concat("must not be empty for specified ", what));
      }
      validateTypesGiven(inner, errors);
    });
  }

  static void validateTypesKnown(const Field& schema, FieldErrors& errors) {
    if (!schema["type"].text().empty()) {
      checkEnum(errors, schema["type"], {"array", "boolean", "integer", "number", "object", "string"});
    }
    below(schema, [&](const Field& inner, std::string_view) { validateTypesKnown(inner, errors); });
  }

  static void validateNames(const Field& names, FieldErrors& errors) {
    for (std::string_view name : {"plural", "singular"}) {
      if (names[name].text().empty()) {
        if (name == "plural") errors.required(names[name].path, "");
      } else {
        addFaults(errors, names[name], formats::dns1035Label(names[name].text()));
      }
    }
    for (std::string_view name : {"kind", "listKind"}) {
      if (names[name].text().empty()) {
        if (name == "kind") errors.required(names[name].path, "");
      } else if (auto faults = formats::dns1035Label(toLower(names[name].text())); !faults.empty()) {
        errors.invalid(names[name].path, quoted(names[name].text()), concat("may have mixed case, but should otherwise match: ", join(faults, ",")));
      }
    }
    each(names["shortNames"], [&](const Field& item) { addFaults(errors, item, formats::dns1035Label(item.text())); });
  }

  static void validateApproval(const Field& object, std::string_view group, FieldErrors& errors) {
    bool isProtected = group == "k8s.io" || group == "kubernetes.io" || group.ends_with(".k8s.io") || group.ends_with(".kubernetes.io");
    constexpr std::string_view kApproved = "api-approved.kubernetes.io";
    if (!isProtected || object["metadata"]["annotations"].value->has(kApproved)) return;
    errors.required(concat("metadata.annotations[", kApproved, "]"),
                    concat("protected groups must have approval annotation ", quoted(kApproved),
                           ", see https://github.com/kubernetes/enhancements/pull/1111"));
  }
};

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

// Policies that are data only have generation and no status.
class CountedStrategy final : public Strategy {
 public:
  bool hasStatus() const override { return false; }
};

}  // namespace

void addExtensionStrategies(const AddStrategy& add) {
  add("apiextensions.k8s.io/customresourcedefinitions", std::make_unique<CrdStrategy>());
  add("apiregistration.k8s.io/apiservices", std::make_unique<ApiServiceStrategy>());
  constexpr std::string_view kAdmission = "admissionregistration.k8s.io/";
  add(concat(kAdmission, "validatingwebhookconfigurations"), std::make_unique<WebhookStrategy>());
  add(concat(kAdmission, "mutatingwebhookconfigurations"), std::make_unique<WebhookStrategy>());
  for (std::string_view plain : {"validatingadmissionpolicybindings", "mutatingadmissionpolicies",
                                 "mutatingadmissionpolicybindings"}) {
    add(concat(kAdmission, plain), std::make_unique<CountedStrategy>());
  }
  add("flowcontrol.apiserver.k8s.io/flowschemas", std::make_unique<FlowSchemaStrategy>());
}

}  // namespace skiff::apiserver
