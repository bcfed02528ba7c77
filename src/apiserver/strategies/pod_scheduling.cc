// Where a pod may run: affinity, tolerations, spread.
#include <set>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

void validateNodeSelectorTerm(const Field& term, FieldErrors& errors) {
  each(term["matchExpressions"], [&](const Field& requirement) {
    std::string_view op = requirement["operator"].text();
    Field values = requirement["values"];
    if (oneOf(op, {"In", "NotIn"})) {
      if (values.size() == 0) {
        errors.required(values.path, "must be specified when `operator` is 'In' or 'NotIn'");
      }
    } else if (oneOf(op, {"Exists", "DoesNotExist"})) {
      if (values.size() > 0) {
        errors.forbidden(values.path, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
    } else if (oneOf(op, {"Gt", "Lt"})) {
      if (values.size() != 1) {
        errors.required(values.path, "must be specified single value when `operator` is 'Lt' or 'Gt'");
      }
    } else {
      errors.invalid(requirement["operator"].path, quoted(op), "not a valid selector operator");
    }
    addFaults(errors, requirement["key"], formats::qualifiedName(requirement["key"].text()));
    each(values, [&](const Field& value) {
      addFaults(errors, value, formats::labelValue(value.text()));
    });
  });
  each(term["matchFields"], [&](const Field& requirement) {
    Field values = requirement["values"];
    if (!oneOf(requirement["operator"].text(), {"In", "NotIn"})) {
      errors.invalid(requirement["operator"].path, quoted(requirement["operator"].text()),
                     "not a valid selector operator");
    } else if (values.size() != 1) {
      errors.required(values.path,
                      "must be only one value when `operator` is 'In' or 'NotIn' for node field "
                      "selector");
    }
    if (requirement["key"].text() != "metadata.name") {
      errors.invalid(requirement["key"].path, quoted(requirement["key"].text()),
                     "not a valid field selector key");
    }
  });
}

void validateWeight(const Field& weight, FieldErrors& errors) {
  if (weight.number() < 1 || weight.number() > 100) {
    errors.invalid(weight.path, std::to_string(weight.number()), "must be in the range 1-100");
  }
}

void validateNodeAffinity(const Field& affinity, FieldErrors& errors) {
  Field required = affinity["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required.has()) validateNodeSelector(required, errors);
  each(affinity["preferredDuringSchedulingIgnoredDuringExecution"], [&](const Field& term) {
    validateWeight(term["weight"], errors);
    validateNodeSelectorTerm(term["preference"], errors);
  });
}

void validatePodAffinityTerm(const Field& term, FieldErrors& errors) {
  validateLabelSelector(term["labelSelector"], errors);
  validateLabelSelector(term["namespaceSelector"], errors);
  each(term["namespaces"], [&](const Field& name) {
    addFaults(errors, name, formats::dnsLabel(name.text()));
  });
  Field key = term["topologyKey"];
  if (key.text().empty()) errors.required(key.path, "can not be empty");
  addFaults(errors, key, formats::qualifiedName(key.text()));
}

void validatePodAffinity(const Field& affinity, FieldErrors& errors) {
  each(affinity["requiredDuringSchedulingIgnoredDuringExecution"], [&](const Field& term) {
    validatePodAffinityTerm(term, errors);
  });
  each(affinity["preferredDuringSchedulingIgnoredDuringExecution"], [&](const Field& term) {
    validateWeight(term["weight"], errors);
    validatePodAffinityTerm(term["podAffinityTerm"], errors);
  });
}

}  // namespace

void validateNodeSelector(const Field& selector, FieldErrors& errors) {
  Field terms = selector["nodeSelectorTerms"];
  if (terms.size() == 0) errors.required(terms.path, "must have at least one node selector term");
  each(terms, [&](const Field& term) { validateNodeSelectorTerm(term, errors); });
}

void validateAffinity(const Field& affinity, FieldErrors& errors) {
  if (affinity["nodeAffinity"].has()) validateNodeAffinity(affinity["nodeAffinity"], errors);
  validatePodAffinity(affinity["podAffinity"], errors);
  validatePodAffinity(affinity["podAntiAffinity"], errors);
}

void validateTolerations(const Field& tolerations, FieldErrors& errors) {
  each(tolerations, [&](const Field& item) {
    Field key = item["key"], op = item["operator"], effect = item["effect"], value = item["value"];
    if (!key.text().empty()) addFaults(errors, key, formats::qualifiedName(key.text()));
    if (key.text().empty() && op.text() != "Exists") {
      errors.invalid(op.path, quoted(op.text()),
                     "operator must be Exists when `key` is empty, which means \"match all values "
                     "and all keys\"");
    }
    if (item["tolerationSeconds"].has() && effect.text() != "NoExecute") {
      errors.invalid(effect.path, quoted(effect.text()),
                     "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    if (op.text().empty() || op.text() == "Equal") {
      addFaults(errors, op.path, value.text(), formats::labelValue(value.text()));
    } else if (op.text() == "Exists") {
      if (!value.text().empty()) {
        errors.invalid(op.path, quoted(value.text()),
                       "value must be empty when `operator` is 'Exists'");
      }
    } else {
      checkEnum(errors, op, {"Equal", "Exists"});
    }
    if (!effect.text().empty()) {
      checkEnum(errors, effect, {"NoSchedule", "PreferNoSchedule", "NoExecute"});
    }
  });
}

void validateTopologySpread(const Field& constraints, FieldErrors& errors) {
  std::set<std::string> seen;
  each(constraints, [&](const Field& item) {
    Field skew = item["maxSkew"], key = item["topologyKey"], when = item["whenUnsatisfiable"];
    if (skew.number() <= 0) {
      errors.invalid(skew.path, std::to_string(skew.number()), "must be greater than zero");
    }
    if (key.text().empty()) {
      errors.required(key.path, "can not be empty");
    } else {
      addFaults(errors, key, formats::qualifiedName(key.text()));
    }
    checkEnum(errors, when, {"DoNotSchedule", "ScheduleAnyway"});
    if (!seen.insert(concat(key.text(), "\n", when.text())).second) {
      errors.duplicate(concat(item.path, ".{topologyKey, whenUnsatisfiable}"),
                       quoted(concat("{", key.text(), ", ", when.text(), "}")));
    }
    Field domains = item["minDomains"];
    checkPositive(errors, domains);
    if (domains.has() && when.text() != "DoNotSchedule") {
      errors.invalid(domains.path, shown(*domains.value),
                     "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " +
                         std::string(when.text()));
    }
    for (std::string_view policy : {"nodeAffinityPolicy", "nodeTaintsPolicy"}) {
      if (item[policy].has()) checkEnum(errors, item[policy], {"Honor", "Ignore"});
    }
    validateLabelSelector(item["labelSelector"], errors);
  });
}

}  // namespace skiff::apiserver
