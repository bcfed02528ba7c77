// Nodes, namespaces, leases and events.
#include <algorithm>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

class NamespaceStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }

  void prepareCreate(StrategyContext& context) override {
    Value& object = context.object();
    Arena& arena = context.arena();
    Value status = Value::map();
    status.set(arena, "phase", Value::string("Active"));
    object.set(arena, "status", status);
    // Taken off by the namespace controller when all content is gone.
    Value& finalizers = object.child(arena, "spec").child(arena, "finalizers");
    auto items = finalizers.items();
    if (std::ranges::find(items, Value::string("kubernetes")) == items.end()) {
      finalizers.push(arena, Value::string("kubernetes"));
    }
    setNameLabel(object, arena);
  }

  void prepareUpdate(StrategyContext& context) override {
    Value& object = context.object();
    Arena& arena = context.arena();
    setNameLabel(object, arena);
    if (context.request.subresource == "finalize") {
      if (const Value* status = context.old().find("status")) object.set(arena, "status", status->clone(arena));
      return;
    }
    // Only the finalize subresource touches them.
    if (const Value* spec = context.old().find("spec")) object.set(arena, "spec", spec->clone(arena));
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (context.request.subresource != "finalize") return;
    each(rootField(context.object())["spec"]["finalizers"], [&](const Field& item) {
      addFaults(errors, item, formats::qualifiedName(item.text()));
    });
  }

 private:
  static void setNameLabel(Value& object, Arena& arena) {
    Value& metadata = object.child(arena, "metadata");
    std::string_view name = metadata["name"].asString();
    if (name.empty()) return;
    metadata.child(arena, "labels").set(arena, "kubernetes.io/metadata.name", Value::text(arena, name));
  }
};

class NodeStrategy final : public Strategy {
 public:
  bool hasGeneration() const override { return false; }

  // A node tells its own status when it registers.
  void prepareCreate(StrategyContext& context) override { matchPodCidrs(context); }
  void prepareUpdate(StrategyContext& context) override { matchPodCidrs(context); }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    // Upstream reports taints below metadata.
    Field taints{spec["taints"].value, FieldPath().name("metadata.taints")};
    each(taints, [&](const Field& taint) {
      addFaults(errors, taint["key"], formats::qualifiedName(taint["key"].text()));
      if (!taint["value"].text().empty()) {
        addFaults(errors, taint["value"], formats::labelValue(taint["value"].text()));
      }
      if (taint["effect"].text().empty()) {
        errors.required(taint["effect"].path, "");
      } else {
        checkEnum(errors, taint["effect"], {"NoSchedule", "PreferNoSchedule", "NoExecute"});
      }
    });
    each(spec["podCIDRs"], [&](const Field& range) {
      addFaults(errors, range, formats::cidr(range.text()));
    });
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    validateCreate(context, errors);
    const Value& old = context.old()["spec"];
    Field spec = rootField(context.object())["spec"];
    if (!old["podCIDRs"].empty() && !sameValue(*spec["podCIDRs"].value, old["podCIDRs"])) {
      errors.forbidden(spec["podCIDRs"].path, "node updates may not change podCIDR except from \"\" to valid");
    }
    if (!old["providerID"].asString().empty() && old["providerID"] != *spec["providerID"].value) {
      errors.forbidden(spec["providerID"].path, "node updates may not change providerID except from \"\" to valid");
    }
  }

 private:
  static void matchPodCidrs(StrategyContext& context) {
    Value& object = context.object();
    std::string_view single = object["spec"]["podCIDR"].asString();
    if (single.empty() || !object["spec"]["podCIDRs"].empty()) return;
    object.child(context.arena(), "spec").child(context.arena(), "podCIDRs").push(context.arena(), Value::string(single));
  }
};

class LeaseStrategy final : public PlainStrategy {
 public:
  bool allowCreateOnUpdate() const override { return true; }
  bool allowUnconditionalUpdate() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    checkPositive(errors, spec["leaseDurationSeconds"]);
    checkNonNegative(errors, spec["leaseTransitions"]);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override { validateCreate(context, errors); }
};

class EventStrategy final : public PlainStrategy {
 public:
  bool allowCreateOnUpdate() const override { return true; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field event = rootField(context.object());
    bool newer = event["apiVersion"].text() == "events.k8s.io/v1";
    Field about = event[newer ? "regarding" : "involvedObject"];
    std::string_view ns = event["metadata"]["namespace"].text(), aboutNs = about["namespace"].text();
    // What lives in no namespace is told of in "default".
    bool fits = aboutNs.empty() ? ns == "default" || ns == "kube-system" || newer : aboutNs == ns;
    if (!fits) {
      errors.invalid("involvedObject.namespace", quoted(aboutNs), "does not match event.namespace");
    }
  }
};

}  // namespace

void addClusterStrategies(const AddStrategy& add) {
  add("/namespaces", std::make_unique<NamespaceStrategy>());
  add("/nodes", std::make_unique<NodeStrategy>());
  add("coordination.k8s.io/leases", std::make_unique<LeaseStrategy>());
  add("/events", std::make_unique<EventStrategy>());
  add("events.k8s.io/events", std::make_unique<EventStrategy>());
}

}  // namespace skiff::apiserver
