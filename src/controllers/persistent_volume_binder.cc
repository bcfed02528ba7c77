// Binds claims to volumes, follows both through their phases, and asks external provisioners for what does not exist.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#lifecycle-of-a-volume-and-claim
#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "controllers/volume_match.h"
#include "gen/storage_v1.h"

namespace skiff::controllers {

bool isClaimedBy(const PersistentVolume& volume, const PersistentVolumeClaim& claim) {
  const auto& ref = volume.spec.claimRef;
  return ref && ref->name == claim.metadata.name && ref->namespace_ == claim.metadata.namespace_ &&
         (ref->uid.empty() || ref->uid == claim.metadata.uid);
}

bool suits(const PersistentVolume& volume, const PersistentVolumeClaim& claim) {
  if (volume.metadata.deletionTimestamp) return false;
  if (volume.spec.storageClassName != claim.spec.storageClassName.value_or("")) return false;
  if (volume.spec.volumeMode.value_or("Filesystem") != claim.spec.volumeMode.value_or("Filesystem")) return false;
  if (volume.spec.volumeAttributesClassName.value_or("") != claim.spec.volumeAttributesClassName.value_or("")) return false;
  for (const std::string& mode : claim.spec.accessModes)
    if (std::find(volume.spec.accessModes.begin(), volume.spec.accessModes.end(), mode) == volume.spec.accessModes.end())
      return false;
  auto wanted = claim.spec.resources.requests.find("storage");
  auto size = volume.spec.capacity.find("storage");
  if (wanted != claim.spec.resources.requests.end() &&
      (size == volume.spec.capacity.end() || size->second < wanted->second))
    return false;
  if (claim.spec.selector) {
    auto selector = api::LabelSelector::fromTyped(*claim.spec.selector);
    if (!selector.ok() || !selector->matches(volume.metadata.labels)) return false;
  }
  return true;
}

VolumePtr findVolume(const std::vector<VolumePtr>& volumes, const PersistentVolumeClaim& claim) {
  VolumePtr best;
  auto sizeOf = [](const PersistentVolume& volume) {
    auto it = volume.spec.capacity.find("storage");
    return it == volume.spec.capacity.end() ? api::Quantity() : it->second;
  };
  for (const auto& volume : volumes) {
    if (!suits(*volume, claim)) continue;
    if (isClaimedBy(*volume, claim)) return volume;
    if (volume->spec.claimRef || volume->status.phase == "Released" || volume->status.phase == "Failed") continue;
    if (!best || sizeOf(*volume) < sizeOf(*best)) best = volume;
  }
  return best;
}

namespace {

using api::storage::v1::StorageClass;
using client::Requeue;

constexpr std::string_view kBindCompleted = "pv.kubernetes.io/bind-completed";
constexpr std::string_view kBoundByController = "pv.kubernetes.io/bound-by-controller";
constexpr std::string_view kProvisioner = "volume.kubernetes.io/storage-provisioner";
constexpr std::string_view kBetaProvisioner = "volume.beta.kubernetes.io/storage-provisioner";
constexpr std::string_view kSelectedNode = "volume.kubernetes.io/selected-node";

class PersistentVolumeBinder final : public Controller {
 public:
  explicit PersistentVolumeBinder(Context& context)
      : Controller(context, "persistentvolume-binder", 1),  // one worker: a volume is never given away twice
        claims_(context.informers.of<PersistentVolumeClaim>()),
        volumes_(context.informers.of<PersistentVolume>()),
        classes_(context.informers.of<StorageClass>()),
        pods_(context.informers.of<Pod>()),
        recorder_(context.recorder("persistentvolume-controller")) {
    claims_.addHandler([this](const auto& claim) {
      queue().add("c/" + keyOf(*claim));
      if (!claim->spec.volumeName.empty()) queue().add("v/" + claim->spec.volumeName);
    });
    volumes_.addHandler([this](const VolumePtr& volume) {
      queue().add("v/" + volume->metadata.name);
      if (volume->spec.claimRef) queue().add("c/" + volume->spec.claimRef->namespace_ + "/" + volume->spec.claimRef->name);
      if (volume->status.phase == "Available")
        for (const auto& claim : claims_.list())
          if (claim->status.phase != "Bound") queue().add("c/" + keyOf(*claim));
    });
    classes_.addHandler([this](const auto& made) {
      for (const auto& claim : claims_.list())
        if (claim->status.phase != "Bound" && claim->spec.storageClassName == made->metadata.name)
          queue().add("c/" + keyOf(*claim));
    });
  }

  Result<Requeue> reconcile(const std::string& key) override {
    Status status = key[0] == 'c' ? syncClaim(key.substr(2)) : syncVolume(key.substr(2));
    if (!status.ok()) return std::move(status).error();
    return done();
  }

