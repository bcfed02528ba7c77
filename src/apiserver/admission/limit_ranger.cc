// Default requests and limits of a namespace, and their bounds.
// https://kubernetes.io/docs/concepts/policy/limit-range/
#include <algorithm>
#include <cstdio>
#include <map>

#include "apiserver/admission/plugins.h"
#include "apiserver/strategies/checks.h"

namespace skiff::apiserver::admission {

namespace {

using api::Quantity;
using codec::Arena;
using codec::Value;
using Amounts = std::map<std::string, Quantity>;

constexpr std::string_view kAnnotation = "kubernetes.io/limit-ranger";

Amounts amountsOf(const Value& value) {
  Amounts out;
  for (const codec::Member& member : value.members()) out[std::string(member.key)] = quantityOf(member.value);
  return out;
}

const Quantity* find(const Amounts& amounts, const std::string& name) {
  auto found = amounts.find(name);
  return found == amounts.end() ? nullptr : &found->second;
}

// The bounds of one limit against what is asked for.
void checkLimit(const Value& limit, const Amounts& requests, const Amounts& limits, std::vector<std::string>& faults) {
  std::string type = limit["type"].str();
  for (const auto& [name, least] : amountsOf(limit["min"])) {
    const Quantity *request = find(requests, name), *most = find(limits, name);
    std::string head = concat("minimum ", name, " usage per ", type, " is ", least.str());
    if (request == nullptr && most == nullptr) {
      faults.push_back(head + ".  No request is specified");
    } else if (request != nullptr && *request < least) {
      faults.push_back(concat(head, ", but request is ", request->str()));
    } else if (most != nullptr && *most < least) {
      faults.push_back(concat(head, ", but limit is ", most->str()));
    }
  }
  for (const auto& [name, most] : amountsOf(limit["max"])) {
    const Quantity *request = find(requests, name), *asked = find(limits, name);
    std::string head = concat("maximum ", name, " usage per ", type, " is ", most.str());
    if (asked == nullptr && type != "PersistentVolumeClaim") {
      faults.push_back(head + ".  No limit is specified");
    } else if (asked != nullptr && *asked > most) {
      faults.push_back(concat(head, ", but limit is ", asked->str()));
    } else if (request != nullptr && *request > most) {
      faults.push_back(concat(head, ", but request is ", request->str()));
    }
  }
  for (const auto& [name, ratio] : amountsOf(limit["maxLimitRequestRatio"])) {
    const Quantity *request = find(requests, name), *asked = find(limits, name);
    std::string head = concat(name, " max limit to request ratio per ", type, " is ", ratio.str());
    if (request == nullptr || request->isZero()) {
      faults.push_back(head + ", but no request is specified or request is 0");
    } else if (asked == nullptr || asked->isZero()) {
      faults.push_back(head + ", but no limit is specified or limit is 0");
    } else {
      double actual = double(asked->milliValue()) / double(request->milliValue());
      if (actual <= double(ratio.milliValue()) / 1000) continue;
      char text[64];
      std::snprintf(text, sizeof text, "%f", actual);
      faults.push_back(concat(head, ", but provided ratio is ", text));
    }
  }
}

// Containers run side by side, init containers one after the other before them.
Amounts podTotal(const Value& spec, std::string_view part) {
  Amounts total;
  for (const Value& container : spec["containers"].items()) {
    for (const auto& [name, amount] : amountsOf(container["resources"][part])) {
      auto [place, fresh] = total.try_emplace(name, amount);
      if (!fresh) place->second += amount;
    }
  }
  for (const Value& container : spec["initContainers"].items()) {
    for (const auto& [name, amount] : amountsOf(container["resources"][part])) {
      auto [place, fresh] = total.try_emplace(name, amount);
      if (!fresh && place->second < amount) place->second = amount;
    }
  }
  return total;
}

class LimitRanger final : public AdmissionPlugin {
 public:
  explicit LimitRanger(const ClusterReader& cluster) : cluster_(cluster) {}
  std::string_view name() const override { return "LimitRanger"; }

  Status mutate(AdmissionRequest& request) override {
    if (!createsPod(request)) return okStatus();
    std::vector<std::string> told;
    for (const auto& range : cluster_.list("", "limitranges", request.ns)) {
      for (const Value& limit : range->root["spec"]["limits"].items()) {
        if (limit["type"].asString() == "Container") setDefaults(request, limit, told);
      }
    }
    if (told.empty()) return okStatus();
    Value& annotations = request.object->child(*request.arena, "metadata").child(*request.arena, "annotations");
    annotations.set(*request.arena, kAnnotation,
                    Value::text(*request.arena, concat("LimitRanger plugin set: ", join(told, "; "))));
    return okStatus();
  }

  Status validate(const AdmissionRequest& request) override {
    bool claim = isAbout(request, "", "persistentvolumeclaims") &&
                 (request.operation == Operation::Create || request.operation == Operation::Update);
    if (!createsPod(request) && !claim) return okStatus();
    std::vector<std::string> faults;
    for (const auto& range : cluster_.list("", "limitranges", request.ns)) {
      for (const Value& limit : range->root["spec"]["limits"].items()) check(*request.object, limit, claim, faults);
    }
    if (faults.empty()) return okStatus();
    return refused(request, faults.size() == 1 ? faults[0] : concat("[", join(faults, ", "), "]"));
  }

 private:
  static void check(const Value& object, const Value& limit, bool claim, std::vector<std::string>& faults) {
    std::string_view type = limit["type"].asString();
    const Value& spec = object["spec"];
    if (claim) {
      if (type == "PersistentVolumeClaim") checkLimit(limit, amountsOf(spec["resources"]["requests"]), {}, faults);
    } else if (type == "Container") {
      for (std::string_view list : {"containers", "initContainers"}) {
        for (const Value& container : spec[list].items()) {
          const Value& resources = container["resources"];
          checkLimit(limit, amountsOf(resources["requests"]), amountsOf(resources["limits"]), faults);
        }
      }
    } else if (type == "Pod") {
      checkLimit(limit, podTotal(spec, "requests"), podTotal(spec, "limits"), faults);
    }
  }

  static void setDefaults(const AdmissionRequest& request, const Value& limit, std::vector<std::string>& told) {
    Value& spec = request.object->child(*request.arena, "spec");
    for (std::string_view list : {"containers", "initContainers"}) {
      Value* containers = spec.find(list);
      if (containers == nullptr) continue;
      std::string_view what = list == "containers" ? "container" : "init container";
      for (Value& container : containers->items()) {
        std::string of = concat(" for ", what, " ", container["name"].asString());
        Value& resources = container.child(*request.arena, "resources");
        std::string requests = fill(resources, "requests", limit["defaultRequest"], *request.arena);
        std::string limits = fill(resources, "limits", limit["default"], *request.arena);
        if (!requests.empty()) told.push_back(concat(requests, " request", of));
        if (!limits.empty()) told.push_back(concat(limits, " limit", of));
      }
    }
  }

  // What was missing and has been set: "cpu, memory".
  static std::string fill(Value& resources, std::string_view part, const Value& defaults, Arena& arena) {
    std::vector<std::string> names;
    for (const codec::Member& member : defaults.members()) {
      if (resources[part].has(member.key)) continue;
      resources.child(arena, part).set(arena, member.key, member.value.clone(arena));
      names.emplace_back(member.key);
    }
    std::ranges::sort(names);
    return join(names, ", ");
  }

  const ClusterReader& cluster_;
};

}  // namespace

PluginPtr limitRanger(const ClusterReader& cluster) { return std::make_unique<LimitRanger>(cluster); }

}  // namespace skiff::apiserver::admission
