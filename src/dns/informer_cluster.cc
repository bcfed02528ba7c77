#include "dns/informer_cluster.h"

#include <set>

#include "base/strings.h"
#include "dns/address.h"

namespace skiff::dns {
namespace {

constexpr char kByClusterIp[] = "clusterIP", kByService[] = "service", kByAddress[] = "address";

std::vector<std::string> clusterIpsOf(const api::core::v1::Service& service) {
  std::set<std::string> addresses;
  for (const std::string& ip : service.spec.clusterIPs) addresses.insert(canonicalAddress(ip));
  if (!service.spec.clusterIP.empty()) addresses.insert(canonicalAddress(service.spec.clusterIP));
  addresses.erase("None");
  return {addresses.begin(), addresses.end()};
}

std::vector<std::string> serviceOf(const api::discovery::v1::EndpointSlice& slice) {
  auto label = slice.metadata.labels.find(kServiceNameLabel);
  if (label == slice.metadata.labels.end()) return {};
  return {concat(slice.metadata.namespace_, "/", label->second)};
}

std::vector<std::string> addressesOf(const api::discovery::v1::EndpointSlice& slice) {
  std::set<std::string> addresses;
  for (const auto& endpoint : slice.endpoints) {
    for (const std::string& address : endpoint.addresses) addresses.insert(canonicalAddress(address));
  }
  return {addresses.begin(), addresses.end()};
}

}  // namespace

InformerCluster::InformerCluster(client::InformerFactory& factory)
    : services_(factory.of<api::core::v1::Service>()),
      slices_(factory.of<api::discovery::v1::EndpointSlice>()),
      namespaces_(factory.of<api::core::v1::Namespace>()) {
  services_.addIndex(kByClusterIp, clusterIpsOf);
  slices_.addIndex(kByService, serviceOf);
  slices_.addIndex(kByAddress, addressesOf);
}

bool InformerCluster::ready() const { return services_.synced() && slices_.synced() && namespaces_.synced(); }

bool InformerCluster::hasNamespace(std::string_view ns) const { return namespaces_.get("", ns) != nullptr; }

ServicePtr InformerCluster::service(std::string_view ns, std::string_view name) const { return services_.get(ns, name); }

std::vector<SlicePtr> InformerCluster::slicesOf(std::string_view ns, std::string_view service) const {
  return slices_.byIndex(kByService, concat(ns, "/", service));
}

std::vector<ServicePtr> InformerCluster::servicesByClusterIp(std::string_view address) const {
  return services_.byIndex(kByClusterIp, address);
}

std::vector<SlicePtr> InformerCluster::slicesByAddress(std::string_view address) const {
  return slices_.byIndex(kByAddress, address);
}

}  // namespace skiff::dns
