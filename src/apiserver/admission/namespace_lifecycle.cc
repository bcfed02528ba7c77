// Nothing is made in a namespace that is absent or on its way out, and some namespaces stay.
#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

class NamespaceLifecycle final : public AdmissionPlugin {
 public:
  explicit NamespaceLifecycle(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "NamespaceLifecycle"; }

  Status mutate(AdmissionRequest& request) override {
    bool isNamespace = isAbout(request, "", "namespaces");
    if (request.operation == Operation::Delete) {
      if (isNamespace && oneOf(request.name, {"default", "kube-system", "kube-public"})) {
        return refused(request, "this namespace may not be deleted");
      }
      return okStatus();
    }
    if (!request.resource->namespaced || request.ns.empty()) return okStatus();
    // A question about access is no content.
    if (request.resource->plural == "localsubjectaccessreviews") return okStatus();
    auto found = cluster_.get("", "namespaces", "", request.ns);
    if (found == nullptr) return notFoundError("", "namespaces", request.ns);
    if (request.operation != Operation::Create || found->root["metadata"]["deletionTimestamp"].isNull()) {
      return okStatus();
    }
    Error error = refused(request, concat("unable to create new content in namespace ", request.ns,
                                          " because it is being terminated"));
    ErrorDetails details = *error.details();
    details.causes.push_back({"NamespaceTerminating", concat("namespace ", request.ns, " is being terminated"),
                              "metadata.namespace"});
    return Error(Reason::Forbidden, error.message(), std::move(details));
  }

 private:
  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr namespaceLifecycle(const ClusterReader& cluster) { return std::make_unique<NamespaceLifecycle>(cluster); }

}  // namespace skiff::apiserver::admission
