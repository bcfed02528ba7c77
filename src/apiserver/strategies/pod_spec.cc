// A pod spec as a whole, in upstream's order of causes.
#include "apiserver/strategies/pod_spec.h"

#include "apiserver/strategies/checks.h"

namespace skiff::apiserver {

namespace {

void validateDns(const Field& spec, FieldErrors& errors) {
  checkEnum(errors, spec["dnsPolicy"], {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"});
}

void validateDnsConfig(const Field& spec, FieldErrors& errors) {
  constexpr int64_t kMaxNameservers = 3, kMaxSearches = 32;
  Field config = spec["dnsConfig"], servers = config["nameservers"];
  if (spec["dnsPolicy"].text() == "None" && servers.size() == 0) {
    errors.required(servers.path, "must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
  if (int64_t(servers.size()) > kMaxNameservers) {
    errors.invalid(servers.path, shown(*servers.value),
                   concat("must not have more than ", kMaxNameservers, " nameservers"));
  }
  each(servers, [&](const Field& server) {
    addFaults(errors, server, formats::ipAddress(server.text()));
  });
  if (int64_t(config["searches"].size()) > kMaxSearches) {
    errors.invalid(config["searches"].path, shown(*config["searches"].value),
                   concat("must not have more than ", kMaxSearches, " search paths"));
  }
}

void validateHostAliases(const Field& aliases, FieldErrors& errors) {
  each(aliases, [&](const Field& alias) {
    addFaults(errors, alias["ip"], formats::ipAddress(alias["ip"].text()));
    each(alias["hostnames"], [&](const Field& name) {
      addFaults(errors, name, formats::dnsSubdomain(name.text()));
    });
  });
}

void validateDeadline(const Field& deadline, FieldErrors& errors) {
  constexpr int64_t kMax = 2147483647;
  if (!deadline.has() || (deadline.number() >= 1 && deadline.number() <= kMax)) return;
  errors.invalid(deadline.path, shown(*deadline.value),
                 concat("must be between 1 and ", kMax, ", inclusive"));
}

void validateGates(const Field& spec, FieldErrors& errors) {
  each(spec["readinessGates"], [&](const Field& gate) {
    addFaults(errors, gate["conditionType"], formats::qualifiedName(gate["conditionType"].text()));
  });
  each(spec["schedulingGates"], [&](const Field& gate) {
    addFaults(errors, gate["name"], formats::qualifiedName(gate["name"].text()));
  });
}

}  // namespace

void validatePodSpec(const Field& spec, FieldErrors& errors) {
  PodParts pod{*spec.value};
  validateVolumes(spec["volumes"], errors);
  validateContainers(spec["containers"], ContainerList::Regular, pod, errors);
  validateContainers(spec["initContainers"], ContainerList::Init, pod, errors);
  validateEphemeralContainers(spec["ephemeralContainers"], pod, errors);
  if (spec["resources"].has()) validateContainerResources(spec["resources"], errors);
  if (spec["restartPolicy"].text().empty()) {
    errors.required(spec["restartPolicy"].path, "");
  } else {
    checkEnum(errors, spec["restartPolicy"], {"Always", "OnFailure", "Never"});
  }
  if (spec["dnsPolicy"].text().empty()) {
    errors.required(spec["dnsPolicy"].path, "");
  } else {
    validateDns(spec, errors);
  }
  validateLabels(spec["nodeSelector"], errors);
  validatePodSecurityContext(spec["securityContext"], pod, errors);
  each(spec["imagePullSecrets"], [&](const Field& secret) {
    if (secret["name"].text().empty()) errors.required(secret["name"].path, "");
  });
  validateAffinity(spec["affinity"], errors);
  validateDnsConfig(spec, errors);
  validateGates(spec, errors);
  validateTopologySpread(spec["topologySpreadConstraints"], errors);
  checkObjectName(errors, spec["serviceAccountName"]);
  checkObjectName(errors, spec["nodeName"]);
  validateDeadline(spec["activeDeadlineSeconds"], errors);
  for (std::string_view name : {"hostname", "subdomain"}) {
    if (!spec[name].text().empty()) addFaults(errors, spec[name], formats::dnsLabel(spec[name].text()));
  }
  validateTolerations(spec["tolerations"], errors);
  validateHostAliases(spec["hostAliases"], errors);
  checkObjectName(errors, spec["priorityClassName"]);
  checkObjectName(errors, spec["runtimeClassName"]);
  if (spec["preemptionPolicy"].has()) {
    checkEnum(errors, spec["preemptionPolicy"], {"Never", "PreemptLowerPriority"});
  }
  if (spec["terminationGracePeriodSeconds"].number() < 0) {
    errors.invalid(spec["terminationGracePeriodSeconds"].path,
                   shown(*spec["terminationGracePeriodSeconds"].value),
                   "must be greater than or equal to 0");
  }
}

void validatePodTemplate(const Field& podTemplate, FieldErrors& errors) {
  Field metadata = podTemplate["metadata"];
  validateLabels(metadata["labels"], errors);
  validateAnnotations(metadata["annotations"], errors);
  validatePodSpec(podTemplate["spec"], errors);
}

}  // namespace skiff::apiserver
