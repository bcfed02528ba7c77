// A pod changes its size where it runs: only a node that is known can be told to do so.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

class NodeDeclaredFeatures final : public AdmissionPlugin {
 public:
  explicit NodeDeclaredFeatures(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "NodeDeclaredFeatureValidator"; }

  Status validate(const AdmissionRequest& request) override {
    bool resizes = request.operation == Operation::Update && request.subresource == "resize" &&
                   request.resource->group.empty() && request.resource->plural == "pods";
    if (!resizes) return okStatus();
    const codec::Value& spec = std::as_const(*request.object)["spec"];
    std::string_view node = spec["nodeName"].asString();
    if (node.empty() || sameValue(spec, (*request.oldObject)["spec"])) return okStatus();
    if (cluster_.get("", "nodes", "", node) != nullptr) return okStatus();
    return refused(request, concat("node ", quoted(node), " not found"));
  }

 private:
  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr nodeDeclaredFeatures(const ClusterReader& cluster) { return std::make_unique<NodeDeclaredFeatures>(cluster); }

}  // namespace skiff::apiserver::admission
