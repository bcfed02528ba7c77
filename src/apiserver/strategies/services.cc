// Services: validation, families, and the addresses and ports they hold.
#include <set>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/service_allocator.h"
#include "apiserver/strategies/service_families.h"
#include "apiserver/strategies/strategies.h"
#include "apiserver/strategies/warnings.h"

namespace skiff::apiserver {

namespace {

using codec::Arena;
using codec::Value;

bool needsNodePorts(const Value& spec) {
  std::string_view type = spec["type"].asString();
  if (type == "NodePort") return true;
  const Value& wanted = spec["allocateLoadBalancerNodePorts"];
  return type == "LoadBalancer" && (wanted.isNull() || wanted.asBool());
}
bool hasExternalTraffic(const Value& spec) {
  std::string_view type = spec["type"].asString();
  return type == "NodePort" || type == "LoadBalancer" || (type == "ClusterIP" && !spec["externalIPs"].empty());
}
bool needsHealthPort(const Value& spec) {
  return spec["type"].asString() == "LoadBalancer" && spec["externalTrafficPolicy"].asString() == "Local";
}

void validatePort(const Field& port, bool nameRequired, std::set<std::string_view>& names, FieldErrors& errors) {
  Field name = port["name"];
  if (name.text().empty()) {
    if (nameRequired) errors.required(name.path, "");
  } else {
    addFaults(errors, name, formats::dnsLabel(name.text()));
    if (!names.insert(name.text()).second) errors.duplicate(name.path, quoted(name.text()));
  }
  for (const std::string& fault : formats::portNumber(port["port"].number())) {
    errors.invalid(port["port"].path, std::to_string(port["port"].number()), fault);
  }
  if (port["protocol"].text().empty()) {
    errors.required(port["protocol"].path, "");
  } else {
    checkEnum(errors, port["protocol"], {"SCTP", "TCP", "UDP"});
  }
  if (port["targetPort"].has()) checkPortOrName(errors, port["targetPort"]);
}

void validatePorts(const Field& spec, FieldErrors& errors) {
  Field ports = spec["ports"];
  std::set<std::string_view> names;
  each(ports, [&](const Field& port) { validatePort(port, ports.size() > 1, names, errors); });
}

// Two ports cannot be told apart by number and protocol; node ports need a type that has them.
void validatePortUse(const Field& spec, FieldErrors& errors) {
  std::string_view type = spec["type"].text();
  std::set<std::string> numbers, nodePorts;
  each(spec["ports"], [&](const Field& port) {
    std::string protocol = port["protocol"].value->str();
    if (type == "ClusterIP" && port["nodePort"].number() != 0) {
      errors.forbidden(port["nodePort"].path, "may not be used when `type` is 'ClusterIP'");
    }
    if (!numbers.insert(concat(protocol, "/", port["port"].number())).second) {
      errors.duplicate(port.path, concat("{\"protocol\":", quoted(protocol), ",\"port\":",
                                         port["port"].number(), "}"));
    }
    int64_t number = port["nodePort"].number();
    if (number != 0 && !nodePorts.insert(concat(protocol, "/", number)).second) {
      errors.duplicate(port["nodePort"].path, std::to_string(number));
    }
  });
}

void validateSession(const Field& spec, FieldErrors& errors) {
  constexpr int64_t kMaxTimeout = 86400;
  Field affinity = spec["sessionAffinity"];
  if (affinity.text().empty()) {
    errors.required(affinity.path, "");
  } else {
    checkEnum(errors, affinity, {"ClientIP", "None"});
  }
  Field timeout = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
  if (affinity.text() == "ClientIP" && timeout.has() &&
      (timeout.number() <= 0 || timeout.number() > kMaxTimeout)) {
    errors.invalid(timeout.path, shown(*timeout.value), concat("must be greater than 0 and less than ", kMaxTimeout));
  }
  if (affinity.text() == "None" && spec["sessionAffinityConfig"].size() > 0) {
    errors.forbidden(spec["sessionAffinityConfig"].path,
                     "must not be set when session affinity is None");
  }
}

void validateTypeFields(const Field& spec, FieldErrors& errors) {
  std::string_view type = spec["type"].text();
  if (!isExternalName(*spec.value)) {
    if (spec["ports"].size() == 0 && !isHeadless(*spec.value)) errors.required(spec["ports"].path, "");
    if (type == "LoadBalancer" && isHeadless(*spec.value)) {
      errors.invalid(spec["clusterIPs"].at(0).path, "\"None\"",
                     "may not be set to 'None' for LoadBalancer services");
    }
    if (type == "NodePort" && isHeadless(*spec.value)) {
      errors.invalid(spec["clusterIPs"].at(0).path, "\"None\"", "may not be set to 'None' for NodePort services");
    }
    return;
  }
  if (spec["externalName"].text().empty()) {
    errors.required(spec["externalName"].path, "");
  } else {
    std::string_view name = spec["externalName"].text();
    if (name.ends_with('.')) name.remove_suffix(1);
    addFaults(errors, spec["externalName"], formats::dnsSubdomain(name));
  }
}

void validateTraffic(const Field& spec, FieldErrors& errors) {
  Field outside = spec["externalTrafficPolicy"], inside = spec["internalTrafficPolicy"];
  if (!outside.text().empty()) checkEnum(errors, outside, {"Cluster", "Local"});
  if (!inside.text().empty()) checkEnum(errors, inside, {"Cluster", "Local"});
  each(spec["externalIPs"], [&](const Field& ip) {
    addFaults(errors, ip, formats::ipAddress(ip.text()));
  });
  each(spec["loadBalancerSourceRanges"], [&](const Field& range) {
    addFaults(errors, range, formats::cidr(trim(range.text())));
  });
}

void validateSpec(const Field& spec, FieldErrors& errors) {
  checkFamilyFields(spec, errors);
  validateTypeFields(spec, errors);
  validatePorts(spec, errors);
  validateLabels(spec["selector"], errors);
  validateSession(spec, errors);
  if (spec["type"].text().empty()) {
    errors.required(spec["type"].path, "");
  } else {
    checkEnum(errors, spec["type"], {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"});
  }
  validatePortUse(spec, errors);
  validateTraffic(spec, errors);
}

class ServiceStrategy final : public StatusStrategy {
 public:
  explicit ServiceStrategy(std::unique_ptr<ServiceAllocator> allocator) : allocator_(std::move(allocator)) {}

  bool hasGeneration() const override { return false; }

  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    status.set(context.arena(), "loadBalancer", Value::map());
    context.object().set(context.arena(), "status", status);
    matchClusterIps(context.object().child(context.arena(), "spec"), nullptr, context.arena());
  }

  // A service that has become external still has its owner of the inner traffic policy, for the day it is inner again.
  Value asOwned(const Value& live, Arena& arena) const override {
    const Value& spec = live["spec"];
    if (!isExternalName(spec) || spec.has("internalTrafficPolicy")) return live;
    Value owned = live.clone(arena);
    owned.child(arena, "spec").set(arena, "internalTrafficPolicy", Value::string("Cluster"));
    return owned;
  }

  // A client that leaves out what the server gave out means to keep it.
  void prepareUpdate(StrategyContext& context) override {
    if (!isWhole(context)) return;
    Arena& arena = context.arena();
    Value& spec = context.object().child(arena, "spec");
    const Value& old = context.old()["spec"];
    matchClusterIps(spec, &old, arena);
    dropForeignFields(spec, old);
    if (isExternalName(spec)) return;
    if (!isExternalName(old)) {
      for (std::string_view name : {"clusterIP", "clusterIPs", "ipFamilyPolicy"}) {
        if (sameValue(spec[name], Value())) keep(spec, old, name, arena);
      }
      // Other addresses say their families themselves.
      bool samePrimary = spec["clusterIPs"].at(0) == old["clusterIPs"].at(0);
      if (samePrimary && sameValue(spec["ipFamilies"], Value())) keep(spec, old, "ipFamilies", arena);
    }
    if (needsNodePorts(spec) && needsNodePorts(old)) keepNodePorts(spec, old, arena);
    if (!needsNodePorts(spec)) dropNodePorts(spec, old);
    if (needsHealthPort(spec) && spec["healthCheckNodePort"].asInt() == 0) {
      keep(spec, old, "healthCheckNodePort", arena);
    } else if (!needsHealthPort(spec) && needsHealthPort(old)) {
      spec.erase("healthCheckNodePort");
    }
  }

  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validateSpec(spec, errors);
    warnOf(spec, context.request.warnings);
  }

  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (!isWhole(context)) return;
    Field spec = rootField(context.object())["spec"];
    validateSpec(spec, errors);
    warnOf(spec, context.request.warnings);
  }

