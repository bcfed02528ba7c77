// Pods must keep to the level that labels of their namespace name.
// https://kubernetes.io/docs/concepts/security/pod-security-admission/
#include "apiserver/admission/plugins.h"
#include "apiserver/admission/pod_security_checks.h"
#include "apiserver/strategies/checks.h"

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

class PodSecurity final : public AdmissionPlugin {
 public:
  explicit PodSecurity(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "PodSecurity"; }

  Status validate(const AdmissionRequest& request) override {
    bool write = request.operation == Operation::Create || request.operation == Operation::Update;
    if (!write || request.ns.empty() || request.object == nullptr) return okStatus();
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

 private:
  static constexpr std::string_view kPrefix = "pod-security.kubernetes.io/";

  struct Policy {
    std::string text;  // "restricted:latest"
    std::vector<std::string> violations;
  };
  static Policy evaluate(const Value& labels, std::string_view mode, const Value& pod) {
    std::string_view level = labels[concat(kPrefix, mode)].asString();
    std::string_view version = labels[concat(kPrefix, mode, "-version")].asString();
    auto known = securityLevel(level);
    if (!known) return {};
    return {concat(level, ":", version.empty() ? "latest" : version), violations(*known, pod["metadata"], pod["spec"])};
  }

  static Status enforce(const AdmissionRequest& request, const Value& labels, const Value& pod) {
    Policy policy = evaluate(labels, "enforce", pod);
    if (!policy.text.empty()) annotate(request, "enforce-policy", policy.text);
    if (policy.violations.empty()) return okStatus();
    return refused(request, concat("violates PodSecurity ", quoted(policy.text), ": ", join(policy.violations, ", ")));
  }

  static void annotate(const AdmissionRequest& request, std::string_view key, std::string value) {
    if (request.auditAnnotations) request.auditAnnotations->emplace(concat(kPrefix, key), std::move(value));
  }

  static void auditOf(const AdmissionRequest& request, const Value& labels, const Value& pod) {
    if (request.auditAnnotations == nullptr) return;
    Policy policy = evaluate(labels, "audit", pod);
    if (policy.violations.empty()) return;
    annotate(request, "audit-violations", concat("would violate PodSecurity ", quoted(policy.text), ": ", join(policy.violations, ", ")));
  }

  static void warnOf(const AdmissionRequest& request, const Value& labels, const Value& pod) {
    Policy policy = evaluate(labels, "warn", pod);
    if (policy.violations.empty() || request.warnings == nullptr) return;
    request.warnings->push_back(concat("would violate PodSecurity ", quoted(policy.text), ": ", join(policy.violations, ", ")));
  }

  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr podSecurity(const ClusterReader& cluster) { return std::make_unique<PodSecurity>(cluster); }

}  // namespace skiff::apiserver::admission
