#include "apiserver/crd_validation.h"

#include <algorithm>

#include "apiserver/extension/schema_rules.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver {
namespace {

void validateGroup(const Field& group, FieldErrors& errors) {
  if (group.text().empty()) {
    errors.required(group.path, "");
    return;
  }
  addFaults(errors, group, formats::dnsSubdomain(group.text()));
  if (split(group.text(), '.').size() < 2) {
    errors.invalid(group.path, quoted(group.text()), "should be a domain with at least one dot");
  }
}

template <class Visit>
void below(const Field& schema, Visit visit) {
  eachEntry(schema["properties"], [&](std::string_view, const Field& property) { visit(property, "object fields"); });
  if (schema["items"].value->isMap()) visit(schema["items"], "array items");
  if (schema["additionalProperties"].value->isMap()) visit(schema["additionalProperties"], "object fields");
}

bool typeless(const Field& schema) {
  return schema["x-kubernetes-int-or-string"].isTrue() || schema["x-kubernetes-preserve-unknown-fields"].isTrue();
}

// A structural schema names the type at every level.
void validateTypesGiven(const Field& schema, FieldErrors& errors) {
  below(schema, [&](const Field& inner, std::string_view what) {
    if (inner["type"].text().empty() && !typeless(inner)) {
      errors.required(inner["type"].path, concat("must not be empty for specified ", what));
    }
    validateTypesGiven(inner, errors);
  });
}

void validateTypesKnown(const Field& schema, FieldErrors& errors) {
  if (!schema["type"].text().empty()) {
    checkEnum(errors, schema["type"], {"array", "boolean", "integer", "number", "object", "string"});
  }
  below(schema, [&](const Field& inner, std::string_view) { validateTypesKnown(inner, errors); });
}

void validateVersions(const Field& spec, FieldErrors& errors) {
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
    FieldPath path = versions.size() == 1 ? FieldPath().name("spec.validation.openAPIV3Schema") : schema.path;
    validateTypesGiven({schema.value, path}, errors);
    if (schema["type"].text().empty()) errors.required(concat(path, ".type"), "must not be empty at the root");
    validateTypesKnown({schema.value, path}, errors);
    checkSchemaRules(*schema.value, path, errors);
  });
}

void validateNames(const Field& names, FieldErrors& errors) {
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

void validateApproval(const Field& object, std::string_view group, FieldErrors& errors) {
  bool isProtected = group == "k8s.io" || group == "kubernetes.io" || group.ends_with(".k8s.io") || group.ends_with(".kubernetes.io");
  constexpr std::string_view kApproved = "api-approved.kubernetes.io";
  if (!isProtected || object["metadata"]["annotations"].value->has(kApproved)) return;
  errors.required(concat("metadata.annotations[", kApproved, "]"),
                  concat("protected groups must have approval annotation ", quoted(kApproved),
                         ", see https://github.com/kubernetes/enhancements/pull/1111"));
}

}  // namespace

void validateDefinition(const codec::Value& definition, const codec::Value* old, FieldErrors& errors) {
  Field object = rootField(definition), spec = object["spec"];
  std::string_view group = spec["group"].text(), plural = spec["names"]["plural"].text();
  std::string_view name = object["metadata"]["name"].text();
  if (name != concat(plural, ".", group))
    errors.invalid("metadata.name", quoted(name), "must be spec.names.plural+\".\"+spec.group");
  validateGroup(spec["group"], errors);
  if (spec["scope"].text().empty()) errors.required(spec["scope"].path, "");
  else checkEnum(errors, spec["scope"], {"Cluster", "Namespaced"});
  validateVersions(spec, errors);
  validateNames(spec["names"], errors);
  validateApproval(object, group, errors);
  Field stored = object["status"]["storedVersions"];
  if (stored.size() == 0) errors.invalid(stored.path, shown(*stored.value), "must have at least one stored version");
  if (!old) return;
  const codec::Value& was = (*old)["spec"];
  for (std::string_view key : {"group", "scope"}) checkImmutable(errors, spec[key], was[key]);
  checkImmutable(errors, spec["names"]["plural"], was["names"]["plural"]);
  checkImmutable(errors, spec["names"]["kind"], was["names"]["kind"]);
}

}  // namespace skiff::apiserver
