// Volumes, claims, classes and drivers.
#include <algorithm>

#include "api/internal_form.h"
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"
#include "apiserver/strategies/strategies.h"
#include "apiserver/strategies/warnings.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kVolumeSources[] = {
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker",   "nfs",
    "rbd",      "quobyte",           "cephfs",               "iscsi",     "cinder",    "fc",
    "azureFile", "vsphereVolume",    "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO",
    "local",    "storageos",         "csi",                  "flexVolume"};

void setPhase(StrategyContext& context, std::string_view phase) {
  Value status = Value::map();
  status.set(context.arena(), "phase", Value::string(phase));
  context.object().set(context.arena(), "status", status);
}

void validateAccessModes(const Field& modes, FieldErrors& errors) {
  if (modes.size() == 0) errors.required(modes.path, "");
  each(modes, [&](const Field& mode) {
    if (oneOf(mode.text(), {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"})) return;
    errors.notSupported(modes.path, quoted(mode.text()),
                        {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"});
  });
}

class VolumeStrategy final : public StatusStrategy {
 public:
  explicit VolumeStrategy(const Clock& clock) : clock_(clock) {}
  bool hasGeneration() const override { return false; }
  void prepareCreate(StrategyContext& context) override {
    setPhase(context, "Pending");
    stampPhase(context);
  }
  void prepareUpdate(StrategyContext& context) override {
    if (context.object()["status"]["phase"] != context.old()["status"]["phase"]) stampPhase(context);
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validateAccessModes(spec["accessModes"], errors);
    Field capacity = spec["capacity"];
    if (capacity.size() == 0) errors.required(capacity.path, "");
    if (!capacity.value->has("storage") || capacity.size() > 1) {
      errors.notSupported(capacity.path, shown(*capacity.value), {"storage"});
    }
    eachEntry(capacity, [&](std::string_view, const Field& amount) {
      if (quantityOf(*amount.value).sign() <= 0) {
        errors.invalid(amount.path, shown(*amount.value), "must be greater than zero");
      }
    });
    if (!spec["persistentVolumeReclaimPolicy"].text().empty()) {
      checkEnum(errors, spec["persistentVolumeReclaimPolicy"], {"Delete", "Recycle", "Retain"});
    }
    if (spec["nodeAffinity"]["required"].has()) validateNodeSelector(spec["nodeAffinity"]["required"], errors);
    int found = 0;
    for (std::string_view kind : kVolumeSources) {
      if (!spec[kind].has()) continue;
      if (++found > 1) errors.forbidden(spec[kind].path, "may not specify more than 1 volume type");
    }
    if (found == 0) errors.required(spec.path, "must specify a volume type");
    warnVolumeSource(spec, context.request.warnings);
    if (!spec["storageClassName"].text().empty()) {
      addFaults(errors, spec["storageClassName"], formats::dnsSubdomain(spec["storageClassName"].text()));
    }
    if (spec["volumeMode"].has()) checkEnum(errors, spec["volumeMode"], {"Block", "Filesystem"});
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    Field spec = rootField(context.object())["spec"];
    const Value& old = context.old()["spec"];
    for (std::string_view kind : kVolumeSources) {
      if (sameValue(*spec[kind].value, old[kind])) continue;
      errors.forbidden("spec.persistentvolumesource",
                       concat("spec.persistentvolumesource is immutable after creation\n",
                              api::internalDiff(old, *spec.value, *api::findType("core/v1", "PersistentVolumeSource"))));
      break;
    }
    checkImmutable(errors, spec["volumeMode"], old["volumeMode"]);
  }

 private:
  void stampPhase(StrategyContext& context) {
    Arena& arena = context.arena();
    context.object().child(arena, "status")
        .set(arena, "lastPhaseTransitionTime", Value::text(arena, formatRfc3339(clock_.now())));
  }

  const Clock& clock_;
};

class ClaimStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }
  void prepareCreate(StrategyContext& context) override {
    setPhase(context, "Pending");
    alignSources(context);
  }
  void prepareUpdate(StrategyContext& context) override {
    if (isWhole(context)) alignSources(context);
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validateAccessModes(spec["accessModes"], errors);
    validateLabelSelector(spec["selector"], errors);
    const Value& requests = *spec["resources"]["requests"].value;
    if (!requests.has("storage")) {
      errors.required("spec.resources[storage]", "");
    } else if (quantityOf(requests["storage"]).sign() <= 0) {
      errors.invalid("spec.resources[storage]", shown(requests["storage"]), "must be greater than zero");
    }
    Field storageClass = spec["storageClassName"];
    if (!storageClass.text().empty()) addFaults(errors, storageClass, formats::dnsSubdomain(storageClass.text()));
    if (spec["volumeMode"].has()) checkEnum(errors, spec["volumeMode"], {"Block", "Filesystem"});
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    validateCreate(context, errors);
    Field spec = rootField(context.object())["spec"];
    const Value& old = context.old()["spec"];
    Arena& arena = context.arena();
    bool bound = context.old()["status"]["phase"].asString() == "Bound";
    Value same = spec.value->clone(arena), before = old.clone(arena);
    // The binder names the volume, a class may be given late, and a bound claim may grow.
    if (old["volumeName"].asString().empty()) take(before, same, "volumeName", arena);
    if (old["storageClassName"].isNull()) take(before, same, "storageClassName", arena);
    if (bound) {
      take(same, old, "resources", arena);
      take(before, same, "volumeAttributesClassName", arena);
    }
    Field mode{spec["volumeMode"].value, FieldPath().name("volumeMode")};  // that is the whole path upstream tells
    if (!sameValue(same, before)) {
      errors.forbidden(spec.path,
                       concat("spec is immutable after creation except resources.requests and volumeAttributesClassName "
                              "for bound claims\n",
                              api::internalDiff(before, same, *api::findType("core/v1", "PersistentVolumeClaimSpec"))));
      checkImmutable(errors, mode, old["volumeMode"]);
      return;
    }
    api::Quantity now = quantityOf((*spec["resources"]["requests"].value)["storage"]);
    api::Quantity asked = quantityOf(old["resources"]["requests"]["storage"]);
    api::Quantity actual = quantityOf(context.old()["status"]["capacity"]["storage"]);
    if (now < asked && now <= actual) {
      errors.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity");
    }
  }

 private:
  // dataSource is the older name of dataSourceRef: both say the same where both can.
  static void alignSources(StrategyContext& context) {
    Arena& arena = context.arena();
    Value& spec = context.object().child(arena, "spec");
    const Value source = spec["dataSource"], ref = spec["dataSourceRef"];
    if (source.isMap() && ref.isNull()) spec.set(arena, "dataSourceRef", source.clone(arena));
    if (source.isNull() && ref.isMap() && ref["namespace"].asString().empty()) {
      spec.set(arena, "dataSource", ref.clone(arena));
    }
  }

  static void take(Value& into, const Value& from, std::string_view name, Arena& arena) {
    if (const Value* value = from.find(name)) {
      into.set(arena, name, value->clone(arena));
    } else {
      into.erase(name);
    }
  }
};

class StorageClassStrategy final : public PlainStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object());
    if (object["reclaimPolicy"].has()) checkEnum(errors, object["reclaimPolicy"], {"Delete", "Retain"});
    if (!object["volumeBindingMode"].has()) {
      errors.required(object["volumeBindingMode"].path, "");
    } else {
      checkEnum(errors, object["volumeBindingMode"], {"Immediate", "WaitForFirstConsumer"});
    }
    if (object["provisioner"].text().empty()) {
      errors.required(object["provisioner"].path, "");
    } else {
      addFaults(errors, object["provisioner"], formats::qualifiedName(toLower(object["provisioner"].text())));
    }
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    Field object = rootField(context.object());
    if (!sameValue(*object["parameters"].value, context.old()["parameters"])) {
      errors.forbidden("parameters", "updates to parameters are forbidden.");
    }
    if (!sameValue(*object["provisioner"].value, context.old()["provisioner"])) {
      errors.forbidden("provisioner", "updates to provisioner are forbidden.");
    }
    if (!sameValue(*object["reclaimPolicy"].value, context.old()["reclaimPolicy"])) {
      errors.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.");
    }
    checkImmutable(errors, object["volumeBindingMode"], context.old()["volumeBindingMode"]);
  }
};


