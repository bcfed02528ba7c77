// Makes the claims of generic ephemeral volumes, owned by their pods.
#include "base/strings.h"
#include "controllers/controller_ref.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using api::core::v1::PersistentVolumeClaim;

class EphemeralVolumeController final : public Controller {
 public:
  explicit EphemeralVolumeController(Context& context)
      : Controller(context, "ephemeral-volume", 2),
        pods_(context.informers.of<Pod>()),
        claims_(context.informers.of<PersistentVolumeClaim>()),
        recorder_(context.recorder("ephemeral_volume")) {
    pods_.addHandler({.onAdd = [this](const PodPtr& pod) {
      for (const auto& volume : pod->spec.volumes)
        if (volume.ephemeral && !isTerminating(*pod)) return queue().add(keyOf(*pod));
    }});
    claims_.addHandler({.onDelete = [this](const auto& claim) {
      const OwnerReference* ref = controllerOf(claim->metadata);
      if (ref != nullptr && ref->kind == "Pod") queue().add(claim->metadata.namespace_ + "/" + ref->name);
    }});
  }

  Result<client::Requeue> reconcile(const std::string& key) override {
    auto pod = pods_.getByKey(key);
    if (!pod || isTerminating(*pod) || isTerminal(*pod)) return done();
    for (const auto& volume : pod->spec.volumes) {
      if (!volume.ephemeral || !volume.ephemeral->volumeClaimTemplate) continue;
      const auto& from = *volume.ephemeral->volumeClaimTemplate;
      PersistentVolumeClaim claim;
      claim.metadata.name = concat(pod->metadata.name, "-", volume.name);
      claim.metadata.namespace_ = pod->metadata.namespace_;
      claim.metadata.labels = from.metadata.labels;
      claim.metadata.annotations = from.metadata.annotations;
      claim.metadata.ownerReferences.push_back(newControllerRef(*pod));
      claim.spec = from.spec;
      if (auto existing = claims_.get(claim.metadata.namespace_, claim.metadata.name)) {
        if (isControlledBy(existing->metadata, pod->metadata.uid)) continue;
        return internalError(concat("PVC ", skiff::quoted(keyOf(claim)), " was not created for pod ",
                                    skiff::quoted(key), " (pod is not owner)"));
      }
      auto created = ctx_.client->create(claim);
      if (created.ok() || created.failedWith(Reason::AlreadyExists)) continue;
      recorder_.record(*pod, "Warning", "FailedBinding",
                       concat("ephemeral volume ", volume.name, ": create PVC ", claim.metadata.name, ": ",
                              created.error().message()));
      return std::move(created).error();
    }
    return done();
  }

 private:
  client::Informer<Pod> pods_;
  client::Informer<PersistentVolumeClaim> claims_;
  client::EventRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Controller> createEphemeralVolumeController(Context& context) {
  return std::make_unique<EphemeralVolumeController>(context);
}

}  // namespace skiff::controllers
