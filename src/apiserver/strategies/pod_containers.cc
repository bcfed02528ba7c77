// Containers of all three lists.
#include <set>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

void validatePorts(const Field& ports, bool hostNetwork, FieldErrors& errors) {
  std::set<std::string_view> names;
  each(ports, [&](const Field& port) {
    Field name = port["name"], number = port["containerPort"], host = port["hostPort"];
    if (!name.text().empty()) {
      auto faults = formats::portName(name.text());
      addFaults(errors, name, faults);
      if (faults.empty() && !names.insert(name.text()).second) {
        errors.duplicate(name.path, quoted(name.text()));
      }
    }
    if (number.number() == 0) {
      errors.required(number.path, "");
    } else {
      for (const std::string& fault : formats::portNumber(number.number())) {
        errors.invalid(number.path, std::to_string(number.number()), fault);
      }
    }
    if (host.number() != 0) {
      for (const std::string& fault : formats::portNumber(host.number())) {
        errors.invalid(host.path, std::to_string(host.number()), fault);
      }
    }
    if (port["protocol"].text().empty()) {
      errors.required(port["protocol"].path, "");
    } else {
      checkEnum(errors, port["protocol"], {"SCTP", "TCP", "UDP"});
    }
    if (hostNetwork && host.number() != 0 && host.number() != number.number()) {
      errors.invalid(host.path, std::to_string(host.number()),
                     "must match `containerPort` when `hostNetwork` is true");
    }
  });
}

void validateDevices(const Field& devices, const Field& mounts, const PodParts& pod, FieldErrors& errors) {
  each(devices, [&](const Field& device) {
    Field name = device["name"];
    if (name.text().empty()) {
      errors.required(name.path, "");
    } else if (!pod.isClaimVolume(name.text())) {
      errors.notFound(name.path, quoted(name.text()));
    }
    if (device["devicePath"].text().empty()) errors.required(device["devicePath"].path, "");
    refuseTaken(name, mounts, "name", "must not already exist in volumeMounts", errors);
    refuseTaken(device["devicePath"], mounts, "mountPath", "must not already exist as a path in volumeMounts", errors);
  });
}

void validateCommon(const Field& container, const PodParts& pod, FieldErrors& errors) {
  Field name = container["name"], image = container["image"];
  if (name.text().empty()) {
    errors.required(name.path, "");
  } else {
    addFaults(errors, name, formats::dnsLabel(name.text()));
  }
  if (image.text().empty()) {
    errors.required(image.path, "");
  } else if (trim(image.text()).size() != image.text().size()) {
    errors.invalid(image.path, quoted(image.text()), "must not have leading or trailing whitespace");
  }
  Field policy = container["terminationMessagePolicy"];
  if (policy.text().empty()) {
    errors.required(policy.path, "");
  } else {
    checkEnum(errors, policy, {"File", "FallbackToLogsOnError"});
  }
  validatePorts(container["ports"], pod.hostNetwork(), errors);
  validateEnv(container["env"], errors);
  validateEnvFrom(container["envFrom"], errors);
  validateVolumeMounts(container["volumeMounts"], container["volumeDevices"], pod, errors);
  validateDevices(container["volumeDevices"], container["volumeMounts"], pod, errors);
  if (container["imagePullPolicy"].text().empty()) {
    errors.required(container["imagePullPolicy"].path, "");
  } else {
    checkEnum(errors, container["imagePullPolicy"], {"Always", "IfNotPresent", "Never"});
  }
  validateContainerResources(container["resources"], errors);
  validateContainerSecurityContext(container["securityContext"], errors);
}

void refuseField(const Field& field, std::string_view why, FieldErrors& errors) {
  if (field.has()) errors.forbidden(field.path, std::string(why));
}

void validateRegular(const Field& container, FieldErrors& errors) {
  validateLifecycle(container["lifecycle"], errors);
  validateContainerProbe(container["livenessProbe"], ProbeKind::Liveness, errors);
  validateContainerProbe(container["readinessProbe"], ProbeKind::Readiness, errors);
  validateContainerProbe(container["startupProbe"], ProbeKind::Startup, errors);
  if (container["restartPolicy"].has()) {
    checkEnum(errors, container["restartPolicy"], {"Always", "Never", "OnFailure"});
  }
}

// Only those that go on running have probes and hooks.
void validateInit(const Field& container, FieldErrors& errors) {
  Field policy = container["restartPolicy"];
  if (policy.has()) checkEnum(errors, policy, {"Always", "Never", "OnFailure"});
  if (policy.text() == "Always") {
    validateLifecycle(container["lifecycle"], errors);
    validateContainerProbe(container["livenessProbe"], ProbeKind::Liveness, errors);
    validateContainerProbe(container["readinessProbe"], ProbeKind::Readiness, errors);
    validateContainerProbe(container["startupProbe"], ProbeKind::Startup, errors);
    return;
  }
  for (std::string_view name : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
    refuseField(container[name],
                "may not be set for init containers without restartPolicy=Always", errors);
  }
}

void checkHostPorts(const Field& containers, FieldErrors& errors) {
  std::set<std::string> seen;
  each(containers, [&](const Field& container) {
    each(container["ports"], [&](const Field& port) {
      if (port["hostPort"].number() == 0) return;
      std::string key = concat(port["protocol"].text(), "/", port["hostIP"].text(), "/",
                               port["hostPort"].number());
      if (!seen.insert(key).second) errors.duplicate(port["hostPort"].path, quoted(key));
    });
  });
}

}  // namespace

void validateContainers(const Field& containers, ContainerList list, const PodParts& pod,
                        FieldErrors& errors) {
  if (list == ContainerList::Regular && containers.size() == 0) {
    errors.required(containers.path, "");
    return;
  }
  std::set<std::string_view> names;
  if (list == ContainerList::Init) {
    for (const codec::Value& regular : pod.spec["containers"].items()) {
      names.insert(regular["name"].asString());
    }
  }
  each(containers, [&](const Field& container) {
    validateCommon(container, pod, errors);
    std::string_view name = container["name"].text();
    if (!name.empty() && !names.insert(name).second) {
      errors.duplicate(container["name"].path, quoted(name));
    }
    if (list == ContainerList::Init) {
      validateInit(container, errors);
    } else {
      validateRegular(container, errors);
    }
  });
  if (list == ContainerList::Regular) checkHostPorts(containers, errors);
}

void validateEphemeralContainers(const Field& containers, const PodParts& pod, FieldErrors& errors) {
  std::set<std::string_view> others, own;
  for (std::string_view list : {"containers", "initContainers"}) {
    for (const codec::Value& other : pod.spec[list].items()) others.insert(other["name"].asString());
  }
  each(containers, [&](const Field& container) {
    validateCommon(container, pod, errors);
    Field name = container["name"], target = container["targetContainerName"];
    bool taken = others.contains(name.text()) || !own.insert(name.text()).second;
    if (!name.text().empty() && taken) errors.duplicate(name.path, quoted(name.text()));
    if (!target.text().empty() && !others.contains(target.text())) {
      errors.notFound(target.path, quoted(target.text()));
    }
    for (std::string_view field : {"ports", "livenessProbe", "readinessProbe", "startupProbe",
                                   "lifecycle", "restartPolicy"}) {
      refuseField(container[field], "cannot be set for an Ephemeral Container", errors);
    }
    if (container["resources"].size() > 0) {
      errors.forbidden(container["resources"].path, "cannot be set for an Ephemeral Container");
    }
  });
}

}  // namespace skiff::apiserver