class DriverStrategy final : public PlainStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors&) override {
    const Value& spec = context.object()["spec"];
    if (!spec["tokenRequests"].empty() && spec["serviceAccountTokenInSecrets"].isNull()) {
      warn(context.request.warnings,
           "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent "
           "possible logging of tokens in volume attributes");
    }
  }
};

class AttachmentStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }
  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    status.set(context.arena(), "attached", Value::boolean(false));
    context.object().set(context.arena(), "status", status);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    checkDeclaredImmutable(errors, rootField(context.object())["spec"], context.old()["spec"]);
  }
};

}  // namespace

void addStorageStrategies(const AddStrategy& add, const Clock& clock) {
  add("/persistentvolumes", std::make_unique<VolumeStrategy>(clock));
  add("/persistentvolumeclaims", std::make_unique<ClaimStrategy>());
  add("storage.k8s.io/storageclasses", std::make_unique<StorageClassStrategy>());
  add("storage.k8s.io/volumeattachments", std::make_unique<AttachmentStrategy>());
  add("storage.k8s.io/csidrivers", std::make_unique<DriverStrategy>());
  for (std::string_view plain : {"csinodes", "csistoragecapacities", "volumeattributesclasses"}) {
    add(concat("storage.k8s.io/", plain), std::make_unique<PlainStrategy>());
  }
}

}  // namespace skiff::apiserver
