#include "proxy/ruleset.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::proxy {
namespace {

constexpr std::string_view kServiceIps = "service-ips", kNodePorts = "service-nodeports";
constexpr std::string_view kNoEndpointIps = "no-endpoint-ips", kNoEndpointPorts = "no-endpoint-nodeports";
constexpr std::string_view kClusterIps = "cluster-ips";
constexpr std::string_view kMasqueradeMark = "0x4000";  // the bit that kube-proxy uses as well

// Short and unique; the readable name stands behind it for people who list the table.
std::string chainName(std::string_view kind, std::string_view name) {
  std::string safe;
  for (char c : name) safe += std::isalnum(static_cast<unsigned char>(c)) || c == '/' || c == '-' ? c : '.';
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(fnv64a(name)));
  return concat(kind, "-", std::string_view(hash), "-", safe.substr(0, 80));
}

class Builder {
 public:
  Builder(Ruleset& out, const std::string& clusterCidr) : out_(out), cidr_(clusterCidr) {
    for (auto map : {kServiceIps, kNodePorts, kNoEndpointIps, kNoEndpointPorts, kClusterIps}) out_.maps[std::string(map)];
  }

  void add(const ServicePortRules& service) {
    element(kClusterIps, service.clusterIp, "goto reject-chain");  // any port that no rule has translated
    addFront(service, service.cluster, concat(service.clusterIp, " . ", service.protocol, " . ", service.port));
    bool hasExternal = service.nodePort != 0 || !service.externalIps.empty();
    if (!hasExternal) return;
    addExternal(service);
  }

 private:
  // The cluster IP: to the service's chain, or refused.
  void addFront(const ServicePortRules& service, const std::vector<Target>& targets, const std::string& key) {
    if (targets.empty()) {
      element(kNoEndpointIps, key, "goto reject-chain");
      return;
    }
    auto chain = serviceChain("service", service, targets);
    // Traffic that comes from outside the pod network must come back through this node.
    auto& rules = out_.chains[chain];
    rules.insert(rules.begin(), concat("ip daddr ", service.clusterIp, " ip saddr != ", cidr_,
                                       " jump mark-for-masquerade"));
    element(kServiceIps, key, concat("goto ", chain));
  }

  void addExternal(const ServicePortRules& service) {
    std::string verdict;
    if (service.external.empty()) {
      // With policy Local other nodes may have endpoints: drop, so that clients try again there.
      verdict = service.localOnlyExternal && !service.cluster.empty() ? "drop" : "goto reject-chain";
    } else {
      verdict = concat("goto ", externalChain(service));
    }
    bool refused = service.external.empty();
    if (service.nodePort != 0)
      element(refused ? kNoEndpointPorts : kNodePorts, concat(service.protocol, " . ", service.nodePort), verdict);
    for (const auto& ip : service.externalIps)
      element(refused ? kNoEndpointIps : kServiceIps, concat(ip, " . ", service.protocol, " . ", service.port), verdict);
  }

  // Masquerades unless sources are to be kept, then goes on as the service does.
  std::string externalChain(const ServicePortRules& service) {
    auto name = chainName("external", service.name);
    auto& rules = out_.chains[name];
    if (!service.localOnlyExternal) {
      rules.push_back("jump mark-for-masquerade");
    } else {
      // Pods and the node itself reach all endpoints, whatever the policy says.
      if (!service.cluster.empty() && service.cluster != service.external) {
        auto inside = serviceChain("service", service, service.cluster);
        rules.push_back(concat("ip saddr ", cidr_, " goto ", inside));
      }
      rules.push_back("fib saddr type local jump mark-for-masquerade");
    }
    auto kind = service.cluster == service.external ? "service" : "service-local";
    rules.push_back(concat("goto ", serviceChain(kind, service, service.external)));
    return name;
  }

  std::string serviceChain(std::string_view kind, const ServicePortRules& service, const std::vector<Target>& targets) {
    auto name = chainName(kind, service.name);
    if (out_.chains.contains(name)) return name;
    std::vector<std::string> rules, verdicts;
    for (size_t i = 0; i < targets.size(); ++i) {
      auto endpoint = endpointChain(service, targets[i]);
      if (service.affinitySeconds > 0) rules.push_back(concat("ip saddr @", affinitySet(endpoint), " goto ", endpoint));
      verdicts.push_back(concat(i, " : goto ", endpoint));
    }
    rules.push_back(concat("numgen random mod ", targets.size(), " vmap { ", join(verdicts, ", "), " }"));
    out_.chains[name] = std::move(rules);
    return name;
  }

  static std::string affinitySet(const std::string& endpointChain) { return "affinity-" + endpointChain.substr(9, 16); }

  std::string endpointChain(const ServicePortRules& service, const Target& target) {
    auto name = chainName("endpoint", concat(service.name, "/", target.ip, "/", target.port));
    auto& rules = out_.chains[name];
    if (!rules.empty()) return name;
    rules.push_back(concat("ip saddr ", target.ip, " jump mark-for-masquerade"));  // a pod that calls itself
    if (service.affinitySeconds > 0) {
      out_.affinitySets[affinitySet(name)] = service.affinitySeconds;
      rules.push_back(concat("update @", affinitySet(name), " { ip saddr }"));
    }
    rules.push_back(concat("meta l4proto ", service.protocol, " dnat to ", target.ip, ":", target.port));
    return name;
  }

