// What the room's tests share: a cluster from a table, and answers as one line of text.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "dns/address.h"
#include "dns/zone.h"

namespace skiff::dns {

class FakeCluster final : public Cluster {
 public:
  using Service = api::core::v1::Service;
  using Slice = api::discovery::v1::EndpointSlice;

  Service& addService(std::string ns, std::string name, std::vector<std::string> ips,
                      std::vector<std::tuple<std::string, std::string, int>> ports = {}) {
    auto service = std::make_shared<Service>();
    service->metadata.namespace_ = ns;
    service->metadata.name = name;
    service->spec.clusterIP = ips.empty() ? "" : ips[0];
    service->spec.clusterIPs = ips;
    for (auto& [portName, protocol, number] : ports) {
      service->spec.ports.emplace_back();
      service->spec.ports.back().name = portName;
      service->spec.ports.back().protocol = protocol;
      service->spec.ports.back().port = number;
    }
    services.push_back(service);
    return *service;
  }
  // Endpoints as "address", "address=hostname", and "!..." for one that is not ready.
  Slice& addSlice(std::string ns, std::string service, std::vector<std::string> endpoints,
                  std::vector<std::tuple<std::string, std::string, int>> ports = {}) {
    auto slice = std::make_shared<Slice>();
    slice->metadata.namespace_ = ns;
    slice->metadata.labels[kServiceNameLabel] = service;
    slice->addressType = "IPv4";
    for (std::string_view text : endpoints) {
      auto& endpoint = slice->endpoints.emplace_back();
      if (text.starts_with('!')) {
        endpoint.conditions.ready = false;
        text.remove_prefix(1);
      }
      if (auto parts = cut(text, "=")) {
        endpoint.hostname = std::string(parts->second);
        text = parts->first;
      }
      endpoint.addresses.emplace_back(text);
    }
    for (auto& [portName, protocol, number] : ports) {
      auto& port = slice->ports.emplace_back();
      port.name = portName;
      port.protocol = protocol;
      port.port = number;
    }
    slices.push_back(slice);
    return *slice;
  }

  bool ready() const override { return synced; }
  bool hasNamespace(std::string_view ns) const override { return std::count(namespaces.begin(), namespaces.end(), ns) > 0; }
  ServicePtr service(std::string_view ns, std::string_view name) const override {
    for (const auto& s : services) if (s->metadata.namespace_ == ns && s->metadata.name == name) return s;
    return nullptr;
  }
  std::vector<SlicePtr> slicesOf(std::string_view ns, std::string_view name) const override {
    std::vector<SlicePtr> found;
    for (const auto& s : slices) {
      if (s->metadata.namespace_ == ns && s->metadata.labels.at(kServiceNameLabel) == name) found.push_back(s);
    }
    return found;
  }
  std::vector<ServicePtr> servicesByClusterIp(std::string_view address) const override {
    std::vector<ServicePtr> found;
    for (const auto& s : services) {
      for (const auto& ip : s->spec.clusterIPs) if (canonicalAddress(ip) == address) found.push_back(s);
    }
    return found;
  }
  std::vector<SlicePtr> slicesByAddress(std::string_view address) const override {
    std::vector<SlicePtr> found;
    for (const auto& s : slices) {
      for (const auto& e : s->endpoints) if (canonicalAddress(e.addresses[0]) == address) found.push_back(s);
    }
    return found;
  }

  bool synced = true;
  std::vector<std::string> namespaces = {"default", "kube-system", "app"};
  std::vector<ServicePtr> services;
  std::vector<SlicePtr> slices;
};

inline Name nameOf(std::string_view text) { return Name::parse(text).value(); }

inline std::string showRecord(const Record& record) {
  static const std::map<uint16_t, std::string> kTypes = {{kA, "A"},     {kAAAA, "AAAA"}, {kCNAME, "CNAME"}, {kSRV, "SRV"},
                                                         {kPTR, "PTR"}, {kTXT, "TXT"},   {kSOA, "SOA"},     {kNS, "NS"}};
  std::string head = concat(record.name.text(), " ", kTypes.at(record.type));
  auto u16 = [&](size_t at) { return static_cast<unsigned char>(record.data[at]) * 256 + static_cast<unsigned char>(record.data[at + 1]); };
  if (record.type == kA || record.type == kAAAA) return concat(head, " ", addressText(record.data));
  if (auto target = targetOf(record)) return concat(head, " ", target->text());
  if (record.type == kTXT) return concat(head, " ", record.data.substr(1));
  if (record.type == kSRV) {
    Record target{.type = kPTR, .data = record.data.substr(6)};
    return concat(head, " ", u16(0), " ", u16(2), " ", u16(4), " ", targetOf(target)->text());
  }
  return head;
}

// "NOERROR a. A 1.2.3.4 | ... [+ additional]"; the order of answers is not part of the contract.
inline std::string showSections(uint16_t rcode, const std::vector<Record>& answers, const std::vector<Record>& authority,
                                const std::vector<Record>& additional) {
  static const std::map<uint16_t, std::string> kRcodes = {{kNoError, "NOERROR"}, {kFormErr, "FORMERR"}, {kServFail, "SERVFAIL"},
                                                          {kNxDomain, "NXDOMAIN"}, {kNotImp, "NOTIMP"}, {kRefused, "REFUSED"},
                                                          {kBadVers, "BADVERS"}};
  auto list = [](const std::vector<Record>& records) {
    std::vector<std::string> lines;
    for (const Record& record : records) lines.push_back(showRecord(record));
    std::sort(lines.begin(), lines.end());
    return join(lines, " | ");
  };
  std::string text = kRcodes.at(rcode);
  if (!answers.empty()) text += " " + list(answers);
  if (!authority.empty()) text += " [" + list(authority) + "]";
  if (!additional.empty()) text += " + " + list(additional);
  return text;
}

class CountingRng final : public Rng {
 public:
  uint64_t next() override { return state_ += 0x9E3779B97F4A7C15U; }

 private:
  uint64_t state_ = 1;
};

}  // namespace skiff::dns
