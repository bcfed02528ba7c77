// Pods must keep to the level that labels of their namespace name.
// https://kubernetes.io/docs/concepts/security/pod-security-admission/
#include <algorithm>

#include "apiserver/admission/plugins.h"
#include "apiserver/admission/pod_security_checks.h"
#include "apiserver/strategies/checks.h"
#include "apiserver/strategy.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Value;

// Where the pods of a workload are described; null when the object has none.
const Value* podTemplateOf(const api::ResourceInfo& resource, const Value& object) {
  const Value& spec = object["spec"];
  if (resource.plural == "cronjobs") return &spec["jobTemplate"]["spec"]["template"];
  bool workload = oneOf(resource.plural, {"deployments", "replicasets", "statefulsets", "daemonsets", "jobs"}) &&
                  oneOf(resource.group, {"apps", "batch"});
  if (workload || (resource.group.empty() && resource.plural == "replicationcontrollers")) return &spec["template"];
  if (resource.group.empty() && resource.plural == "podtemplates") return &object["template"];
  return nullptr;
}

constexpr std::string_view kPrefix = "pod-security.kubernetes.io/";
constexpr std::string_view kModes[] = {"enforce", "audit", "warn"};
// A namespace that gets a stricter policy is told of so many of its pods.
constexpr size_t kMaxExisting = 3000;

// What one of the modes asks for.
struct Policy {
  SecurityLevel level = SecurityLevel::Privileged;
  int version = kLatestSecurityVersion;
  std::string text;  // "restricted:latest"; "": nothing is asked for
  bool operator==(const Policy&) const = default;
};

Policy policyOf(const Value& labels, std::string_view mode) {
  std::string_view level = labels[concat(kPrefix, mode)].asString();
  std::string_view version = labels[concat(kPrefix, mode, "-version")].asString();
  if (version.empty()) version = "latest";
  auto known = securityLevel(level);
  auto number = securityVersion(version);
  if (!known || !number) return {};
  return {*known, *number, concat(level, ":", version)};
}

std::vector<Violation> violationsOf(const Policy& policy, const Value& pod) {
  return violations(policy.level, policy.version, pod["metadata"], pod["spec"]);
}

std::string told(std::string_view how, const Policy& policy, const std::vector<Violation>& found) {
  std::vector<std::string> parts;
  for (const Violation& violation : found) parts.push_back(concat(violation.reason, " (", violation.detail, ")"));
  return concat(how, " PodSecurity ", quoted(policy.text), ": ", join(parts, ", "));
}

FieldErrors labelErrors(const Value& labels) {
  FieldErrors errors;
  auto check = [&](const std::string& label, auto parse, std::string_view problem) {
    const Value* value = labels.find(label);
    if (value && !parse(value->asString()))
      errors.invalid(concat("metadata.labels[", label, "]"), quoted(value->asString()), std::string(problem));
  };
  for (std::string_view mode : kModes) {
    check(concat(kPrefix, mode), securityLevel, "must be one of privileged, baseline, restricted");
    check(concat(kPrefix, mode, "-version"), securityVersion, "must be \"latest\" or \"v1.x\"");
  }
  return errors;
}

bool isStricter(const Policy& now, const Policy& before) {
  if (now.level == SecurityLevel::Privileged || now == before) return false;
  return now.version != before.version || now.level > before.level;
}

class PodSecurity final : public AdmissionPlugin {
 public:
  explicit PodSecurity(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "PodSecurity"; }

  Status validate(const AdmissionRequest& request) override {
    bool write = request.operation == Operation::Create || request.operation == Operation::Update;
    if (!write || request.object == nullptr) return okStatus();
    if (request.resource->group.empty() && request.resource->plural == "namespaces") return validateNamespace(request);
    return request.ns.empty() ? okStatus() : validateWorkload(request);
  }

