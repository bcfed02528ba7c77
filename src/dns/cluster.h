// What DNS needs to know of the cluster. From informers in the role, from a table in tests. Thread safe.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gen/core_v1.h"
#include "gen/discovery_v1.h"

namespace skiff::dns {

using ServicePtr = std::shared_ptr<const api::core::v1::Service>;
using SlicePtr = std::shared_ptr<const api::discovery::v1::EndpointSlice>;

class Cluster {
 public:
  virtual ~Cluster() = default;
  virtual bool ready() const = 0;  // false until all is known once
  virtual bool hasNamespace(std::string_view ns) const = 0;
  virtual ServicePtr service(std::string_view ns, std::string_view name) const = 0;
  virtual std::vector<SlicePtr> slicesOf(std::string_view ns, std::string_view service) const = 0;
  // By canonical address text.
  virtual std::vector<ServicePtr> servicesByClusterIp(std::string_view address) const = 0;
  virtual std::vector<SlicePtr> slicesByAddress(std::string_view address) const = 0;
};

inline constexpr char kServiceNameLabel[] = "kubernetes.io/service-name";

}  // namespace skiff::dns
