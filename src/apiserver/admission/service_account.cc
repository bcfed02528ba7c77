// A pod runs as a service account and gets its token, CA and namespace as a projected volume.
#include <algorithm>

#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Arena;
using codec::Value;

constexpr std::string_view kMirrorAnnotation = "kubernetes.io/config.mirror";
constexpr std::string_view kTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view kVolumePrefix = "kube-api-access-";
constexpr std::string_view kRootCaConfigMap = "kube-root-ca.crt";
// Not a round hour: it tells this token from one that a user asked for (see token_request.cc).
constexpr int64_t kTokenSeconds = 3607;
constexpr int64_t kReadOnlyMode = 0644;

Value oneItem(Arena& arena, std::string_view name, Value value) {
  Value out = Value::map();
  out.set(arena, name, value);
  return out;
}

Value tokenVolume(Arena& arena, std::string_view name) {
  Value token = Value::map();
  token.set(arena, "expirationSeconds", Value::integer(kTokenSeconds));
  token.set(arena, "path", Value::string("token"));
  Value key = Value::map();
  key.set(arena, "key", Value::string("ca.crt"));
  key.set(arena, "path", Value::string("ca.crt"));
  Value ca = Value::map();
  ca.set(arena, "name", Value::string(kRootCaConfigMap));
  ca.child(arena, "items").push(arena, key);
  Value ref = Value::map();
  ref.set(arena, "apiVersion", Value::string("v1"));
  ref.set(arena, "fieldPath", Value::string("metadata.namespace"));
  Value item = Value::map();
  item.set(arena, "path", Value::string("namespace"));
  item.set(arena, "fieldRef", ref);
  Value downward = Value::map();
  downward.child(arena, "items").push(arena, item);

  Value projected = Value::map();
  Value& sources = projected.child(arena, "sources");
  sources.push(arena, oneItem(arena, "serviceAccountToken", token));
  sources.push(arena, oneItem(arena, "configMap", ca));
  sources.push(arena, oneItem(arena, "downwardAPI", downward));
  projected.set(arena, "defaultMode", Value::integer(kReadOnlyMode));
  Value volume = Value::map();
  volume.set(arena, "name", Value::text(arena, name));
  volume.set(arena, "projected", projected);
  return volume;
}

class ServiceAccount final : public AdmissionPlugin {
 public:
  explicit ServiceAccount(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "ServiceAccount"; }

  Status mutate(AdmissionRequest& request) override {
    if (!createsPod(request)) return okStatus();
    Value& pod = *request.object;
    Arena& arena = *request.arena;
    // The kubelet's picture of a static pod: nothing can be added to what already runs.
    if (pod["metadata"]["annotations"].has(kMirrorAnnotation)) return checkMirror(request);
    Value& spec = pod.child(arena, "spec");
    if (spec["serviceAccountName"].asString().empty()) spec.set(arena, "serviceAccountName", Value::string("default"));
    Value accountName = spec["serviceAccountName"];
    spec.set(arena, "serviceAccount", accountName);
    auto account = cluster_.get("", "serviceaccounts", request.ns, accountName.asString());
    if (account == nullptr) {
      return refused(request, concat("error looking up service account ", request.ns, "/", accountName.asString(),
                                     ": serviceaccount ", quoted(accountName.asString()), " not found"));
    }
    if (shouldMount(spec, account->root)) mountToken(spec, arena);
    if (spec["imagePullSecrets"].empty() && !account->root["imagePullSecrets"].empty()) {
      spec.set(arena, "imagePullSecrets", account->root["imagePullSecrets"].clone(arena));
    }
    return okStatus();
  }

 private:
  static Status checkMirror(const AdmissionRequest& request) {
    const Value& spec = (*request.object)["spec"];
    if (!spec["serviceAccountName"].asString().empty()) {
      return refused(request, "a mirror pod may not reference service accounts");
    }
    for (const Value& volume : spec["volumes"].items()) {
      if (volume.has("secret")) return refused(request, "a mirror pod may not reference secrets");
    }
    return okStatus();
  }

  static bool shouldMount(const Value& spec, const Value& account) {
    if (spec["automountServiceAccountToken"].isBool()) return spec["automountServiceAccountToken"].asBool();
    const Value& own = account["automountServiceAccountToken"];
    return !own.isBool() || own.asBool();
  }

  static std::string newVolumeName(const Value& spec) {
    while (true) {
      std::string name = concat(kVolumePrefix, randomSuffix());
      auto volumes = spec["volumes"].items();
      bool taken = std::ranges::any_of(volumes, [&](const Value& v) { return v["name"].asString() == name; });
      if (!taken) return name;
    }
  }

  // Containers that mount something at that place have their own way.
  static void mountToken(Value& spec, Arena& arena) {
    std::string name = newVolumeName(spec);
    bool used = false;
    for (std::string_view list : {"initContainers", "containers"}) {
      Value* containers = spec.find(list);
      if (containers == nullptr) continue;
      for (Value& container : containers->items()) {
        auto mounts = container["volumeMounts"].items();
        bool own = std::ranges::any_of(mounts, [](const Value& m) { return m["mountPath"].asString() == kTokenPath; });
        if (own) continue;
        Value mount = Value::map();
        mount.set(arena, "name", Value::text(arena, name));
        mount.set(arena, "readOnly", Value::boolean(true));
        mount.set(arena, "mountPath", Value::string(kTokenPath));
        container.child(arena, "volumeMounts").push(arena, mount);
        used = true;
      }
    }
    if (used) spec.child(arena, "volumes").push(arena, tokenVolume(arena, name));
  }

  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr serviceAccount(const ClusterReader& cluster) { return std::make_unique<ServiceAccount>(cluster); }

}  // namespace skiff::apiserver::admission
