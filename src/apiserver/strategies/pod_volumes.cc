// Volumes of a pod and where containers mount them.
#include <algorithm>
#include <set>

#include "apiserver/strategies/certificate_checks.h"
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_env.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

// In upstream's order: the second one present is refused.
constexpr std::string_view kSources[] = {
    "emptyDir",   "hostPath",       "gitRepo",   "gcePersistentDisk",    "awsElasticBlockStore",
    "secret",     "nfs",            "iscsi",     "glusterfs",            "flocker",
    "persistentVolumeClaim",        "rbd",       "cinder",               "cephfs",
    "quobyte",    "downwardAPI",    "fc",        "azureFile",            "configMap",
    "vsphereVolume",                "photonPersistentDisk",              "portworxVolume",
    "azureDisk",  "storageos",      "scaleIO",   "projected",            "ephemeral",
    "csi",        "flexVolume",     "image"};

void checkMode(const Field& mode, FieldErrors& errors) {
  if (mode.has() && (mode.number() < 0 || mode.number() > 0777)) {
    errors.invalid(mode.path, shown(*mode.value),
                   "must be a number between 0 and 0777 (octal), both inclusive");
  }
}

void checkRelativePath(const Field& path, FieldErrors& errors) {
  if (path.text().starts_with('/')) {
    errors.invalid(path.path, quoted(path.text()), "must be a relative path");
  }
  for (std::string_view part : split(path.text(), '/')) {
    if (part == "..") errors.invalid(path.path, quoted(path.text()), "must not contain '..'");
  }
}

void checkLocalPath(const Field& path, FieldErrors& errors) {
  if (path.text().empty()) {
    errors.required(path.path, "");
    return;
  }
  checkRelativePath(path, errors);
  if (path.text().starts_with("..") && !path.text().starts_with("../")) {
    errors.invalid(path.path, quoted(path.text()), "must not start with '..'");
  }
}

void validateItems(const Field& items, FieldErrors& errors) {
  each(items, [&](const Field& item) {
    if (item["key"].text().empty()) errors.required(item["key"].path, "");
    checkLocalPath(item["path"], errors);
    checkMode(item["mode"], errors);
  });
}

void validateDownwardItems(const Field& source, FieldErrors& errors) {
  each(source["items"], [&](const Field& item) {
    checkLocalPath(item["path"], errors);
    if (item["fieldRef"].has()) {
      validateFieldRef(item["fieldRef"], FieldRefUse::Volume, errors);
      if (item["resourceFieldRef"].has()) {
        errors.invalid(item.path, "\"resource\"",
                       "fieldRef and resourceFieldRef can not be specified simultaneously");
      }
    } else if (item["resourceFieldRef"].has()) {
      validateResourceFieldRef(item["resourceFieldRef"], FieldRefUse::Volume, errors);
    } else {
      errors.required(item.path, "one of fieldRef and resourceFieldRef is required");
    }
    checkMode(item["mode"], errors);
  });
}