 private:
  // What has no claim is free; what lost its claim is released.
  Status syncVolume(const std::string& name) {
    auto volume = volumes_.getByKey(name);
    if (!volume) return okStatus();
    if (!volume->spec.claimRef) return setVolumePhase(*volume, "Available");
    if (volume->spec.claimRef->uid.empty()) return setVolumePhase(*volume, "Available");  // reserved, not yet bound
    auto claim = claims_.get(volume->spec.claimRef->namespace_, volume->spec.claimRef->name);
    if (claim && claim->metadata.uid == volume->spec.claimRef->uid) {
      if (claim->spec.volumeName == name) return setVolumePhase(*volume, "Bound");
      if (claim->spec.volumeName.empty()) return okStatus();  // on its way
    } else if (!claim) {
      auto live = ctx_.client->get<PersistentVolumeClaim>(volume->spec.claimRef->namespace_, volume->spec.claimRef->name);
      if (live.ok() && live->metadata.uid == volume->spec.claimRef->uid) return okStatus();
      if (!live.ok() && !live.failedWith(Reason::NotFound)) return std::move(live).error();
    }
    TRY(setVolumePhase(*volume, "Released"));
    return reclaim(*volume);
  }

  // Volumes of external provisioners are deleted by these; those of a host path have nothing to delete.
  Status reclaim(const PersistentVolume& volume) {
    bool external = volume.spec.csi || volume.metadata.annotations.contains("pv.kubernetes.io/provisioned-by");
    if (volume.spec.persistentVolumeReclaimPolicy != "Delete" || external || volume.metadata.deletionTimestamp)
      return okStatus();
    if (volume.spec.hostPath || volume.spec.local) {
      recorder_.record(volume, "Warning", "VolumeFailedDelete", "error getting deleter volume plugin for volume " +
                                                                    skiff::quoted(volume.metadata.name) +
                                                                    ": no deletable volume plugin matched");
      PersistentVolume live = volume;
      return setVolumePhase(live, "Failed");
    }
    return okStatus();
  }

  Status setVolumePhase(const PersistentVolume& volume, std::string_view phase) {
    if (volume.status.phase == phase || (volume.status.phase == "Failed" && phase == "Released")) return okStatus();
    auto updated = client::updateWithRetry<PersistentVolume>(
        *ctx_.client, {}, volume.metadata.name,
        [&](PersistentVolume& live) {
          if (live.metadata.uid != volume.metadata.uid || live.status.phase == phase) return false;
          live.status.phase = std::string(phase);
          live.status.lastPhaseTransitionTime = api::Time{ctx_.clock.now()};
          return true;
        },
        "status");
    if (updated.ok() || updated.failedWith(Reason::NotFound)) return okStatus();
    return std::move(updated).error();
  }

  Status syncClaim(const std::string& key) {
    auto claim = claims_.getByKey(key);
    if (!claim) return okStatus();
    if (claim->metadata.annotations.contains(std::string(kBindCompleted))) return followBound(*claim);
    if (claim->metadata.deletionTimestamp) return okStatus();
    VolumePtr volume;
    if (!claim->spec.volumeName.empty()) {
      volume = volumes_.getByKey(claim->spec.volumeName);
      if (!volume) return setClaimPhase(*claim, "Pending", nullptr);
      bool free = !volume->spec.claimRef || isClaimedBy(*volume, *claim);
      if (!free) {
        recorder_.record(*claim, "Warning", "FailedBinding",
                         concat("volume ", skiff::quoted(volume->metadata.name), " already bound to a different claim."));
        return setClaimPhase(*claim, "Pending", nullptr);
      }
    } else {
      volume = findVolume(volumes_.list(), *claim);
      if (volume && !isClaimedBy(*volume, *claim) && waitsForConsumer(*claim)) volume = nullptr;
    }
    if (!volume) return provision(*claim);
    return bind(*claim, *volume);
  }

  bool waitsForConsumer(const PersistentVolumeClaim& claim) const {
    auto storageClass = classes_.getByKey(claim.spec.storageClassName.value_or(""));
    return storageClass && storageClass->volumeBindingMode == std::optional<std::string>("WaitForFirstConsumer") &&
           !claim.metadata.annotations.contains(std::string(kSelectedNode));
  }

