// Keeps claims, volumes and volume attributes classes from vanishing while something uses them: a finalizer on each,
// taken off when a deleted one is free.
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "gen/core_v1.h"
#include "gen/storage_v1.h"

namespace skiff::controllers {
namespace {

using api::core::v1::PersistentVolume;
using api::core::v1::PersistentVolumeClaim;
using api::storage::v1::VolumeAttributesClass;
using client::Requeue;

bool hasFinalizer(const api::meta::v1::ObjectMeta& meta, std::string_view finalizer) {
  return std::find(meta.finalizers.begin(), meta.finalizers.end(), finalizer) != meta.finalizers.end();
}

// Adds the finalizer to what lives, takes it off what is to go and is free.
template <class T>
class ProtectionController : public Controller {
 public:
  Result<Requeue> reconcile(const std::string& key) override {
    auto object = objects_.getByKey(key);
    if (!object) return done();
    bool protectedNow = hasFinalizer(object->metadata, finalizer_);
    T updated = *object;
    if (!object->metadata.deletionTimestamp) {
      if (protectedNow) return done();
      updated.metadata.finalizers.push_back(finalizer_);
    } else {
      if (!protectedNow || TRY(inUse(*object))) return done();
      std::erase(updated.metadata.finalizers, finalizer_);
    }
    auto written = ctx_.client->update(updated);
    if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    return done();
  }

 protected:
  ProtectionController(Context& context, std::string name, std::string finalizer)
      : Controller(context, std::move(name), 1), objects_(context.informers.of<T>()), finalizer_(std::move(finalizer)) {
    enqueueOwnKeys(objects_);
  }
  virtual Result<bool> inUse(const T& object) = 0;
  client::Informer<T> objects_;

 private:
  std::string finalizer_;
};

std::vector<std::string> claimNames(const Pod& pod) {
  std::vector<std::string> out;
  for (const auto& volume : pod.spec.volumes) {
    if (volume.persistentVolumeClaim) out.push_back(volume.persistentVolumeClaim->claimName);
    if (volume.ephemeral) out.push_back(pod.metadata.name + "-" + volume.name);
  }
  return out;
}

class PvcProtection final : public ProtectionController<PersistentVolumeClaim> {
 public:
  explicit PvcProtection(Context& context)
      : ProtectionController(context, "pvc-protection", "kubernetes.io/pvc-protection"),
        pods_(context.informers.of<Pod>()) {
    pods_.addIndex("claim", [](const Pod& pod) {
      std::vector<std::string> keys;
      for (const std::string& name : claimNames(pod)) keys.push_back(pod.metadata.namespace_ + "/" + name);
      return keys;
    });
    auto look = [this](const PodPtr& pod) {
      for (const std::string& name : claimNames(*pod)) queue().add(pod->metadata.namespace_ + "/" + name);
    };
    pods_.addHandler({.onUpdate = [look](const auto&, const auto& now) { if (isTerminal(*now)) look(now); }, .onDelete = look});
  }

 private:
  // Pods without a node do not count: no kubelet starts one whose claim is going.
  Result<bool> inUse(const PersistentVolumeClaim& claim) override {
    std::string key = keyOf(claim);
    for (const auto& pod : pods_.byIndex("claim", key))
      if (!pod->spec.nodeName.empty()) return true;
    // The cache may miss a pod of just now.
    auto live = TRY(ctx_.client->list<Pod>({.ns = claim.metadata.namespace_}));
    for (const Pod& pod : live) {
      auto names = claimNames(pod);
      if (!pod.spec.nodeName.empty() && std::find(names.begin(), names.end(), claim.metadata.name) != names.end())
        return true;
    }
    return false;
  }
  client::Informer<Pod> pods_;
};

class PvProtection final : public ProtectionController<PersistentVolume> {
 public:
  explicit PvProtection(Context& context)
      : ProtectionController(context, "pv-protection", "kubernetes.io/pv-protection") {}

 private:
  Result<bool> inUse(const PersistentVolume& volume) override { return volume.status.phase == "Bound"; }
};

class VacProtection final : public ProtectionController<VolumeAttributesClass> {
 public:
  explicit VacProtection(Context& context)
      : ProtectionController(context, "vac-protection", "kubernetes.io/vac-protection"),
        claims_(context.informers.of<PersistentVolumeClaim>()),
        volumes_(context.informers.of<PersistentVolume>()) {
    auto lookAtAll = [this] {
      for (const auto& vac : objects_.list())
        if (vac->metadata.deletionTimestamp) queue().add(vac->metadata.name);
    };
    claims_.addHandler({.onUpdate = [lookAtAll](const auto&, const auto&) { lookAtAll(); },
                        .onDelete = [lookAtAll](const auto&) { lookAtAll(); }});
    volumes_.addHandler({.onUpdate = [lookAtAll](const auto&, const auto&) { lookAtAll(); },
                         .onDelete = [lookAtAll](const auto&) { lookAtAll(); }});
  }

 private:
  Result<bool> inUse(const VolumeAttributesClass& vac) override {
    const std::string& name = vac.metadata.name;
    for (const auto& claim : claims_.list()) {
      if (claim->spec.volumeAttributesClassName == name || claim->status.currentVolumeAttributesClassName == name) return true;
      if (claim->status.modifyVolumeStatus && claim->status.modifyVolumeStatus->targetVolumeAttributesClassName == name)
        return true;
    }
    for (const auto& volume : volumes_.list())
      if (volume->spec.volumeAttributesClassName == name) return true;
    return false;
  }
  client::Informer<PersistentVolumeClaim> claims_;
  client::Informer<PersistentVolume> volumes_;
};

}  // namespace

std::unique_ptr<Controller> createPvcProtectionController(Context& context) { return std::make_unique<PvcProtection>(context); }
std::unique_ptr<Controller> createPvProtectionController(Context& context) { return std::make_unique<PvProtection>(context); }
std::unique_ptr<Controller> createVolumeAttributesClassProtectionController(Context& context) {
  return std::make_unique<VacProtection>(context);
}

}  // namespace skiff::controllers
