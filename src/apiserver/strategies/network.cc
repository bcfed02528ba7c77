// Endpoints, endpoint slices, ingresses and network policies.
#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/strategies.h"

namespace skiff::apiserver {

namespace {

using codec::Value;

class EndpointsStrategy final : public PlainStrategy {
 public:
  bool allowCreateOnUpdate() const override { return true; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    each(rootField(context.object())["subsets"], [&](const Field& subset) {
      if (subset["addresses"].size() + subset["notReadyAddresses"].size() == 0) {
        errors.required(subset.path, "must specify `addresses` or `notReadyAddresses`");
      }
      for (std::string_view list : {"addresses", "notReadyAddresses"}) {
        each(subset[list], [&](const Field& address) { checkAddress(address["ip"], errors); });
      }
      Field ports = subset["ports"];
      each(ports, [&](const Field& port) {
        if (port["name"].text().empty()) {
          if (ports.size() > 1) errors.required(port["name"].path, "");
        } else {
          addFaults(errors, port["name"], formats::dnsLabel(port["name"].text()));
        }
        for (const std::string& fault : formats::portNumber(port["port"].number())) {
          errors.invalid(port["port"].path, std::to_string(port["port"].number()), fault);
        }
        checkEnum(errors, port["protocol"], {"SCTP", "TCP", "UDP"});
      });
    });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override { validateCreate(context, errors); }

  // Traffic to these would reach the node itself.
  static void checkAddress(const Field& address, FieldErrors& errors) {
    auto ip = formats::parseIp(address.text());
    if (!ip) {
      addFaults(errors, address, formats::ipAddress(address.text()));
      return;
    }
    auto refuse = [&](std::string_view why) {
      errors.invalid(address.path, quoted(address.text()), std::string(why));
    };
    if (ip->isUnspecified()) refuse(concat("may not be unspecified (", address.text(), ")"));
    if (ip->isLoopback()) refuse("may not be in the loopback range (127.0.0.0/8, ::1/128)");
    if (ip->isLinkLocalUnicast()) refuse("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    if (ip->isLinkLocalMulticast()) refuse("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
  }
};

class EndpointSliceStrategy final : public Strategy {
 public:
  bool hasStatus() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field slice = rootField(context.object()), type = slice["addressType"];
    if (type.text().empty()) {
      errors.required(type.path, "");
    } else {
      checkEnum(errors, type, {"FQDN", "IPv4", "IPv6"});
    }
    if (slice["endpoints"].size() > 1000) errors.tooMany("endpoints", int64_t(slice["endpoints"].size()), 1000);
    each(slice["endpoints"], [&](const Field& endpoint) {
      Field addresses = endpoint["addresses"];
      if (addresses.size() == 0) errors.required(addresses.path, "");
      if (addresses.size() > 100) errors.tooMany(addresses.path, int64_t(addresses.size()), 100);
      each(addresses, [&](const Field& address) {
        if (type.text() == "FQDN") {
          addFaults(errors, address, formats::dnsSubdomain(address.text()));
        } else if (oneOf(type.text(), {"IPv4", "IPv6"})) {
          EndpointsStrategy::checkAddress(address, errors);
        }
      });
    });
    if (slice["ports"].size() > 20000) errors.tooMany("ports", int64_t(slice["ports"].size()), 20000);
    each(slice["ports"], [&](const Field& port) {
      if (!port["name"].text().empty()) addFaults(errors, port["name"], formats::dnsLabel(port["name"].text()));
      checkEnum(errors, port["protocol"], {"SCTP", "TCP", "UDP"});
    });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    validateCreate(context, errors);
    checkImmutable(errors, rootField(context.object())["addressType"], context.old()["addressType"]);
  }
};

class IngressStrategy final : public StatusStrategy {
 public:
  void prepareCreate(StrategyContext& context) override {
    Value status = Value::map();
    status.set(context.arena(), "loadBalancer", Value::map());
    context.object().set(context.arena(), "status", status);
  }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    if (spec["rules"].size() == 0 && !spec["defaultBackend"].has()) {
      errors.invalid(spec.path, spec.size() == 0 ? "null" : shown(*spec.value),
                     "either `defaultBackend` or `rules` must be specified");
    }
    if (spec["defaultBackend"].has()) validateBackend(spec["defaultBackend"], errors);
    each(spec["rules"], [&](const Field& rule) { validateRule(rule, errors); });
    if (!spec["ingressClassName"].text().empty()) {
      addFaults(errors, spec["ingressClassName"], formats::dnsSubdomain(spec["ingressClassName"].text()));
    }
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override {
    if (isWhole(context)) validateCreate(context, errors);
  }