 private:
  Status validateWorkload(const AdmissionRequest& request) const {
    bool pod = request.resource->group.empty() && request.resource->plural == "pods" &&
               oneOf(request.subresource, {"", "ephemeralcontainers"});
    const Value* described = pod ? request.object
                             : request.subresource.empty() ? podTemplateOf(*request.resource, *request.object) : nullptr;
    if (described == nullptr) return okStatus();
    auto space = cluster_.get("", "namespaces", "", request.ns);
    if (space == nullptr) return okStatus();
    const Value& labels = space->root["metadata"]["labels"];
    if (labels.size() < 2) return okStatus();  // its own name only
    // A change that cannot matter is let through: pods that run already would be stuck otherwise.
    if (pod && request.oldObject != nullptr && sameValue((*request.object)["spec"], (*request.oldObject)["spec"])) {
      return okStatus();
    }
    if (pod) TRY(enforce(request, labels, *described));
    warnOf(request, labels, *described);
    auditOf(request, labels, *described);
    return okStatus();
  }

  static Status enforce(const AdmissionRequest& request, const Value& labels, const Value& pod) {
    Policy policy = policyOf(labels, "enforce");
    if (!policy.text.empty()) annotate(request, "enforce-policy", policy.text);
    auto found = violationsOf(policy, pod);
    if (found.empty()) return okStatus();
    return refused(request, told("violates", policy, found));
  }

  static void annotate(const AdmissionRequest& request, std::string_view key, std::string value) {
    if (request.auditAnnotations) request.auditAnnotations->emplace(concat(kPrefix, key), std::move(value));
  }

  static void auditOf(const AdmissionRequest& request, const Value& labels, const Value& pod) {
    if (request.auditAnnotations == nullptr) return;
    Policy policy = policyOf(labels, "audit");
    if (auto found = violationsOf(policy, pod); !found.empty()) annotate(request, "audit-violations", told("would violate", policy, found));
  }

  static void warnOf(const AdmissionRequest& request, const Value& labels, const Value& pod) {
    if (request.warnings == nullptr) return;
    Policy policy = policyOf(labels, "warn");
    if (auto found = violationsOf(policy, pod); !found.empty()) request.warnings->push_back(told("would violate", policy, found));
  }

  // Labels must name what there is, unless they did not before. Pods that a stricter policy finds are told of.
  Status validateNamespace(const AdmissionRequest& request) const {
    if (!request.subresource.empty()) return okStatus();
    const Value& labels = (*request.object)["metadata"]["labels"];
    const Value* before = request.oldObject ? &(*request.oldObject)["metadata"]["labels"] : nullptr;
    FieldErrors errors = labelErrors(labels);
    if (!errors.empty() && !(before && !labelErrors(*before).empty()))
      return errors.error("", "Namespace", (*request.object)["metadata"]["name"].asString());
    if (!before || !request.warnings) return okStatus();
    Policy policy = policyOf(labels, "enforce");
    if (isStricter(policy, policyOf(*before, "enforce"))) warnOfExisting(request, policy);
    return okStatus();
  }

  void warnOfExisting(const AdmissionRequest& request, const Policy& policy) const {
    struct Group {
      std::string reasons, firstPod;
      size_t others = 0;
    };
    std::string space = (*request.object)["metadata"]["name"].str();
    auto pods = cluster_.list("", "pods", space);
    std::vector<Group> groups;
    for (size_t i = 0; i < std::min(pods.size(), kMaxExisting); ++i) {
      std::vector<std::string> reasons;
      for (Violation& violation : violationsOf(policy, pods[i]->root)) reasons.push_back(std::move(violation.reason));
      if (reasons.empty()) continue;
      std::string text = join(reasons, ", ");
      auto known = std::ranges::find(groups, text, &Group::reasons);
      if (known != groups.end()) ++known->others;
      else groups.push_back({std::move(text), pods[i]->root["metadata"]["name"].str()});
    }
    std::vector<std::string>& warnings = *request.warnings;
    if (pods.size() > kMaxExisting)
      warnings.push_back(concat("new PodSecurity enforce level only checked against the first ", kMaxExisting, " of ", pods.size(), " existing pods"));
    if (!groups.empty())
      warnings.push_back(concat("existing pods in namespace ", quoted(space), " violate the new PodSecurity enforce level ", quoted(policy.text)));
    for (const Group& group : groups) {
      std::string others = group.others == 0 ? "" : concat(" (and ", group.others, group.others == 1 ? " other pod)" : " other pods)");
      warnings.push_back(concat(group.firstPod, others, ": ", group.reasons));
    }
  }

  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr podSecurity(const ClusterReader& cluster) { return std::make_unique<PodSecurity>(cluster); }

}  // namespace skiff::apiserver::admission
