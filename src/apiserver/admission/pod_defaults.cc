// Small plug-ins that fill in what pods and nodes leave open.
#include <algorithm>

#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Arena;
using codec::Value;

class TaintNodesByCondition final : public AdmissionPlugin {
 public:
  std::string_view name() const override { return "TaintNodesByCondition"; }
  // A node is not ready until it has said so: nothing is scheduled in between.
  Status mutate(AdmissionRequest& request) override {
    if (request.operation != Operation::Create || !isAbout(request, "", "nodes")) return okStatus();
    constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
    Arena& arena = *request.arena;
    Value& taints = request.object->child(arena, "spec").child(arena, "taints");
    for (const Value& taint : taints.items()) {
      if (taint["key"].asString() == kNotReady && taint["effect"].asString() == "NoSchedule") return okStatus();
    }
    Value taint = Value::map();
    taint.set(arena, "key", Value::string(kNotReady));
    taint.set(arena, "effect", Value::string("NoSchedule"));
    taints.push(arena, taint);
    return okStatus();
  }
};

class DefaultTolerationSeconds final : public AdmissionPlugin {
 public:
  std::string_view name() const override { return "DefaultTolerationSeconds"; }
  // A pod stays for five minutes on a node that is lost, unless it says otherwise.
  Status mutate(AdmissionRequest& request) override {
    bool write = request.operation == Operation::Create || request.operation == Operation::Update;
    if (!write || !isAbout(request, "", "pods")) return okStatus();
    Arena& arena = *request.arena;
    Value& tolerations = request.object->child(arena, "spec").child(arena, "tolerations");
    for (std::string_view key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
      auto items = tolerations.items();
      if (std::ranges::any_of(items, [&](const Value& item) { return tolerates(item, key); })) continue;
      Value toleration = Value::map();
      toleration.set(arena, "key", Value::string(key));
      toleration.set(arena, "operator", Value::string("Exists"));
      toleration.set(arena, "effect", Value::string("NoExecute"));
      toleration.set(arena, "tolerationSeconds", Value::integer(kSeconds));
      tolerations.push(arena, toleration);
    }
    return okStatus();
  }

 private:
  static constexpr int64_t kSeconds = 300;
  static bool tolerates(const Value& item, std::string_view key) {
    std::string_view own = item["key"].asString(), effect = item["effect"].asString();
    return (own.empty() || own == key) && (effect.empty() || effect == "NoExecute");
  }
};

class RuntimeClass final : public AdmissionPlugin {
 public:
  explicit RuntimeClass(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "RuntimeClass"; }

  Status mutate(AdmissionRequest& request) override {
    if (!createsPod(request)) return okStatus();
    Arena& arena = *request.arena;
    Value& spec = request.object->child(arena, "spec");
    std::string_view name = spec["runtimeClassName"].asString();
    if (name.empty()) return okStatus();
    auto found = cluster_.get("node.k8s.io", "runtimeclasses", "", name);
    if (found == nullptr) return refused(request, concat("pod rejected: RuntimeClass ", quoted(name), " not found"));
    if (const Value& fixed = found->root["overhead"]["podFixed"]; !fixed.isNull()) {
      if (!spec["overhead"].isNull() && !sameValue(spec["overhead"], fixed)) {
        return refused(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      }
      spec.set(arena, "overhead", fixed.clone(arena));
    }
    const Value& scheduling = found->root["scheduling"];
    for (const codec::Member& member : scheduling["nodeSelector"].members()) {
      const Value* own = spec["nodeSelector"].find(member.key);
      if (own != nullptr && *own != member.value) {
        return refused(request, concat("pod rejected: conflict: runtimeClass.scheduling.nodeSelector[", member.key, "] = ",
                                       member.value.asString(), "; pod.spec.nodeSelector[", member.key, "] = ", own->asString()));
      }
      spec.child(arena, "nodeSelector").set(arena, member.key, member.value.clone(arena));
    }
    for (const Value& toleration : scheduling["tolerations"].items()) {
      auto items = spec["tolerations"].items();
      if (std::ranges::find(items, toleration) != items.end()) continue;
      spec.child(arena, "tolerations").push(arena, toleration.clone(arena));
    }
    return okStatus();
  }

  Status validate(const AdmissionRequest& request) override {
    if (!createsPod(request)) return okStatus();
    const Value& spec = (*request.object)["spec"];
    if (spec["runtimeClassName"].asString().empty() && !spec["overhead"].empty()) {
      return refused(request, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    }
    return okStatus();
  }

 private:
  const ClusterReader& cluster_;
};

class PodTopologyLabels final : public AdmissionPlugin {
 public:
  explicit PodTopologyLabels(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "PodTopologyLabels"; }
  // A binding carries the node's place: the registry copies its labels to the pod.
  Status mutate(AdmissionRequest& request) override {
    bool binding = request.operation == Operation::Create && request.resource->plural == "pods" &&
                   request.subresource == "binding";
    if (!binding || request.object == nullptr) return okStatus();
    auto node = cluster_.get("", "nodes", "", (*request.object)["target"]["name"].asString());
    if (node == nullptr) return okStatus();
    Arena& arena = *request.arena;
    for (std::string_view key : {"topology.kubernetes.io/zone", "topology.kubernetes.io/region"}) {
      const Value* value = node->root["metadata"]["labels"].find(key);
      if (value == nullptr) continue;
      request.object->child(arena, "metadata").child(arena, "labels").set(arena, key, value->clone(arena));
    }
    return okStatus();
  }

 private:
  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr taintNodesByCondition() { return std::make_unique<TaintNodesByCondition>(); }
PluginPtr defaultTolerationSeconds() { return std::make_unique<DefaultTolerationSeconds>(); }
PluginPtr runtimeClass(const ClusterReader& cluster) { return std::make_unique<RuntimeClass>(cluster); }
PluginPtr podTopologyLabels(const ClusterReader& cluster) { return std::make_unique<PodTopologyLabels>(cluster); }

}  // namespace skiff::apiserver::admission