  bool allocates() const override { return true; }
  Status allocate(StrategyContext& context) override {
    if (!isWhole(context)) return okStatus();
    Value& service = context.object();
    Value& spec = service.child(context.arena(), "spec");
    const Value& metadata = std::as_const(service)["metadata"];
    ServiceOwner owner{metadata["uid"].str(), metadata["namespace"].str(), metadata["name"].str(), context.request.dryRun};
    // What an earlier attempt took, or the stored service no longer needs, is free again.
    if (context.request.oldObject != nullptr) allocator_->keepOnly(*context.request.oldObject);
    const Value* old = context.request.oldObject ? &(*context.request.oldObject)["spec"] : nullptr;
    if (old && isExternalName(*old)) old = nullptr;
    FieldErrors errors;
    completeFamilies(spec, old, allocator_->families(), context.arena(), errors);
    // It can never come to have addresses: none are taken to say so.
    bool wasHeadless = old && isHeadless(*old);
    if (errors.empty() && wasHeadless) checkFamilyChanges(rootField(service)["spec"], *old, errors);
    if (errors.empty()) allocateAddresses(spec, owner, context.arena(), errors);
    if (errors.empty()) allocatePorts(spec, owner, context.arena(), errors);
    if (errors.empty() && old && !wasHeadless) checkFamilyChanges(rootField(service)["spec"], *old, errors);
    if (errors.empty()) return okStatus();
    // Back to what the stored service holds.
    if (context.request.oldObject != nullptr) {
      allocator_->keepOnly(*context.request.oldObject);
    } else {
      allocator_->release(service);
    }
    return errors.error("", "Service", service["metadata"]["name"].asString());
  }