void validatePodCertificate(const Field& source, FieldErrors& errors) {
  validateSignerName(source["signerName"], errors);
  Field type = source["keyType"];
  checkEnum(errors, type, {"ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096"});
  validateCertificateLifetime(source["maxExpirationSeconds"], source["signerName"].text(), errors);
  bool any = false;
  for (std::string_view name : {"credentialBundlePath", "keyPath", "certificateChainPath"}) {
    if (source[name].text().empty()) continue;
    any = true;
    checkLocalPath(source[name], errors);
  }
  if (!any) {
    errors.required(source.path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
  }
  validateUserAnnotations(source["userAnnotations"], errors);
}

void validateProjected(const Field& projected, FieldErrors& errors) {
  checkMode(projected["defaultMode"], errors);
  each(projected["sources"], [&](const Field& source) {
    int found = 0;
    for (std::string_view kind : {"secret", "configMap", "downwardAPI", "serviceAccountToken",
                                  "clusterTrustBundle", "podCertificate"}) {
      Field one = source[kind];
      if (!one.has()) continue;
      if (++found > 1) {
        errors.forbidden(source.path, "may not specify more than 1 volume type per source");
        continue;
      }
      if (kind == "secret" || kind == "configMap") {
        if (one["name"].text().empty()) errors.required(one["name"].path, "");
        validateItems(one["items"], errors);
      } else if (kind == "downwardAPI") {
        validateDownwardItems(one, errors);
      } else if (kind == "podCertificate") {
        validatePodCertificate(one, errors);
      } else if (kind == "serviceAccountToken") {
        if (one["expirationSeconds"].number(3600) < 600) {
          errors.invalid(one["expirationSeconds"].path, shown(*one["expirationSeconds"].value),
                         "may not specify a duration less than 10 minutes");
        }
        if (one["path"].text().empty()) errors.required(one["path"].path, "");
      }
    }
    if (found == 0) errors.required(source.path, "must specify a volume type");
  });
}

void requireText(const Field& field, FieldErrors& errors) {
  if (field.text().empty()) errors.required(field.path, "");
}

void validateSource(std::string_view kind, const Field& source, FieldErrors& errors) {
  if (kind == "hostPath") {
    requireText(source["path"], errors);
    for (std::string_view part : split(source["path"].text(), '/')) {
      if (part == "..") {
        errors.invalid(source["path"].path, quoted(source["path"].text()), "must not contain '..'");
      }
    }
    if (!source["type"].text().empty()) {
      checkEnum(errors, source["type"],
                {"BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                 "FileOrCreate", "Socket"});
    }
  } else if (kind == "emptyDir") {
    if (source["sizeLimit"].has() && quantityOf(*source["sizeLimit"].value).sign() < 0) {
      errors.forbidden(source["sizeLimit"].path, "SizeLimit field must be a valid resource quantity");
    }
  } else if (kind == "secret") {
    requireText(source["secretName"], errors);
    checkMode(source["defaultMode"], errors);
    validateItems(source["items"], errors);
  } else if (kind == "configMap") {
    requireText(source["name"], errors);
    checkMode(source["defaultMode"], errors);
    validateItems(source["items"], errors);
  } else if (kind == "downwardAPI") {
    checkMode(source["defaultMode"], errors);
    validateDownwardItems(source, errors);
  } else if (kind == "projected") {
    validateProjected(source, errors);
  } else if (kind == "persistentVolumeClaim") {
    requireText(source["claimName"], errors);
  } else if (kind == "nfs") {
    requireText(source["server"], errors);
    requireText(source["path"], errors);
    if (!source["path"].text().empty() && !source["path"].text().starts_with('/')) {
      errors.invalid(source["path"].path, quoted(source["path"].text()), "must be an absolute path");
    }
  } else if (kind == "csi") {
    requireText(source["driver"], errors);
  }
}

}  // namespace

bool PodParts::hasVolume(std::string_view name) const {
  auto volumes = spec["volumes"].items();
  return std::ranges::any_of(volumes, [&](const codec::Value& v) { return v["name"].asString() == name; });
}

bool PodParts::isClaimVolume(std::string_view name) const {
  auto volumes = spec["volumes"].items();
  return std::ranges::any_of(volumes, [&](const codec::Value& v) {
    return v["name"].asString() == name && (v.has("persistentVolumeClaim") || v.has("ephemeral"));
  });
}

void validateVolumes(const Field& volumes, FieldErrors& errors) {
  std::set<std::string_view> names;
  each(volumes, [&](const Field& volume) {
    size_t before = errors.causes().size();
    int found = 0;
    for (std::string_view kind : kSources) {
      Field source = volume[kind];
      if (!source.has()) continue;
      if (++found > 1) {
        errors.forbidden(source.path, "may not specify more than 1 volume type");
      } else {
        validateSource(kind, source, errors);
      }
    }
    if (found == 0) errors.required(volume.path, "must specify a volume type");
    Field name = volume["name"];
    if (name.text().empty()) {
      errors.required(name.path, "");
    } else {
      addFaults(errors, name, formats::dnsLabel(name.text()));
    }
    if (names.contains(name.text())) errors.duplicate(name.path, quoted(name.text()));
    // A volume with faults does not take its name.
    if (errors.causes().size() == before) names.insert(name.text());
  });
}

void refuseTaken(const Field& field, const Field& others, std::string_view key, std::string_view why, FieldErrors& errors) {
  auto items = others.value->items();
  bool taken = !field.text().empty() &&
               std::ranges::any_of(items, [&](const codec::Value& other) { return other[key].asString() == field.text(); });
  if (taken) errors.invalid(field.path, quoted(field.text()), std::string(why));
}

void validateVolumeMounts(const Field& mounts, const Field& devices, const PodParts& pod, FieldErrors& errors) {
  std::set<std::string_view> paths;
  each(mounts, [&](const Field& mount) {
    Field name = mount["name"], path = mount["mountPath"];
    if (name.text().empty()) {
      errors.required(name.path, "");
    } else if (!pod.hasVolume(name.text())) {
      errors.notFound(name.path, quoted(name.text()));
    }
    if (path.text().empty()) errors.required(path.path, "");
    if (!paths.insert(path.text()).second) {
      errors.invalid(path.path, quoted(path.text()), "must be unique");
    }
    refuseTaken(name, devices, "name", "must not already exist in volumeDevices", errors);
    refuseTaken(path, devices, "devicePath", "must not already exist as a path in volumeDevices", errors);
    if (!mount["subPath"].text().empty()) checkRelativePath(mount["subPath"], errors);
    if (!mount["subPathExpr"].text().empty()) {
      if (!mount["subPath"].text().empty()) {
        errors.invalid(mount["subPathExpr"].path, quoted(mount["subPathExpr"].text()),
                       "subPathExpr and subPath are mutually exclusive");
      }
      checkRelativePath(mount["subPathExpr"], errors);
    }
    if (mount["mountPropagation"].has()) {
      checkEnum(errors, mount["mountPropagation"], {"Bidirectional", "HostToContainer", "None"});
    }
  });
}

}  // namespace skiff::apiserver