 private:
  static void validateRule(const Field& rule, FieldErrors& errors) {
    Field host = rule["host"];
    if (!host.text().empty()) {
      if (formats::parseIp(host.text())) {
        errors.invalid(host.path, quoted(host.text()), "must be a DNS name, not an IP address");
      } else if (host.text().find('*') != std::string_view::npos) {
        addFaults(errors, host, formats::wildcardDnsSubdomain(host.text()));
      } else {
        addFaults(errors, host, formats::dnsSubdomain(host.text()));
      }
    }
    Field http = rule["http"];
    if (!http.has()) return;
    if (http["paths"].size() == 0) errors.required(http["paths"].path, "");
    each(http["paths"], [&](const Field& path) { validatePath(path, errors); });
  }

  static void validatePath(const Field& path, FieldErrors& errors) {
    Field type = path["pathType"], text = path["path"];
    if (!type.has()) {
      errors.required(type.path, "pathType must be specified");
      return;
    }
    if (oneOf(type.text(), {"Exact", "Prefix"})) {
      if (!text.text().starts_with('/')) {
        errors.invalid(text.path, quoted(text.text()), "must be an absolute path");
      }
      for (std::string_view bad : {"//", "/./", "/../", "%2f", "%2F"}) {
        if (text.text().find(bad) != std::string_view::npos) {
          errors.invalid(text.path, quoted(text.text()), concat("must not contain ", quoted(bad)));
        }
      }
    } else if (type.text() == "ImplementationSpecific") {
      if (!text.text().empty() && !text.text().starts_with('/')) {
        errors.invalid(text.path, quoted(text.text()), "must be an absolute path");
      }
    } else {
      checkEnum(errors, type, {"Exact", "ImplementationSpecific", "Prefix"});
    }
    validateBackend(path["backend"], errors);
  }

  static void validateBackend(const Field& backend, FieldErrors& errors) {
    Field service = backend["service"], resource = backend["resource"];
    if (service.has() && resource.has()) {
      errors.invalid(backend.path, "\"\"", "cannot set both resource and service backends");
      return;
    }
    if (resource.has()) {
      if (resource["kind"].text().empty()) errors.required(resource["kind"].path, "");
      if (resource["name"].text().empty()) errors.required(resource["name"].path, "");
      return;
    }
    if (!service.has()) {
      errors.required(backend.path, "");
      return;
    }
    if (service["name"].text().empty()) {
      errors.required(service["name"].path, "");
    } else {
      addFaults(errors, service["name"], formats::dnsLabel(service["name"].text()));
    }
    Field port = service["port"];
    bool named = !port["name"].text().empty(), numbered = port["number"].number() != 0;
    if (named && numbered) {
      errors.invalid(port.path, "\"\"", "cannot set both port name & port number");
    } else if (named) {
      addFaults(errors, port["name"], formats::portName(port["name"].text()));
    } else if (numbered) {
      for (const std::string& fault : formats::portNumber(port["number"].number())) {
        errors.invalid(port["number"].path, std::to_string(port["number"].number()), fault);
      }
    } else {
      errors.required(service.path, "port name or number is required");
    }
  }
};

class NetworkPolicyStrategy final : public Strategy {
 public:
  bool hasStatus() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field spec = rootField(context.object())["spec"];
    validateLabelSelector(spec["podSelector"], errors);
    each(spec["ingress"], [&](const Field& rule) { validateRule(rule, "from", errors); });
    each(spec["egress"], [&](const Field& rule) { validateRule(rule, "to", errors); });
    Field types = spec["policyTypes"];
    if (types.size() > 2) {
      errors.invalid(types.path, shown(*types.value), "may not specify more than two policyTypes");
      return;
    }
    each(types, [&](const Field& type) { checkEnum(errors, type, {"Ingress", "Egress"}); });
  }
  void validateUpdate(StrategyContext& context, FieldErrors& errors) override { validateCreate(context, errors); }

