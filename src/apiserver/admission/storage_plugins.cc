// Default classes, and finalizers that keep storage in use.
#include <algorithm>

#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Arena;
using codec::Value;

// The class with the annotation; of several the newest, then the first by name.
codec::DocumentPtr defaultOf(const std::vector<codec::DocumentPtr>& classes, std::string_view annotation) {
  codec::DocumentPtr best;
  for (const auto& item : classes) {
    if (item->root["metadata"]["annotations"][annotation].asString() != "true") continue;
    auto created = [](const codec::DocumentPtr& object) {
      return object->root["metadata"]["creationTimestamp"].asString();
    };
    if (best == nullptr || created(item) > created(best)) best = item;
  }
  return best;
}

class DefaultStorageClass final : public AdmissionPlugin {
 public:
  explicit DefaultStorageClass(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "DefaultStorageClass"; }
  Status mutate(AdmissionRequest& request) override {
    if (request.operation != Operation::Create || !isAbout(request, "", "persistentvolumeclaims")) return okStatus();
    Value& claim = *request.object;
    bool stated = claim["spec"].has("storageClassName") ||
                  claim["metadata"]["annotations"].has("volume.beta.kubernetes.io/storage-class");
    if (stated) return okStatus();
    auto found = defaultOf(cluster_.list("storage.k8s.io", "storageclasses", ""), "storageclass.kubernetes.io/is-default-class");
    if (found == nullptr) return okStatus();
    claim.child(*request.arena, "spec")
        .set(*request.arena, "storageClassName", found->root["metadata"]["name"].clone(*request.arena));
    return okStatus();
  }

 private:
  const ClusterReader& cluster_;
};

class DefaultIngressClass final : public AdmissionPlugin {
 public:
  explicit DefaultIngressClass(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "DefaultIngressClass"; }
  Status mutate(AdmissionRequest& request) override {
    if (request.operation != Operation::Create || !isAbout(request, "networking.k8s.io", "ingresses")) return okStatus();
    Value& ingress = *request.object;
    bool stated = ingress["spec"].has("ingressClassName") ||
                  ingress["metadata"]["annotations"].has("kubernetes.io/ingress.class");
    if (stated) return okStatus();
    auto found = defaultOf(cluster_.list("networking.k8s.io", "ingressclasses", ""),
                           "ingressclass.kubernetes.io/is-default-class");
    if (found == nullptr) return okStatus();
    ingress.child(*request.arena, "spec")
        .set(*request.arena, "ingressClassName", found->root["metadata"]["name"].clone(*request.arena));
    return okStatus();
  }

 private:
  const ClusterReader& cluster_;
};

class StorageObjectInUseProtection final : public AdmissionPlugin {
 public:
  std::string_view name() const override { return "StorageObjectInUseProtection"; }
  Status mutate(AdmissionRequest& request) override {
    if (request.operation != Operation::Create) return okStatus();
    std::string_view finalizer;
    if (isAbout(request, "", "persistentvolumes")) finalizer = "kubernetes.io/pv-protection";
    if (isAbout(request, "", "persistentvolumeclaims")) finalizer = "kubernetes.io/pvc-protection";
    if (isAbout(request, "storage.k8s.io", "volumeattributesclasses")) finalizer = "kubernetes.io/vac-protection";
    if (finalizer.empty()) return okStatus();
    Value& list = request.object->child(*request.arena, "metadata").child(*request.arena, "finalizers");
    auto items = list.items();
    if (std::ranges::find(items, Value::string(finalizer)) == items.end()) {
      list.push(*request.arena, Value::string(finalizer));
    }
    return okStatus();
  }
};

class PersistentVolumeClaimResize final : public AdmissionPlugin {
 public:
  explicit PersistentVolumeClaimResize(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "PersistentVolumeClaimResize"; }
  Status validate(const AdmissionRequest& request) override {
    if (request.operation != Operation::Update || !isAbout(request, "", "persistentvolumeclaims")) return okStatus();
    auto size = [](const Value& claim) { return quantityOf(claim["spec"]["resources"]["requests"]["storage"]); };
    if (size(*request.object) <= size(*request.oldObject)) return okStatus();
    if ((*request.oldObject)["status"]["phase"].asString() != "Bound") {
      return refused(request, "Only bound persistent volume claims can be expanded");
    }
    std::string_view name = (*request.object)["spec"]["storageClassName"].asString();
    auto found = name.empty() ? nullptr : cluster_.get("storage.k8s.io", "storageclasses", "", name);
    if (found != nullptr && found->root["allowVolumeExpansion"].asBool()) return okStatus();
    return refused(request,
                   "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                   "support resize");
  }

 private:
  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr defaultStorageClass(const ClusterReader& cluster) { return std::make_unique<DefaultStorageClass>(cluster); }
PluginPtr defaultIngressClass(const ClusterReader& cluster) { return std::make_unique<DefaultIngressClass>(cluster); }
PluginPtr storageObjectInUseProtection() { return std::make_unique<StorageObjectInUseProtection>(); }
PluginPtr persistentVolumeClaimResize(const ClusterReader& cluster) {
  return std::make_unique<PersistentVolumeClaimResize>(cluster);
}

}  // namespace skiff::apiserver::admission
