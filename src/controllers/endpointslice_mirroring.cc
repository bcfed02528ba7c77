// Mirrors Endpoints that people (or older controllers) write for services without a selector into EndpointSlices.
#include "base/strings.h"
#include "controllers/controller_ref.h"
#include "controllers/endpoint_logic.h"
#include "controllers/expectations.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using api::core::v1::Endpoints;
using client::Requeue;

constexpr std::string_view kManager = "endpointslicemirroring-controller.k8s.io";
constexpr std::string_view kByEndpoints = "mirror";
constexpr size_t kMaxMirrored = 1000;

bool isManaged(const EndpointSlice& slice) {
  auto it = slice.metadata.labels.find(std::string(kManagedByLabel));
  return it != slice.metadata.labels.end() && it->second == kManager;
}

std::string ownerKey(const EndpointSlice& slice) {
  auto it = slice.metadata.labels.find(std::string(kServiceNameLabel));
  return it == slice.metadata.labels.end() ? std::string() : slice.metadata.namespace_ + "/" + it->second;
}

bool shouldMirror(const Endpoints& endpoints) {
  auto skip = endpoints.metadata.labels.find("endpointslice.kubernetes.io/skip-mirror");
  if (skip != endpoints.metadata.labels.end() && skip->second == "true") return false;
  if (endpoints.metadata.labels.contains(std::string(kManagedByLabel))) return false;
  return !endpoints.metadata.annotations.contains("control-plane.alpha.kubernetes.io/leader");
}

Endpoint mirrored(const api::core::v1::EndpointAddress& address, bool ready) {
  Endpoint endpoint;
  endpoint.addresses = {address.ip};
  endpoint.conditions.ready = ready;
  if (address.targetRef) endpoint.targetRef = address.targetRef;
  if (address.nodeName) endpoint.nodeName = *address.nodeName;
  if (!address.hostname.empty()) endpoint.hostname = address.hostname;
  return endpoint;
}

std::vector<SliceGroup> groupsOf(const Endpoints& endpoints, std::string_view addressType) {
  std::vector<SliceGroup> groups;
  for (const auto& subset : endpoints.subsets) {
    SliceGroup group;
    for (const auto& port : subset.ports) {
      api::discovery::v1::EndpointPort made;
      made.name = port.name;
      made.protocol = port.protocol;
      made.port = port.port;
      made.appProtocol = port.appProtocol;
      group.ports.push_back(std::move(made));
    }
    auto take = [&](const auto& addresses, bool ready) {
      for (const auto& address : addresses)
        if (addressTypeOf(address.ip) == addressType && group.endpoints.size() < kMaxMirrored)
          group.endpoints.push_back(mirrored(address, ready));
    };
    take(subset.addresses, true);
    take(subset.notReadyAddresses, false);
    if (!group.endpoints.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

class MirroringController final : public Controller {
 public:
  explicit MirroringController(Context& context)
      : Controller(context, "endpointslicemirroring", 5),
        endpoints_(context.informers.of<Endpoints>()),
        services_(context.informers.of<Service>()),
        slices_(context.informers.of<EndpointSlice>()),
        expectations_(context.clock) {
    slices_.addIndex(std::string(kByEndpoints), [](const EndpointSlice& slice) {
      return std::vector<std::string>{isManaged(slice) ? ownerKey(slice) : std::string()};
    });
    enqueueOwnKeys(endpoints_);
    enqueueOwnKeys(services_);
    slices_.addHandler({.onAdd = [this](const auto& slice) {
                          if (!isManaged(*slice)) return;
                          expectations_.creationObserved(ownerKey(*slice));
                          queue().add(ownerKey(*slice));
                        },
                        .onUpdate = [this](const auto&, const auto& now) {
                          if (isManaged(*now)) queue().add(ownerKey(*now));
                        },
                        .onDelete = [this](const auto& slice) {
                          if (isManaged(*slice)) queue().add(ownerKey(*slice));
                        }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    if (key.empty()) return done();
    auto endpoints = endpoints_.getByKey(key);
    auto service = services_.getByKey(key);
    auto existing = slices_.byIndex(kByEndpoints, key);
    bool mirror = endpoints && !endpoints->metadata.deletionTimestamp && shouldMirror(*endpoints) && service &&
                  service->spec.selector.empty();
    if (!mirror) {
      for (const auto& slice : existing) TRY(removeSlice(*slice));
      expectations_.forget(key);
      return done();
    }
    if (!expectations_.satisfied(key)) return done();
    auto meta = sliceMeta(*endpoints);
    for (std::string_view type : {"IPv4", "IPv6"}) {
      auto groups = groupsOf(*endpoints, type);
      if (groups.empty()) {  // no placeholder here: nothing was said about this family
        for (const auto& slice : existing)
          if (slice->addressType == type) TRY(removeSlice(*slice));
        continue;
      }
      auto changes = planSlices(existing, groups, meta, type, kMaxMirrored);
      for (const auto& slice : changes.create) {
        expectations_.expectCreations(key, 1);
        auto created = ctx_.client->create(slice);
        if (created.ok()) continue;
        expectations_.creationObserved(key);
        if (isNamespaceTerminating(created.error())) return done();
        return std::move(created).error();
      }
      for (const auto& slice : changes.update) TRY(ctx_.client->update(slice));
      for (const auto& slice : changes.remove) TRY(removeSlice(slice));
    }
    return done();
  }

 private:
  Status removeSlice(const EndpointSlice& slice) {
    return ignoreNotFound(ctx_.client->remove<EndpointSlice>(slice.metadata.namespace_, slice.metadata.name,
                                                             {.uid = slice.metadata.uid}));
  }

  static api::meta::v1::ObjectMeta sliceMeta(const Endpoints& endpoints) {
    api::meta::v1::ObjectMeta meta;
    meta.namespace_ = endpoints.metadata.namespace_;
    meta.generateName = endpoints.metadata.name + "-";
    meta.labels = endpoints.metadata.labels;
    meta.labels[std::string(kServiceNameLabel)] = endpoints.metadata.name;
    meta.labels[std::string(kManagedByLabel)] = std::string(kManager);
    meta.annotations = endpoints.metadata.annotations;
    meta.annotations.erase("kubectl.kubernetes.io/last-applied-configuration");
    meta.ownerReferences.push_back(newControllerRef(endpoints));
    return meta;
  }

  client::Informer<Endpoints> endpoints_;
  client::Informer<Service> services_;
  client::Informer<EndpointSlice> slices_;
  Expectations expectations_;
};

}  // namespace

std::unique_ptr<Controller> createEndpointSliceMirroringController(Context& context) {
  return std::make_unique<MirroringController>(context);
}

}  // namespace skiff::controllers
