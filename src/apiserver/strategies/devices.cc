// Dynamic resource allocation: claims, taints of devices. https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
#include <set>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

void stampTaint(Value& taint, Arena& arena, const Clock& clock) {
  if (taint["timeAdded"].isNull()) taint.set(arena, "timeAdded", Value::text(arena, formatRfc3339(clock.now())));
}

// As upstream's own struct is printed: the name stands before the rest.
std::string requestText(const Value& request) {
  std::string out = "{";
  auto add = [&](std::string_view name, const Value& value) {
    if (value.isNull()) return;
    if (out.size() > 1) out += ',';
    out += concat(quoted(name), ":", shown(value));
  };
  add("name", request["name"]);
  for (const codec::Member& member : request.members()) {
    if (member.key != "name") add(member.key, member.value);
  }
  return out + "}";
}

void validateClaimSpec(const Field& spec, FieldErrors& errors) {
  std::set<std::string_view> names;
  each(spec["devices"]["requests"], [&](const Field& request) {
    Field exactly = request["exactly"], first = request["firstAvailable"];
    if (exactly.has() == (first.size() > 0)) {
      errors.required(request.path, "exactly one of `exactly` or `firstAvailable` is required");
    }
    if (exactly.has() && exactly["deviceClassName"].text().empty()) {
      errors.required(exactly["deviceClassName"].path, "");
    }
    each(first, [&](const Field& option) {
      if (option["deviceClassName"].text().empty()) errors.required(option["deviceClassName"].path, "");
    });
    if (!names.insert(request["name"].text()).second) errors.duplicate(request.path, requestText(*request.value));
  });
}

class ClaimStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    validateClaimSpec(rootField(context.object())["spec"], errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) checkDeclaredImmutable(errors, rootField(context.object())["spec"], context.old()["spec"]);
  }
};

class ClaimTemplateStrategy final : public PlainStrategy {
 public:
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    validateClaimSpec(rootField(context.object())["spec"]["spec"], errors);
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    checkImmutable(errors, rootField(context.object())["spec"], context.old()["spec"],
                   api::findType("resource/v1", "ResourceClaimTemplateSpec"));
  }
};

class TaintRuleStrategy final : public StatusStrategy {
 public:
  explicit TaintRuleStrategy(const Clock& clock) : clock_(clock) {}
  void applyDefaults(Value& object, Arena& arena) override {
    if (Value* spec = object.find("spec"); spec != nullptr && spec->has("taint")) {
      stampTaint(*spec->find("taint"), arena, clock_);
    }
  }

 private:
  const Clock& clock_;
};

class SliceStrategy final : public Strategy {
 public:
  explicit SliceStrategy(const Clock& clock) : clock_(clock) {}
  bool hasStatus() const override { return false; }
  void prepareCreate(StrategyContext& context) override { stampAll(context); }
  void prepareUpdate(StrategyContext& context) override { stampAll(context); }

 private:
  void stampAll(StrategyContext& context) {
    Value* spec = context.object().find("spec");
    Value* devices = spec != nullptr ? spec->find("devices") : nullptr;
    if (devices == nullptr) return;
    for (Value& device : devices->items()) {
      Value* taints = device.find("taints");
      if (taints == nullptr) continue;
      for (Value& taint : taints->items()) stampTaint(taint, context.arena(), clock_);
    }
  }

  const Clock& clock_;
};

}  // namespace

void addDeviceStrategies(const AddStrategy& add, const Clock& clock) {
  add("resource.k8s.io/resourceclaims", std::make_unique<ClaimStrategy>());
  add("resource.k8s.io/resourceclaimtemplates", std::make_unique<ClaimTemplateStrategy>());
  add("resource.k8s.io/devicetaintrules", std::make_unique<TaintRuleStrategy>(clock));
  add("resource.k8s.io/resourceslices", std::make_unique<SliceStrategy>(clock));
}

}  // namespace skiff::apiserver
