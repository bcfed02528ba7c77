// A kubelet writes its own node and the pods bound to it, nothing else.
// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
#include "apiserver/admission/plugins.h"
#include "apiserver/auth/node_authorizer.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Value;

constexpr std::string_view kMirrorAnnotation = "kubernetes.io/config.mirror";

// Labels that a node may not give itself.
bool isRestrictedLabel(std::string_view key) {
  auto parts = cut(key, "/");
  if (!parts) return false;
  std::string_view domain = parts->first;
  if (domain == "node-restriction.kubernetes.io" || domain.ends_with(".node-restriction.kubernetes.io")) return true;
  bool kubernetes = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io") || domain == "k8s.io" ||
                    domain.ends_with(".k8s.io");
  if (!kubernetes) return false;
  if (domain == "kubelet.kubernetes.io" || domain.ends_with(".kubelet.kubernetes.io") ||
      domain == "node.kubernetes.io" || domain.ends_with(".node.kubernetes.io")) {
    return false;
  }
  return !oneOf(key, {"kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch",
                      "beta.kubernetes.io/os", "beta.kubernetes.io/instance-type",
                      "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
                      "topology.kubernetes.io/region", "topology.kubernetes.io/zone"});
}

class NodeRestriction final : public AdmissionPlugin {
 public:
  explicit NodeRestriction(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "NodeRestriction"; }

  Status mutate(AdmissionRequest& request) override {
    if (request.user == nullptr) return okStatus();
    std::string_view node = nodeNameOf(*request.user);
    if (node.empty()) return okStatus();
    const api::ResourceInfo& resource = *request.resource;
    if (resource.group.empty() && resource.plural == "pods") return checkPod(request, node);
    if (resource.group.empty() && resource.plural == "nodes") return checkNode(request, node);
    if (resource.group.empty() && resource.plural == "serviceaccounts" && request.subresource == "token") {
      return checkToken(request, node);
    }
    if (resource.group == "certificates.k8s.io" && resource.plural == "podcertificaterequests") {
      return checkCertificateRequest(request, node);
    }
    std::string_view name = objectName(request);
    if (resource.plural == "leases" && resource.group == "coordination.k8s.io") {
      if (request.ns != "kube-node-lease") {
        return refused(request, concat("can only access leases in the \"kube-node-lease\" system namespace"));
      }
      if (name != node) return refused(request, "can only access node lease with the same name as the requesting node");
    }
    if (resource.plural == "csinodes" && name != node) {
      return refused(request, "can only access CSINode with the same name as the requesting node");
    }
    return okStatus();
  }

 private:
  static std::string_view objectName(const AdmissionRequest& request) {
    if (!request.name.empty() || request.object == nullptr) return request.name;
    return (*request.object)["metadata"]["name"].asString();
  }

  bool ownsPod(const AdmissionRequest& request, std::string_view node) const {
    auto pod = cluster_.get("", "pods", request.ns, request.name);
    return pod == nullptr || pod->root["spec"]["nodeName"].asString() == node;
  }

  Status checkPod(const AdmissionRequest& request, std::string_view node) const {
    if (request.subresource.empty()) {
      if (request.operation == Operation::Create) return checkMirrorPod(request, node);
      if (request.operation == Operation::Delete) {
        return ownsPod(request, node)
                   ? okStatus()
                   : Status(refused(request, concat("node ", quoted(node), " can only delete pods with spec.nodeName set to itself")));
      }
    }
    if (request.subresource == "status") {
      return ownsPod(request, node)
                 ? okStatus()
                 : Status(refused(request, concat("node ", quoted(node), " can only update pod status for pods with spec.nodeName set to itself")));
    }
    if (request.subresource == "eviction") {
      return ownsPod(request, node)
                 ? okStatus()
                 : Status(refused(request, concat("node ", node, " can only evict pods with spec.nodeName set to itself")));
    }
    return refused(request, concat("unexpected pod subresource ", quoted(request.subresource)));
  }

  static Status checkMirrorPod(const AdmissionRequest& request, std::string_view node) {
    const Value& pod = *request.object;
    const Value& spec = pod["spec"];
    if (!pod["metadata"]["annotations"].has(kMirrorAnnotation)) {
      return refused(request, concat("pod does not have ", quoted(kMirrorAnnotation), " annotation, node ", quoted(node),
                                     " can only create mirror pods"));
    }
    if (spec["nodeName"].asString() != node) {
      return refused(request, concat("node ", quoted(node), " can only create pods with spec.nodeName set to itself"));
    }
    if (!spec["serviceAccountName"].asString().empty()) {
      return refused(request, concat("node ", quoted(node), " can not create pods that reference a service account"));
    }
    for (std::string_view resource : {"secrets", "configmaps", "persistentvolumeclaims"}) {
      for (const Value& volume : spec["volumes"].items()) {
        std::string_view kind = resource == "secrets" ? "secret" : resource == "configmaps" ? "configMap" : "persistentVolumeClaim";
        if (volume.has(kind)) {
          return refused(request, concat("node ", quoted(node), " can not create pods that reference ", resource));
        }
      }
    }
    return okStatus();
  }

