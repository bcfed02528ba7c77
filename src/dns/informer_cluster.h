// The cluster as informers see it: services, endpoint slices, namespaces, with the indexes that names and addresses
// need.
#pragma once
#include "client/informer.h"
#include "dns/cluster.h"

namespace skiff::dns {

class InformerCluster final : public Cluster {
 public:
  explicit InformerCluster(client::InformerFactory& factory);  // before the factory starts

  bool ready() const override;
  bool hasNamespace(std::string_view ns) const override;
  ServicePtr service(std::string_view ns, std::string_view name) const override;
  std::vector<SlicePtr> slicesOf(std::string_view ns, std::string_view service) const override;
  std::vector<ServicePtr> servicesByClusterIp(std::string_view address) const override;
  std::vector<SlicePtr> slicesByAddress(std::string_view address) const override;

 private:
  client::Informer<api::core::v1::Service> services_;
  client::Informer<api::discovery::v1::EndpointSlice> slices_;
  client::Informer<api::core::v1::Namespace> namespaces_;
};

}  // namespace skiff::dns