 private:
  static void validateRule(const Field& rule, std::string_view peers, FieldErrors& errors) {
    each(rule["ports"], [&](const Field& port) {
      if (port["protocol"].has()) checkEnum(errors, port["protocol"], {"SCTP", "TCP", "UDP"});
      if (port["port"].has()) checkPortOrName(errors, port["port"]);
      Field end = port["endPort"];
      if (!end.has()) return;
      if (port["port"].value->isInt() && end.number() < port["port"].number()) {
        errors.invalid(end.path, std::to_string(end.number()), "must be greater than or equal to `port`");
      } else if (!port["port"].has()) {
        errors.required(port["port"].path, "must be specified when `endPort` is specified");
      }
    });
    each(rule[peers], [&](const Field& peer) { validatePeer(peer, errors); });
  }

  static void validatePeer(const Field& peer, FieldErrors& errors) {
    int found = 0;
    for (std::string_view selector : {"podSelector", "namespaceSelector"}) {
      if (!peer[selector].has()) continue;
      ++found;
      validateLabelSelector(peer[selector], errors);
    }
    Field block = peer["ipBlock"];
    if (!block.has()) {
      if (found == 0) errors.required(peer.path, "must specify a peer");
      return;
    }
    if (found > 0) errors.forbidden(peer.path, "may not specify both ipBlock and another peer");
    if (block["cidr"].text().empty()) {
      errors.required(block["cidr"].path, "");
      return;
    }
    addFaults(errors, block["cidr"], formats::cidr(block["cidr"].text()));
    auto outer = formats::parseCidr(block["cidr"].text());
    each(block["except"], [&](const Field& except) {
      auto inner = formats::parseCidr(except.text());
      if (!inner) {
        addFaults(errors, except, formats::cidr(except.text()));
      } else if (outer && (!outer->contains(inner->address) || inner->bits <= outer->bits)) {
        errors.invalid(except.path, quoted(except.text()), "must be a strict subset of `cidr`");
      }
    });
  }
};

// Ranges of addresses: what they hold does not change.
class ServiceCidrStrategy final : public StatusStrategy {
 public:
  bool hasGeneration() const override { return false; }
  void validateCreate(StrategyContext& context, FieldErrors& errors) override {
    Field ranges = rootField(context.object())["spec"]["cidrs"];
    if (ranges.size() == 0) errors.required(ranges.path, "at least one CIDR required");
    if (ranges.size() > 2) errors.invalid(ranges.path, shown(*ranges.value), "may only hold up to 2 values");
    each(ranges, [&](const Field& range) { addFaults(errors, range, formats::cidr(range.text())); });
  }
};

}  // namespace

void addNetworkStrategies(const AddStrategy& add) {
  add("/endpoints", std::make_unique<EndpointsStrategy>());
  add("discovery.k8s.io/endpointslices", std::make_unique<EndpointSliceStrategy>());
  add("networking.k8s.io/ingresses", std::make_unique<IngressStrategy>());
  add("networking.k8s.io/networkpolicies", std::make_unique<NetworkPolicyStrategy>());
  add("networking.k8s.io/servicecidrs", std::make_unique<ServiceCidrStrategy>());
  add("networking.k8s.io/ipaddresses", std::make_unique<PlainStrategy>());
}

}  // namespace skiff::apiserver
