// The number behind a pod's priority class.
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using codec::Value;

constexpr std::string_view kGroup = "scheduling.k8s.io";

class Priority final : public AdmissionPlugin {
 public:
  explicit Priority(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "Priority"; }

  Status mutate(AdmissionRequest& request) override {
    if (!isAbout(request, "", "pods") || request.object == nullptr) return okStatus();
    Value& spec = request.object->child(*request.arena, "spec");
    if (request.operation == Operation::Update) {
      // Clients that do not know the fields keep what the server set.
      for (std::string_view field : {"priority", "preemptionPolicy"}) {
        const Value* old = (*request.oldObject)["spec"].find(field);
        if (spec[field].isNull() && old != nullptr) spec.set(*request.arena, field, old->clone(*request.arena));
      }
      return okStatus();
    }
    if (request.operation != Operation::Create) return okStatus();
    return setPriority(request, spec);
  }

  Status validate(const AdmissionRequest& request) override {
    if (!isAbout(request, kGroup, "priorityclasses")) return okStatus();
    if (request.operation == Operation::Delete) {
      bool system = request.name.starts_with("system-");
      return system ? Status(refused(request, "this is a system priority class and cannot be deleted")) : okStatus();
    }
    if (!(*request.object)["globalDefault"].asBool()) return okStatus();
    for (const auto& other : cluster_.list(kGroup, "priorityclasses", "")) {
      std::string_view name = other->root["metadata"]["name"].asString();
      if (other->root["globalDefault"].asBool() && name != (*request.object)["metadata"]["name"].asString()) {
        return refused(request, concat("PriorityClass ", name, " is already marked as default. Only one default can exist"));
      }
    }
    return okStatus();
  }

 private:
  Status setPriority(AdmissionRequest& request, Value& spec) {
    int64_t number = 0;
    std::string_view policy = "PreemptLowerPriority";
    std::string_view className = spec["priorityClassName"].asString();
    codec::DocumentPtr found = className.empty() ? defaultClass() : cluster_.get(kGroup, "priorityclasses", "", className);
    if (found == nullptr && !className.empty()) {
      return refused(request, concat("no PriorityClass with name ", className, " was found"));
    }
    if (found != nullptr) {
      number = found->root["value"].asInt();
      if (found->root["preemptionPolicy"].isString()) policy = found->root["preemptionPolicy"].asString();
      if (className.empty()) {
        spec.set(*request.arena, "priorityClassName",
                 Value::text(*request.arena, found->root["metadata"]["name"].asString()));
      }
    }
    if (!spec["priority"].isNull() && spec["priority"].asInt() != number) {
      return refused(request, concat("the integer value of priority (", spec["priority"].asInt(),
                                     ") must not be provided in pod spec; priority admission controller computed ",
                                     number, " from the given PriorityClass name"));
    }
    const Value& asked = spec["preemptionPolicy"];
    if (!asked.isNull() && asked.asString() != policy) {
      return refused(request, concat("the string value of PreemptionPolicy (", asked.asString(),
                                     ") must not be provided in pod spec; priority admission controller computed ",
                                     policy, " from the given PriorityClass name"));
    }
    spec.set(*request.arena, "priority", Value::integer(number));
    spec.set(*request.arena, "preemptionPolicy", Value::text(*request.arena, policy));
    return okStatus();
  }

  // The lowest of several: they can only exist for a moment.
  codec::DocumentPtr defaultClass() const {
    codec::DocumentPtr best;
    for (const auto& item : cluster_.list(kGroup, "priorityclasses", "")) {
      if (!item->root["globalDefault"].asBool()) continue;
      if (best == nullptr || item->root["value"].asInt() < best->root["value"].asInt()) best = item;
    }
    return best;
  }

  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr priority(const ClusterReader& cluster) { return std::make_unique<Priority>(cluster); }

}  // namespace skiff::apiserver::admission