  void release(const Value& service) override {
    allocator_->release(service);
  }

  void replaced(const Value& before, const Value& now) override { allocator_->releaseDropped(before, now); }

 private:
  static void warnOf(const Field& spec, Warnings* out) {
    if (!isExternalName(*spec.value) && !spec["externalName"].text().empty()) {
      warn(out, "spec.externalName is ignored when spec.type is not \"ExternalName\"");
    }
    if (spec["externalIPs"].size() > 0) {
      warn(out, "spec.externalIPs is deprecated and may no longer be implemented in some clusters");
    }
  }

  static void keep(Value& spec, const Value& old, std::string_view name, Arena& arena) {
    if (const Value* value = old.find(name)) spec.set(arena, name, value->clone(arena));
  }

  // clusterIP is the older name of clusterIPs[0]: a client may know only one of them.
  static void matchClusterIps(Value& spec, const Value* old, Arena& arena) {
    std::string_view single = spec["clusterIP"].asString();
    const Value& list = spec["clusterIPs"];
    if (old != nullptr && !list.empty()) {
      // An old client that changes or clears clusterIP knows nothing of the list.
      bool singleChanged = single != (*old)["clusterIP"].asString();
      bool listSame = sameValue(list, (*old)["clusterIPs"]);
      if (singleChanged && listSame) {
        if (single.empty()) {
          spec.erase("clusterIPs");
        } else {
          setTexts(spec, "clusterIPs", {std::string(single)}, arena);
        }
      }
      return;
    }
    if (!single.empty() && list.empty()) setTexts(spec, "clusterIPs", {std::string(single)}, arena);
  }

  // The type has changed: what only the old one had goes away, unless the client has just set it.
  static void dropForeignFields(Value& spec, const Value& old) {
    auto drop = [&](std::initializer_list<std::string_view> names) {
      for (std::string_view name : names) {
        if (sameValue(spec[name], old[name])) spec.erase(name);
      }
    };
    if (isExternalName(spec)) {
      drop({"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"});
      dropNodePorts(spec, old);
    }
    if (hasExternalTraffic(old) && !hasExternalTraffic(spec)) drop({"externalTrafficPolicy"});
    bool balanced = spec["type"].asString() == "LoadBalancer";
    if (old["type"].asString() == "LoadBalancer" && !balanced) {
      drop({"allocateLoadBalancerNodePorts", "loadBalancerClass"});
    }
  }