  // Nothing suits: an external provisioner makes the volume, once a pod has chosen a node where the class asks for it.
  Status provision(const PersistentVolumeClaim& claim) {
    TRY(setClaimPhase(claim, "Pending", nullptr));
    auto storageClass = classes_.getByKey(claim.spec.storageClassName.value_or(""));
    if (waitsForConsumer(claim)) {
      recorder_.record(claim, "Normal", "WaitForFirstConsumer",
                       "waiting for first consumer to be created before binding");
      return okStatus();
    }
    if (!storageClass) {
      if (claim.spec.storageClassName.value_or("").empty())
        recorder_.record(claim, "Normal", "FailedBinding",
                         "no persistent volumes available for this claim and no storage class is set");
      else
        recorder_.record(claim, "Warning", "ProvisioningFailed",
                         concat("storageclass.storage.k8s.io ", skiff::quoted(*claim.spec.storageClassName), " not found"));
      return okStatus();
    }
    if (storageClass->provisioner == "kubernetes.io/no-provisioner") {
      recorder_.record(claim, "Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
      return okStatus();
    }
    auto annotation = claim.metadata.annotations.find(std::string(kProvisioner));
    if (annotation == claim.metadata.annotations.end() || annotation->second != storageClass->provisioner) {
      PersistentVolumeClaim updated = claim;
      updated.metadata.annotations[std::string(kProvisioner)] = storageClass->provisioner;
      updated.metadata.annotations[std::string(kBetaProvisioner)] = storageClass->provisioner;
      TRY(ctx_.client->update(updated));
    }
    recorder_.record(claim, "Normal", "ExternalProvisioning",
                     concat("Waiting for a volume to be created either by the external provisioner '",
                            storageClass->provisioner,
                            "' or manually by the system administrator. If volume creation is delayed, please verify "
                            "that the provisioner is running and correctly registered."));
    return okStatus();
  }

  // Both sides, each idempotent: the volume first, so that a crash in between leaves it reserved for this claim.
  Status bind(const PersistentVolumeClaim& claim, const PersistentVolume& found) {
    PersistentVolume volume = found;
    if (!volume.spec.claimRef || volume.spec.claimRef->uid.empty()) {
      bool reserved = bool(volume.spec.claimRef);
      volume.spec.claimRef = client::EventRecorder::referenceTo(claim);
      if (!reserved) volume.metadata.annotations[std::string(kBoundByController)] = "yes";
      volume = TRY(ctx_.client->update(volume));
    }
    TRY(setVolumePhase(volume, "Bound"));
    PersistentVolumeClaim bound = claim;
    if (bound.spec.volumeName.empty()) {
      bound.spec.volumeName = volume.metadata.name;
      bound.metadata.annotations[std::string(kBoundByController)] = "yes";
    }
    bound.metadata.annotations[std::string(kBindCompleted)] = "yes";
    bound = TRY(ctx_.client->update(bound));
    return setClaimPhase(bound, "Bound", &volume);
  }

  Status followBound(const PersistentVolumeClaim& claim) {
    auto volume = volumes_.getByKey(claim.spec.volumeName);
    if (!volume || (volume->spec.claimRef && !isClaimedBy(*volume, claim))) {
      if (claim.status.phase == "Lost") return okStatus();
      if (!volume) {
        auto live = ctx_.client->get<PersistentVolume>({}, claim.spec.volumeName);
        if (live.ok()) return okStatus();
        if (!live.failedWith(Reason::NotFound)) return std::move(live).error();
      }
      recorder_.record(claim, "Warning", volume ? "ClaimMisbound" : "ClaimLost",
                       volume ? "Two claims are bound to the same volume, this one is bound incorrectly"
                              : "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
      return setClaimPhase(claim, "Lost", nullptr);
    }
    if (!volume->spec.claimRef) return bind(claim, *volume);
    TRY(setVolumePhase(*volume, "Bound"));
    return setClaimPhase(claim, "Bound", volume.get());
  }

  Status setClaimPhase(const PersistentVolumeClaim& claim, std::string_view phase, const PersistentVolume* volume) {
    PersistentVolumeClaim updated = claim;
    updated.status.phase = std::string(phase);
    if (volume != nullptr) {
      updated.status.accessModes = volume->spec.accessModes;
      // A size once granted follows resizes, not the volume's first word.
      if (claim.status.phase != "Bound") updated.status.capacity = volume->spec.capacity;
      if (volume->spec.volumeAttributesClassName) updated.status.currentVolumeAttributesClassName = volume->spec.volumeAttributesClassName;
    }
    if (api::equal(updated.status, claim.status)) return okStatus();
    auto written = ctx_.client->updateStatus(updated);
    if (written.ok() || written.failedWith(Reason::NotFound)) return okStatus();
    return std::move(written).error();
  }

  client::Informer<PersistentVolumeClaim> claims_;
  client::Informer<PersistentVolume> volumes_;
  client::Informer<StorageClass> classes_;
  client::Informer<Pod> pods_;
  client::EventRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Controller> createPersistentVolumeBinder(Context& context) {
  return std::make_unique<PersistentVolumeBinder>(context);
}

}  // namespace skiff::controllers