  void element(std::string_view map, std::string key, std::string verdict) {
    out_.maps[std::string(map)][std::move(key)] = std::move(verdict);
  }

  Ruleset& out_;
  const std::string& cidr_;
};

std::string baseTable() {
  constexpr std::string_view kAddressKey = "type ipv4_addr . inet_proto . inet_service : verdict;";
  constexpr std::string_view kPortKey = "type inet_proto . inet_service : verdict;";
  std::string out;
  for (auto map : {kServiceIps, kNoEndpointIps}) out += concat("  map ", map, " { ", kAddressKey, " }\n");
  for (auto map : {kNodePorts, kNoEndpointPorts}) out += concat("  map ", map, " { ", kPortKey, " }\n");
  out += concat("  map ", kClusterIps, " { type ipv4_addr : verdict; }\n");
  out += concat(
      "  chain mark-for-masquerade { meta mark set meta mark or ", kMasqueradeMark, "; }\n"
      "  chain reject-chain { reject; }\n"
      "  chain services {\n"
      "    ip daddr . meta l4proto . th dport vmap @", kServiceIps, "\n"
      "    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @", kNodePorts, "\n  }\n"
      "  chain no-endpoints {\n"
      "    ip daddr . meta l4proto . th dport vmap @", kNoEndpointIps, "\n"
      "    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @", kNoEndpointPorts, "\n  }\n"
      "  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }\n"
      "  chain nat-output { type nat hook output priority -100; jump services; }\n"
      "  chain nat-postrouting {\n    type nat hook postrouting priority srcnat;\n"
      "    meta mark & ", kMasqueradeMark, " == 0 return\n"
      "    meta mark set meta mark xor ", kMasqueradeMark, "\n    masquerade fully-random\n  }\n");
  for (auto hook : {"input", "forward", "output"})
    out += concat("  chain filter-", std::string_view(hook), " { type filter hook ", std::string_view(hook),
                  " priority -110; ct state new jump no-endpoints; }\n");
  // A cluster IP that is still the destination behind the translation has no such port: refused here, not sent on to the world.
  out += concat("  chain filter-forward-translated { type filter hook forward priority -90; ct state new ip daddr vmap @", kClusterIps, "; }\n",
                "  chain filter-output-translated { type filter hook output priority -90; ct state new ip daddr vmap @", kClusterIps, "; }\n");
  return out;
}

std::string setLine(const std::string& table, const std::string& name, int timeout) {
  return concat("add set ip ", table, " ", name, " { type ipv4_addr; flags dynamic, timeout; timeout ", timeout, "s; }\n");
}

std::string rulesOfChain(const std::string& table, const std::string& name, const std::vector<std::string>& rules) {
  std::string out;
  for (const auto& rule : rules) out += concat("add rule ip ", table, " ", name, " ", rule, "\n");
  return out;
}

}  // namespace

Ruleset rulesetOf(const std::vector<ServicePortRules>& services, const std::string& clusterCidr) {
  Ruleset out;
  Builder builder(out, clusterCidr);
  for (const auto& service : services) builder.add(service);
  return out;
}

std::string rebuildScript(const std::string& table, const Ruleset& wanted) {
  std::string empty = concat("table ip ", table, " {\n", baseTable(), "}\n");
  return concat("add table ip ", table, "\ndelete table ip ", table, "\n", empty, deltaScript(table, {}, wanted));
}

std::string deltaScript(const std::string& table, const Ruleset& applied, const Ruleset& wanted) {
  std::string out;
  // Order within the transaction: what is referred to comes before what refers to it, and goes after it.
  for (const auto& [name, timeout] : wanted.affinitySets)
    if (!applied.affinitySets.contains(name)) out += setLine(table, name, timeout);
  std::vector<const std::string*> changed, gone;
  for (const auto& [name, rules] : wanted.chains) {
    auto before = applied.chains.find(name);
    if (before == applied.chains.end()) out += concat("add chain ip ", table, " ", name, "\n");
    if (before == applied.chains.end() || before->second != rules) changed.push_back(&name);
  }
  for (const auto* name : changed)
    if (applied.chains.contains(*name)) out += concat("flush chain ip ", table, " ", *name, "\n");
  for (const auto* name : changed) out += rulesOfChain(table, *name, wanted.chains.at(*name));
  for (const auto& [map, elements] : wanted.maps) {
    auto old = applied.maps.find(map);
    static const std::map<std::string, std::string> kNone;
    const auto& before = old == applied.maps.end() ? kNone : old->second;
    for (const auto& [key, verdict] : before) {
      auto now = elements.find(key);
      if (now == elements.end() || now->second != verdict)
        out += concat("delete element ip ", table, " ", map, " { ", key, " }\n");
    }
    for (const auto& [key, verdict] : elements) {
      auto was = before.find(key);
      if (was == before.end() || was->second != verdict)
        out += concat("add element ip ", table, " ", map, " { ", key, " : ", verdict, " }\n");
    }
  }
  for (const auto& [name, rules] : applied.chains)
    if (!wanted.chains.contains(name)) gone.push_back(&name);
  for (const auto* name : gone) out += concat("flush chain ip ", table, " ", *name, "\n");
  for (const auto* name : gone) out += concat("delete chain ip ", table, " ", *name, "\n");
  for (const auto& [name, timeout] : applied.affinitySets)
    if (!wanted.affinitySets.contains(name)) out += concat("delete set ip ", table, " ", name, "\n");
  return out;
}

}  // namespace skiff::proxy