  static void keepNodePorts(Value& spec, const Value& old, Arena& arena) {
    Value* ports = spec.find("ports");
    if (ports == nullptr) return;
    for (Value& port : ports->items()) {
      if (port["nodePort"].asInt() != 0) continue;
      for (const Value& before : old["ports"].items()) {
        if (before["port"] != port["port"] || before["protocol"] != port["protocol"]) continue;
        bool used = false;
        for (const Value& other : ports->items()) {
          used |= other["nodePort"].asInt() == before["nodePort"].asInt() && other["protocol"] == port["protocol"];
        }
        if (!used && before["nodePort"].asInt() != 0) port.set(arena, "nodePort", before["nodePort"]);
      }
    }
  }

  // The type has changed: ports that were given out before go away, ones that were asked for now are an error.
  static void dropNodePorts(Value& spec, const Value& old) {
    if (!needsNodePorts(old)) return;
    Value* ports = spec.find("ports");
    if (ports == nullptr) return;
    for (Value& port : ports->items()) {
      for (const Value& before : old["ports"].items()) {
        if (before["nodePort"] == port["nodePort"]) {
          port.erase("nodePort");
          break;
        }
      }
    }
  }

  void allocateAddresses(Value& spec, const ServiceOwner& owner, Arena& arena, FieldErrors& errors) {
    if (isExternalName(spec)) return;
    if (isHeadless(spec)) {
      spec.set(arena, "clusterIP", Value::string("None"));
      setTexts(spec, "clusterIPs", {"None"}, arena);
      return;
    }
    std::vector<std::string> addresses;
    const Value& families = std::as_const(spec)["ipFamilies"];
    for (size_t i = 0; i < families.size(); ++i) addresses.push_back(std::as_const(spec)["clusterIPs"].at(i).str());
    for (size_t i = 0; i < families.size(); ++i) {
      auto taken = allocator_->takeAddress(owner, addresses[i], families.at(i).asString());
      if (!taken.ok()) {
        setTexts(spec, "clusterIPs", addresses, arena);
        errors.invalid("spec.clusterIPs", shown(spec["clusterIPs"]),
                       concat("failed to allocate IP ", addresses[i], ": ", taken.error().message()));
        return;
      }
      addresses[i] = *taken;
    }
    spec.set(arena, "clusterIP", Value::text(arena, addresses[0]));
    setTexts(spec, "clusterIPs", addresses, arena);
  }

  void allocatePorts(Value& spec, const ServiceOwner& owner, Arena& arena, FieldErrors& errors) {
    Value* ports = spec.find("ports");
    if (needsNodePorts(spec) && ports != nullptr) {
      for (size_t i = 0; i < ports->size(); ++i) {
        Value& port = ports->items()[i];
        int wanted = int(port["nodePort"].asInt());
        if (wanted == 0) wanted = sharedPort(*ports, i);
        auto taken = allocator_->takePort(owner, wanted, port["protocol"].asString());
        if (taken.ok()) {
          port.set(arena, "nodePort", Value::integer(*taken));
        } else {
          errors.invalid(concat("spec.ports[", i, "].nodePort"), std::to_string(wanted), taken.error().message());
        }
      }
    }
    if (!needsHealthPort(spec)) return;
    int wanted = int(spec["healthCheckNodePort"].asInt());
    auto taken = allocator_->takePort(owner, wanted, "health");
    if (taken.ok()) {
      spec.set(arena, "healthCheckNodePort", Value::integer(*taken));
    } else {
      errors.invalid("spec.healthCheckNodePort", std::to_string(wanted), taken.error().message());
    }
  }

  // The same port under another protocol (DNS on TCP and UDP) gets the same node port.
  static int sharedPort(const Value& ports, size_t index) {
    const Value& port = ports.at(index);
    for (size_t i = 0; i < ports.size(); ++i) {
      const Value& other = ports.at(i);
      if (i != index && other["port"] == port["port"] && other["protocol"] != port["protocol"] &&
          other["nodePort"].asInt() != 0) {
        return int(other["nodePort"].asInt());
      }
    }
    return 0;
  }

  std::unique_ptr<ServiceAllocator> allocator_;
};

}  // namespace

void addServiceStrategies(const AddStrategy& add, const SecurityOptions& options, ClusterReader& cluster) {
  auto ranges = parseServiceRanges(options.serviceCidr);
  MUST(ranges.ok());  // checked by the command line
  add("/services", std::make_unique<ServiceStrategy>(std::make_unique<ServiceAllocator>(
                       std::move(ranges).value(), options.nodePortFirst, options.nodePortLast, cluster, Rng::real())));
}

}  // namespace skiff::apiserver
