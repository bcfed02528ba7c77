// Users, groups, sysctls and privileges.
#include <set>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

constexpr int64_t kMaxId = 2147483647;

void checkId(const Field& id, FieldErrors& errors) {
  if (!id.has() || (id.number() >= 0 && id.number() <= kMaxId)) return;
  errors.invalid(id.path, shown(*id.value), "must be between 0 and 2147483647, inclusive");
}

// ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$
bool isSysctlName(std::string_view name) {
  if (name.size() > 253) return false;
  size_t start = 0;
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  for (size_t i = 0; i <= name.size(); ++i) {
    if (i < name.size() && name[i] != '.' && name[i] != '/') continue;
    std::string_view part = name.substr(start, i - start);
    if (part.empty() || !plain(part.front()) || !plain(part.back())) return false;
    for (char c : part) {
      if (!plain(c) && c != '-' && c != '_') return false;
    }
    start = i + 1;
  }
  return true;
}

void validateSysctls(const Field& sysctls, const PodParts& pod, FieldErrors& errors) {
  std::set<std::string_view> seen;
  each(sysctls, [&](const Field& sysctl) {
    Field name = sysctl["name"];
    if (name.text().empty()) {
      errors.required(name.path, "");
    } else if (!isSysctlName(name.text())) {
      errors.invalid(name.path, quoted(name.text()),
                     "must have at most 253 characters and match regex "
                     "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
    } else if (!seen.insert(name.text()).second) {
      errors.duplicate(name.path, quoted(name.text()));
    } else if (pod.hostNetwork() && name.text().starts_with("net.")) {
      errors.invalid(name.path, quoted(name.text()), "may not be specified when 'hostNetwork' is true");
    }
  });
}

void validateSeccomp(const Field& profile, FieldErrors& errors) {
  if (!profile.has()) return;
  Field type = profile["type"];
  if (type.text().empty()) {
    errors.required(type.path, "type is required when seccompProfile is set");
    return;
  }
  checkEnum(errors, type, {"Localhost", "RuntimeDefault", "Unconfined"});
  bool local = type.text() == "Localhost";
  if (local && profile["localhostProfile"].text().empty()) {
    errors.required(profile["localhostProfile"].path, "must be set when seccomp type is Localhost");
  } else if (!local && profile["localhostProfile"].has()) {
    errors.invalid(profile["localhostProfile"].path, quoted(profile["localhostProfile"].text()),
                   "can only be set when seccomp type is Localhost");
  }
}

}  // namespace

void validateContainerSecurityContext(const Field& context, FieldErrors& errors) {
  if (!context.has()) return;
  checkId(context["runAsUser"], errors);
  checkId(context["runAsGroup"], errors);
  if (context["procMount"].has()) checkEnum(errors, context["procMount"], {"Default", "Unmasked"});
  validateSeccomp(context["seccompProfile"], errors);
  bool escalationRefused = context["allowPrivilegeEscalation"].has() &&
                           !context["allowPrivilegeEscalation"].isTrue();
  if (!escalationRefused) return;
  if (context["privileged"].isTrue()) {
    errors.invalid(context.path, shown(*context.value),
                   "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
  each(context["capabilities"]["add"], [&](const Field& capability) {
    if (capability.text() == "CAP_SYS_ADMIN") {  // by this name only, as upstream
      errors.invalid(context.path, shown(*context.value),
                     "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                     "CAP_SYS_ADMIN");
    }
  });
}

void validatePodSecurityContext(const Field& context, const PodParts& pod, FieldErrors& errors) {
  if (pod.spec["shareProcessNamespace"].asBool() && pod.spec["hostPID"].asBool()) {
    errors.invalid("spec.shareProcessNamespace", "true",
                   "ShareProcessNamespace and HostPID cannot both be enabled");
  }
  if (!context.has()) return;
  checkId(context["fsGroup"], errors);
  checkId(context["runAsUser"], errors);
  checkId(context["runAsGroup"], errors);
  each(context["supplementalGroups"], [&](const Field& group) { checkId(group, errors); });
  validateSysctls(context["sysctls"], pod, errors);
  if (context["fsGroupChangePolicy"].has()) {
    checkEnum(errors, context["fsGroupChangePolicy"], {"Always", "OnRootMismatch"});
  }
  validateSeccomp(context["seccompProfile"], errors);
}

}  // namespace skiff::apiserver
