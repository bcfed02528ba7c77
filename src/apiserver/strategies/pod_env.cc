// Environment of containers, and the references to fields that env and downward API volumes share.
#include <array>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_env.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

// metadata.annotations['key'] -> "metadata.annotations"
std::string_view withoutSubscript(std::string_view path) {
  size_t at = path.find("['");
  return at == path.npos || !path.ends_with("']") ? path : path.substr(0, at);
}

constexpr std::array<std::string_view, 3> kVolumePaths = {"metadata.name", "metadata.namespace",
                                                          "metadata.uid"};
constexpr std::array<std::string_view, 6> kEnvPaths = {"spec.nodeName",  "spec.serviceAccountName",
                                                       "status.hostIP",  "status.hostIPs",
                                                       "status.podIP",   "status.podIPs"};

bool isIn(std::span<const std::string_view> list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

void checkKeyRef(const Field& ref, FieldErrors& errors) {
  if (ref["name"].text().empty()) errors.required(ref["name"].path, "");
  if (ref["key"].text().empty()) {
    errors.required(ref["key"].path, "");
  } else {
    addFaults(errors, ref["key"], formats::configMapKey(ref["key"].text()));
  }
}

void validateValueFrom(const Field& env, FieldErrors& errors) {
  Field from = env["valueFrom"];
  if (!from.has()) return;
  int sources = 0;
  if (from["fieldRef"].has()) {
    ++sources;
    validateFieldRef(from["fieldRef"], FieldRefUse::Env, errors);
  }
  if (from["resourceFieldRef"].has()) {
    ++sources;
    validateResourceFieldRef(from["resourceFieldRef"], FieldRefUse::Env, errors);
  }
  for (std::string_view name : {"configMapKeyRef", "secretKeyRef"}) {
    if (!from[name].has()) continue;
    ++sources;
    checkKeyRef(from[name], errors);
  }
  if (from["fileKeyRef"].has()) ++sources;
  if (sources == 0) {
    errors.invalid(from.path, "\"\"",
                   "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                   "`secretKeyRef` or `fileKeyRef`");
  } else if (!env["value"].text().empty()) {
    errors.invalid(from.path, "\"\"", "may not be specified when `value` is not empty");
  } else if (sources > 1) {
    errors.invalid(from.path, "\"\"", "may not have more than one field specified at a time");
  }
}

}  // namespace

void validateFieldRef(const Field& ref, FieldRefUse use, FieldErrors& errors) {
  Field path = ref["fieldPath"];
  if (ref["apiVersion"].text().empty()) {
    errors.required(ref["apiVersion"].path, "");
    return;
  }
  if (path.text().empty()) {
    errors.required(path.path, "");
    return;
  }
  std::string_view plain = withoutSubscript(path.text());
  bool subscript = plain.size() != path.text().size();
  if (subscript && !oneOf(plain, {"metadata.annotations", "metadata.labels"})) {
    errors.invalid(path.path, quoted(path.text()), "does not support subscript");
    return;
  }
  if (subscript) return;
  bool whole = oneOf(plain, {"metadata.annotations", "metadata.labels"});
  bool fine = isIn(kVolumePaths, plain) ||
              (use == FieldRefUse::Env ? isIn(kEnvPaths, plain) : whole);
  if (fine) return;
  bool known = whole || isIn(kEnvPaths, plain) || oneOf(plain, {"spec.restartPolicy", "spec.schedulerName", "status.phase"});
  if (!known) {
    errors.invalid(path.path, quoted(path.text()),
                   concat("error converting fieldPath: field label not supported: ", path.text()));
    return;
  }
  std::vector<std::string> supported(kVolumePaths.begin(), kVolumePaths.end());
  if (use == FieldRefUse::Env) {
    supported.insert(supported.end(), kEnvPaths.begin(), kEnvPaths.end());
  } else {
    supported.insert(supported.begin(), {"metadata.annotations", "metadata.labels"});
  }
  errors.notSupported(path.path, quoted(path.text()), supported);
}

void validateResourceFieldRef(const Field& ref, FieldRefUse use, FieldErrors& errors) {
  if (use == FieldRefUse::Volume && ref["containerName"].text().empty()) {
    errors.required(ref["containerName"].path, "");
  }
  Field resource = ref["resource"];
  if (resource.text().empty()) {
    errors.required(resource.path, "");
    return;
  }
  bool hugePages = resource.text().starts_with("requests.hugepages-") ||
                   resource.text().starts_with("limits.hugepages-");
  if (!hugePages) {
    checkEnum(errors, resource,
              {"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
               "requests.ephemeral-storage", "requests.memory"});
  }
}

void validateEnv(const Field& env, FieldErrors& errors) {
  each(env, [&](const Field& item) {
    if (item["name"].text().empty()) {
      errors.required(item["name"].path, "");
    } else {
      addFaults(errors, item["name"], formats::environmentName(item["name"].text()));
    }
    validateValueFrom(item, errors);
  });
}

void validateEnvFrom(const Field& envFrom, FieldErrors& errors) {
  each(envFrom, [&](const Field& item) {
    Field prefix = item["prefix"];
    if (!prefix.text().empty()) addFaults(errors, prefix, formats::environmentName(prefix.text()));
    int sources = 0;
    for (std::string_view name : {"configMapRef", "secretRef"}) {
      if (!item[name].has()) continue;
      ++sources;
      if (item[name]["name"].text().empty()) errors.required(item[name]["name"].path, "");
    }
    if (sources == 0) {
      errors.invalid(item.path, "\"\"", "must specify one of: `configMapRef` or `secretRef`");
    } else if (sources > 1) {
      errors.invalid(item.path, "\"\"", "may not have more than one field specified at a time");
    }
  });
}

}  // namespace skiff::apiserver
