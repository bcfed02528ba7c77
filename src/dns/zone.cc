#include "dns/zone.h"

#include <algorithm>

#include "base/strings.h"
#include "dns/address.h"

namespace skiff::dns {
namespace {

constexpr int kMaxCnames = 8;
constexpr char kSpecVersion[] = "1.1.0";

using api::core::v1::Service;
using api::discovery::v1::Endpoint;
using api::discovery::v1::EndpointSlice;

bool isHeadless(const Service& service) { return service.spec.clusterIP == "None"; }
bool isExternalName(const Service& service) { return service.spec.type == "ExternalName"; }

std::vector<std::string> clusterIpsOf(const Service& service) {
  if (!service.spec.clusterIPs.empty()) return service.spec.clusterIPs;
  if (service.spec.clusterIP.empty()) return {};
  return {service.spec.clusterIP};
}

std::string hostnameOf(const Endpoint& endpoint, std::string_view address) {
  return endpoint.hostname && !endpoint.hostname->empty() ? toLower(*endpoint.hostname) : dashedAddress(address);
}

// "_tcp" for the protocol TCP.
bool isProtocolLabel(std::string_view label, std::string_view protocol) {
  return label.size() > 1 && label[0] == '_' && equalsIgnoreCase(label.substr(1), protocol.empty() ? "TCP" : protocol);
}

uint16_t addressType(std::string_view bytes) { return bytes.size() == 4 ? kA : kAAAA; }
Record addressRecord(const Name& name, std::string_view bytes) {
  return {name, addressType(bytes), kClassIn, Zone::kTtl, std::string(bytes)};
}

bool wants(const Question& question, uint16_t type) { return question.type == type || question.type == kANY; }

}  // namespace

struct Zone::Host {
  Name name;
  std::string bytes;               // of the address
  SlicePtr slice;                  // null for a cluster IP
};

std::optional<Answer> Zone::resolve(const Question& question) const {
  if (auto address = reverseAddress(question.name)) return resolveReverse(question, *address);
  if (!question.name.isUnder(domain_)) return std::nullopt;
  return resolveInZone(question, 0);
}

Answer Zone::resolveInZone(const Question& question, int depth) const {
  Name lowered = question.name.lower();
  Labels labels = lowered.labels();
  labels.resize(labels.size() - domain_.labels().size());
  if (labels.empty()) return atApex(question);
  if (labels.back() == "svc") return resolveService(question, labels, depth);
  if (labels.back() == "pod") return resolvePod(question, labels);
  return resolveDns(question, labels);
}

Answer Zone::atApex(const Question& question) const {
  Answer answer;
  if (wants(question, kSOA)) {
    answer.answers.push_back(soa());
  } else if (question.type == kNS) {
    Name server = domain_;
    server.prepend("dns");
    server.prepend("ns");
    answer.answers.push_back({domain_, kNS, kClassIn, kTtl, nameData(server)});
  } else {
    return noData();
  }
  return answer;
}

// Names about the service itself: dns-version, and ns.dns, the name server that NS and SOA speak of.
Answer Zone::resolveDns(const Question& question, const Labels& labels) const {
  if (labels.size() == 1 && labels[0] == "dns-version") {
    if (!wants(question, kTXT)) return noData();
    Answer answer;
    answer.answers.push_back({question.name, kTXT, kClassIn, kTtl, txtData(kSpecVersion)});
    return answer;
  }
  if (labels.back() != "dns" || labels.size() > 2 || (labels.size() == 2 && labels[0] != "ns")) return nxDomain();
  ServicePtr self = labels.size() == 2 ? cluster_.service("kube-system", "kube-dns") : nullptr;
  return self ? addresses(question, hostsOf(*self)) : noData();
}

// 1-2-3-4.ns.pod: the address is in the name; only the namespace is checked, as upstream's "pods insecure" does.
Answer Zone::resolvePod(const Question& question, const Labels& labels) const {
  if (labels.size() == 1) return noData();
  if (labels.size() > 3 || !cluster_.hasNamespace(labels[labels.size() - 2])) return nxDomain();
  if (labels.size() == 2) return noData();
  auto bytes = addressOfDashed(labels[0]);
  if (!bytes) return nxDomain();
  return addresses(question, {{question.name, *bytes, nullptr}});
}

// service.ns.svc, hostname.service.ns.svc, _port._protocol.service.ns.svc
Answer Zone::resolveService(const Question& question, const Labels& labels, int depth) const {
  size_t count = labels.size();
  if (count == 1) return noData();
  if (count == 2) return cluster_.hasNamespace(labels[0]) ? noData() : nxDomain();
  ServicePtr service = cluster_.service(labels[count - 2], labels[count - 3]);
  if (!service || count > 5) return nxDomain();

  if (isExternalName(*service)) return count == 3 ? externalName(question, *service, depth) : nxDomain();
  if (count == 5) return srv(question, *service, hostsOf(*service), labels[0], labels[1]);
  std::vector<Host> hosts = count == 4 ? endpointsOf(*service, labels[0]) : hostsOf(*service);
  if (hosts.empty()) return nxDomain();
  if (question.type == kSRV) return srv(question, *service, hosts, "", "");
  return addresses(question, std::move(hosts));
}

Answer Zone::externalName(const Question& question, const Service& service, int depth) const {
  auto target = Name::parse(service.spec.externalName);
  if (!target || target->isRoot()) return noData();
  Answer answer;
  answer.answers.push_back({question.name, kCNAME, kClassIn, kTtl, nameData(*target)});
  if (question.type == kCNAME) return answer;
  if (!target->isUnder(domain_)) {
    answer.chase = target;
    return answer;
  }
  if (depth + 1 >= kMaxCnames) {
    answer.rcode = kServFail;
    return answer;
  }
  Answer rest = resolveInZone({*target, question.type, question.cls}, depth + 1);
  answer.rcode = rest.rcode;
  answer.answers.insert(answer.answers.end(), rest.answers.begin(), rest.answers.end());
  answer.authority = std::move(rest.authority);
  answer.additional = std::move(rest.additional);
  answer.chase = std::move(rest.chase);
  return answer;
}

Answer Zone::addresses(const Question& question, std::vector<Host> hosts) const {
  // Clients take the first: spread them over all.
  for (size_t i = hosts.size(); i > 1; --i) std::swap(hosts[i - 1], hosts[rng_.below(i)]);
  Answer answer;
  std::set<std::string_view> seen;
  for (const Host& host : hosts) {
    if (!wants(question, addressType(host.bytes)) || !seen.insert(host.bytes).second) continue;
    answer.answers.push_back(addressRecord(question.name, host.bytes));
  }
  return answer.answers.empty() ? noData() : answer;
}

// Empty port and protocol: all ports.
Answer Zone::srv(const Question& question, const Service& service, const std::vector<Host>& hosts,
                 std::string_view port, std::string_view protocol) const {
  Answer answer;
  std::set<std::string> seenPorts, seenHosts;
  auto add = [&](const Host& host, std::string_view name, std::string_view proto, int32_t number) {
    if (!port.empty() && (port != concat("_", toLower(name)) || !isProtocolLabel(protocol, proto))) return;
    std::string data = srvData(0, 100, static_cast<uint16_t>(number), host.name);
    if (seenHosts.insert(concat(host.name.wire(), host.bytes)).second) {
      answer.additional.push_back(addressRecord(host.name, host.bytes));
    }
    if (!seenPorts.insert(data).second) return;
    answer.answers.push_back({question.name, kSRV, kClassIn, kTtl, std::move(data)});
  };
  for (const Host& host : hosts) {
    if (host.slice) {
      for (const auto& p : host.slice->ports) add(host, p.name.value_or(""), p.protocol.value_or(""), p.port.value_or(0));
    } else {
      for (const auto& p : service.spec.ports) add(host, p.name, p.protocol, p.port);
    }
  }
  if (answer.answers.empty()) return port.empty() ? noData() : nxDomain();
  return wants(question, kSRV) ? answer : noData();
}

std::vector<Zone::Host> Zone::hostsOf(const Service& service) const {
  if (isHeadless(service)) return endpointsOf(service, "");
  std::vector<Host> hosts;
  Name name = serviceName(service.metadata.namespace_, service.metadata.name);
  for (const std::string& address : clusterIpsOf(service)) {
    if (auto bytes = addressBytes(address)) hosts.push_back({name, *bytes, nullptr});
  }
  return hosts;
}

// The ready endpoints, all or those of a hostname. One may come twice: slices part by ports, and overlap for a moment
// when an endpoint moves.
std::vector<Zone::Host> Zone::endpointsOf(const Service& service, std::string_view hostname) const {
  std::vector<Host> hosts;
  const auto& meta = service.metadata;
  Name under = serviceName(meta.namespace_, meta.name);
  for (const SlicePtr& slice : cluster_.slicesOf(meta.namespace_, meta.name)) {
    if (slice->addressType == "FQDN") continue;
    for (const Endpoint& endpoint : slice->endpoints) {
      if (!endpoint.conditions.ready.value_or(true) && !service.spec.publishNotReadyAddresses) continue;
      for (const std::string& address : endpoint.addresses) {
        std::string label = hostnameOf(endpoint, address);
        if (!hostname.empty() && label != hostname) continue;
        auto bytes = addressBytes(address);
        Host host{under, bytes.value_or(""), slice};
        if (!bytes || !host.name.prepend(label)) continue;
        hosts.push_back(std::move(host));
      }
    }
  }
  return hosts;
}

std::optional<Answer> Zone::resolveReverse(const Question& question, std::string_view address) const {
  Answer answer;
  auto add = [&](const Name& name) {
    answer.answers.push_back({question.name, kPTR, kClassIn, kTtl, nameData(name)});
  };
  for (const ServicePtr& service : cluster_.servicesByClusterIp(address)) {
    add(serviceName(service->metadata.namespace_, service->metadata.name));
  }
  std::string bytes = addressBytes(address).value_or("");
  std::set<std::string> seen;
  for (const SlicePtr& slice : cluster_.slicesByAddress(address)) {
    auto label = slice->metadata.labels.find(kServiceNameLabel);
    if (label == slice->metadata.labels.end()) continue;
    ServicePtr service = cluster_.service(slice->metadata.namespace_, label->second);
    if (!service || !isHeadless(*service)) continue;
    for (const Host& host : endpointsOf(*service, "")) {
      if (host.bytes == bytes && seen.insert(host.name.text()).second) add(host.name);
    }
  }
  if (answer.answers.empty()) return std::nullopt;
  return wants(question, kPTR) ? answer : noData();
}

Name Zone::serviceName(std::string_view ns, std::string_view name) const {
  Name full = domain_;
  full.prepend("svc");
  full.prepend(ns);
  full.prepend(name);
  return full;
}

Record Zone::soa() const {
  Soa soa{.primary = domain_, .mailbox = domain_, .refresh = 7200, .retry = 1800, .expire = 86400, .minimum = kTtl};
  soa.primary.prepend("dns");
  soa.primary.prepend("ns");
  soa.mailbox.prepend("hostmaster");
  auto now = std::chrono::duration_cast<seconds>(clock_.now().time_since_epoch());
  soa.serial = static_cast<uint32_t>(now.count());
  return {domain_, kSOA, kClassIn, kTtl, soaData(soa)};
}

Answer Zone::noData() const {
  Answer answer;
  answer.authority.push_back(soa());
  return answer;
}

Answer Zone::nxDomain() const {
  Answer answer = noData();
  answer.rcode = kNxDomain;
  return answer;
}

}  // namespace skiff::dns
