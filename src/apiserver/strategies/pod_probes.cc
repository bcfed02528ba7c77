// Handlers, probes and lifecycle hooks of containers.
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

void validateHttpGet(const Field& http, FieldErrors& errors) {
  if (http["path"].text().empty()) errors.required(http["path"].path, "");
  checkPortOrName(errors, http["port"]);
  checkEnum(errors, http["scheme"], {"HTTP", "HTTPS"});
  each(http["httpHeaders"], [&](const Field& header) {
    addFaults(errors, header["name"], formats::httpHeaderName(header["name"].text()));
  });
}

void validateHandler(const Field& handler, std::initializer_list<std::string_view> kinds,
                     FieldErrors& errors) {
  int found = 0;
  for (std::string_view kind : kinds) {
    Field one = handler[kind];
    if (!one.has()) continue;
    if (++found > 1) {
      errors.forbidden(one.path, "may not specify more than 1 handler type");
      continue;
    }
    if (kind == "exec") {
      if (one["command"].size() == 0) errors.required(one["command"].path, "");
    } else if (kind == "httpGet") {
      validateHttpGet(one, errors);
    } else if (kind == "tcpSocket") {
      checkPortOrName(errors, one["port"]);
    } else if (kind == "grpc") {
      for (const std::string& fault : formats::portNumber(one["port"].number())) {
        errors.invalid(one["port"].path, std::to_string(one["port"].number()), fault);
      }
    }
  }
  if (found == 0) errors.required(handler.path, "must specify a handler type");
}

}  // namespace

void validateProbe(const Field& probe, FieldErrors& errors) {
  if (!probe.has()) return;
  validateHandler(probe, {"exec", "httpGet", "tcpSocket", "grpc"}, errors);
  for (std::string_view name : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                                "successThreshold", "failureThreshold"}) {
    checkNonNegative(errors, probe[name]);
  }
  checkPositive(errors, probe["terminationGracePeriodSeconds"]);
}

void validateContainerProbe(const Field& probe, ProbeKind kind, FieldErrors& errors) {
  if (!probe.has()) return;
  validateProbe(probe, errors);
  if (kind == ProbeKind::Readiness) {
    if (probe["terminationGracePeriodSeconds"].has()) {
      errors.invalid(probe["terminationGracePeriodSeconds"].path,
                     shown(*probe["terminationGracePeriodSeconds"].value),
                     "must not be set for readinessProbes");
    }
  } else if (probe["successThreshold"].number(1) != 1) {
    errors.invalid(probe["successThreshold"].path, shown(*probe["successThreshold"].value),
                   "must be 1");
  }
}

void validateLifecycle(const Field& lifecycle, FieldErrors& errors) {
  for (std::string_view hook : {"postStart", "preStop"}) {
    if (lifecycle[hook].has()) {
      validateHandler(lifecycle[hook], {"exec", "httpGet", "tcpSocket", "sleep"}, errors);
    }
  }
}

}  // namespace skiff::apiserver
