// The cluster's zone: answers by the Kubernetes DNS specification 1.1.0
// (https://github.com/kubernetes/dns/blob/master/docs/specification.md). Pure: state in, answer out.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "dns/cluster.h"
#include "dns/message.h"

namespace skiff::dns {

struct Answer {
  uint16_t rcode = kNoError;
  std::vector<Record> answers, authority, additional;
  // Set when the answer ends in a CNAME to a name outside: its records are to be added.
  std::optional<Name> chase;
};

class Zone {
 public:
  static constexpr uint32_t kTtl = 5;  // seconds, of positive and negative answers: we answer from memory

  Zone(const Cluster& cluster, Name domain, const Clock& clock, Rng& rng)
      : cluster_(cluster), domain_(std::move(domain)), clock_(clock), rng_(rng) {}

  // nullopt: the name is not the cluster's, ask upstream.
  std::optional<Answer> resolve(const Question& question) const;
  const Name& domain() const { return domain_; }

 private:
  using Labels = std::vector<std::string_view>;
  struct Host;  // an address that a service's name stands for

  std::optional<Answer> resolveReverse(const Question& question, std::string_view address) const;
  Answer resolveInZone(const Question& question, int depth) const;
  Answer atApex(const Question& question) const;
  Answer resolveDns(const Question& question, const Labels& labels) const;
  Answer resolvePod(const Question& question, const Labels& labels) const;
  Answer resolveService(const Question& question, const Labels& labels, int depth) const;
  Answer externalName(const Question& question, const api::core::v1::Service& service, int depth) const;
  Answer addresses(const Question& question, std::vector<Host> hosts) const;
  Answer srv(const Question& question, const api::core::v1::Service& service, const std::vector<Host>& hosts,
             std::string_view port, std::string_view protocol) const;

  std::vector<Host> hostsOf(const api::core::v1::Service& service) const;
  std::vector<Host> endpointsOf(const api::core::v1::Service& service, std::string_view hostname) const;
  Name serviceName(std::string_view ns, std::string_view name) const;
  Record soa() const;
  Answer noData() const;
  Answer nxDomain() const;

  const Cluster& cluster_;
  const Name domain_;
  const Clock& clock_;
  Rng& rng_;
};

}  // namespace skiff::dns
