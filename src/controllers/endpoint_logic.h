// From a service and its pods to endpoints: which pods count, and under which ports.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controllers/pod_util.h"
#include "gen/core_v1.h"
#include "gen/discovery_v1.h"

namespace skiff::controllers {

using api::core::v1::Node;
using api::core::v1::Service;
using api::discovery::v1::Endpoint;
using api::discovery::v1::EndpointSlice;
using EndpointPorts = std::vector<api::discovery::v1::EndpointPort>;

inline constexpr size_t kEndpointsPerSlice = 100;
inline constexpr std::string_view kServiceNameLabel = "kubernetes.io/service-name";
inline constexpr std::string_view kManagedByLabel = "endpointslice.kubernetes.io/managed-by";
inline constexpr std::string_view kHeadlessLabel = "service.kubernetes.io/headless";
inline constexpr std::string_view kTriggerTime = "endpoints.kubernetes.io/last-change-trigger-time";

enum class Terminating { Exclude, Include };
bool shouldBeEndpoint(const Pod& pod, Terminating terminating);
bool isHeadless(const Service& service);
std::vector<std::string> addressTypesOf(const Service& service);  // "IPv4", "IPv6"
std::string_view addressTypeOf(std::string_view ip);
std::string podAddress(const Pod& pod, std::string_view addressType);  // "" when it has none of that family

// The number a service's target port has on this pod: itself, or that of the container port of that name.
std::optional<int32_t> resolvePort(const Pod& pod, const api::core::v1::ServicePort& port);
EndpointPorts endpointPorts(const Service& service, const Pod& pod);
Endpoint endpointOf(const Service& service, const Pod& pod, const Node* node, std::string_view addressType);

// What a set of slices should hold, by the ports that their endpoints share.
struct SliceGroup {
  EndpointPorts ports;
  std::vector<Endpoint> endpoints;
};
std::vector<SliceGroup> desiredGroups(const Service& service, const std::vector<PodPtr>& pods,
                                      const std::function<std::shared_ptr<const Node>(const std::string&)>& nodeOf,
                                      std::string_view addressType);

// The least set of writes that turns the existing slices of one address type into the wanted groups.
struct SliceChanges {
  std::vector<EndpointSlice> create, update, remove;
  bool empty() const { return create.empty() && update.empty() && remove.empty(); }
};
// `meta` holds the labels, annotations, owner and generateName that every slice of the service carries.
SliceChanges planSlices(const std::vector<std::shared_ptr<const EndpointSlice>>& existing,
                        const std::vector<SliceGroup>& groups, const api::meta::v1::ObjectMeta& meta,
                        std::string_view addressType, size_t maxPerSlice);

}  // namespace skiff::controllers