  Status checkNode(const AdmissionRequest& request, std::string_view node) const {
    std::string_view name = objectName(request);
    if (name != node) {
      return refused(request, concat("node ", quoted(node), " is not allowed to modify node ", quoted(name)));
    }
    if (request.object == nullptr) return okStatus();
    const Value& labels = (*request.object)["metadata"]["labels"];
    static const Value kNone;
    const Value& old = request.oldObject != nullptr ? *request.oldObject : kNone;
    std::vector<std::string> changed;
    for (const codec::Member& member : labels.members()) {
      if (isRestrictedLabel(member.key) && old["metadata"]["labels"][member.key] != member.value) {
        changed.emplace_back(member.key);
      }
    }
    if (!changed.empty()) {
      return refused(request, concat("is not allowed to modify labels: ", join(changed, ", ")));
    }
    if (request.operation == Operation::Update && !sameValue((*request.object)["spec"]["taints"], old["spec"]["taints"])) {
      return refused(request, concat("node ", quoted(node), " is not allowed to modify taints"));
    }
    return okStatus();
  }

  // A token must die with one of its own pods.
  Status checkToken(const AdmissionRequest& request, std::string_view node) const {
    const Value& ref = (*request.object)["spec"]["boundObjectRef"];
    if (ref["kind"].asString() != "Pod" || ref["name"].asString().empty()) {
      return refused(request, "node requested token not bound to a pod");
    }
    if (ref["uid"].asString().empty()) {
      return refused(request, "node requested token with a pod binding without a uid");
    }
    auto pod = cluster_.get("", "pods", request.ns, ref["name"].asString());
    if (pod == nullptr) return notFoundError("", "pods", ref["name"].asString());
    if (pod->root["metadata"]["uid"] != ref["uid"]) {
      return refused(request, "the UID in the bound object reference does not match the UID in record");
    }
    if (pod->root["spec"]["nodeName"].asString() != node) {
      return refused(request, "node requested token bound to a pod scheduled on a different node");
    }
    return okStatus();
  }

  // A certificate must be for one of its own pods, as that pod is now.
  Status checkCertificateRequest(const AdmissionRequest& request, std::string_view node) const {
    if (request.operation != Operation::Create || !request.subresource.empty()) {
      return refused(request, "a node may only create PodCertificateRequests");
    }
    const Value& spec = (*request.object)["spec"];
    if (spec["nodeName"].asString() != node) {
      return refused(request, concat("PodCertificateRequest.Spec.NodeName=", quoted(spec["nodeName"].asString()),
                                     ", which is not the requesting node ", quoted(node)));
    }
    auto self = cluster_.get("", "nodes", "", node);
    if (self == nullptr) return notFoundError("", "nodes", node);
    if (self->root["metadata"]["uid"] != spec["nodeUID"]) {
      return refused(request, "PodCertificateRequest.Spec.NodeUID is not the UID of the requesting node");
    }
    auto pod = cluster_.get("", "pods", request.ns, spec["podName"].asString());
    if (pod == nullptr) return notFoundError("", "pods", spec["podName"].asString());
    const Value& found = pod->root;
    if (found["metadata"]["uid"] != spec["podUID"]) {
      return refused(request, "PodCertificateRequest.Spec.PodUID does not match the UID of the named pod");
    }
    if (found["spec"]["nodeName"].asString() != node) {
      return refused(request, concat("pod ", quoted(spec["podName"].asString()), " is not running on node ", quoted(node)));
    }
    if (found["metadata"]["annotations"].has(kMirrorAnnotation)) {
      return refused(request, "pod is a mirror pod");
    }
    if (found["spec"]["serviceAccountName"] != spec["serviceAccountName"]) {
      return refused(request, "PodCertificateRequest.Spec.ServiceAccountName is not the pod's service account");
    }
    auto account = cluster_.get("", "serviceaccounts", request.ns, spec["serviceAccountName"].asString());
    if (account == nullptr) return notFoundError("", "serviceaccounts", spec["serviceAccountName"].asString());
    if (account->root["metadata"]["uid"] != spec["serviceAccountUID"]) {
      return refused(request, "PodCertificateRequest.Spec.ServiceAccountUID does not match the UID of the named service account");
    }
    return okStatus();
  }

  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr nodeRestriction(const ClusterReader& cluster) { return std::make_unique<NodeRestriction>(cluster); }

}  // namespace skiff::apiserver::admission
