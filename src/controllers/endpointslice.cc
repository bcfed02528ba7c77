// EndpointSlices of services with a selector. https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/controller_ref.h"
#include "controllers/endpoint_logic.h"
#include "controllers/expectations.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using client::Requeue;
using SlicePtr = std::shared_ptr<const EndpointSlice>;

constexpr std::string_view kManager = "endpointslice-controller.k8s.io";
constexpr std::string_view kByService = "service";

bool isManaged(const EndpointSlice& slice) {
  auto it = slice.metadata.labels.find(std::string(kManagedByLabel));
  return it != slice.metadata.labels.end() && it->second == kManager;
}

std::string serviceKey(const EndpointSlice& slice) {
  auto it = slice.metadata.labels.find(std::string(kServiceNameLabel));
  return it == slice.metadata.labels.end() ? std::string() : slice.metadata.namespace_ + "/" + it->second;
}

// Changes of a pod that no endpoint shows.
bool sameForEndpoints(const Pod& a, const Pod& b) {
  return a.metadata.labels == b.metadata.labels && isReady(a) == isReady(b) && isTerminating(a) == isTerminating(b) &&
         isTerminal(a) == isTerminal(b) && a.spec.nodeName == b.spec.nodeName && a.status.podIP == b.status.podIP &&
         a.status.podIPs.size() == b.status.podIPs.size() && a.spec.hostname == b.spec.hostname;
}

class EndpointSliceController final : public Controller {
 public:
  explicit EndpointSliceController(Context& context)
      : Controller(context, "endpointslice", 5),
        services_(context.informers.of<Service>()),
        pods_(context.informers.of<Pod>()),
        nodes_(context.informers.of<Node>()),
        slices_(context.informers.of<EndpointSlice>()),
        expectations_(context.clock),
        recorder_(context.recorder("endpoint-slice-controller")) {
    slices_.addIndex(std::string(kByService), [](const EndpointSlice& slice) {
      return std::vector<std::string>{isManaged(slice) ? serviceKey(slice) : std::string()};
    });
    enqueueOwnKeys(services_);
    pods_.addHandler({.onAdd = [this](const PodPtr& pod) { enqueueServicesOf(*pod); },
                      .onUpdate = [this](const PodPtr& before, const PodPtr& now) {
                        if (sameForEndpoints(*before, *now)) return;
                        if (before->metadata.labels != now->metadata.labels) enqueueServicesOf(*before);
                        enqueueServicesOf(*now);
                      },
                      .onDelete = [this](const PodPtr& pod) { enqueueServicesOf(*pod); }});
    slices_.addHandler({.onAdd = [this](const SlicePtr& slice) {
                          if (isManaged(*slice)) {
                            expectations_.creationObserved(serviceKey(*slice));
                            queue().add(serviceKey(*slice));
                          }
                        },
                        .onUpdate = [this](const SlicePtr& before, const SlicePtr& now) {
                          if (isManaged(*before)) queue().add(serviceKey(*before));
                          if (isManaged(*now)) queue().add(serviceKey(*now));
                        },
                        .onDelete = [this](const SlicePtr& slice) {
                          if (isManaged(*slice)) queue().add(serviceKey(*slice));
                        }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    if (key.empty()) return done();
    auto service = services_.getByKey(key);
    if (!service) {
      expectations_.forget(key);
      return done();  // the garbage collector takes the slices
    }
    if (service->spec.type == "ExternalName" || service->spec.selector.empty()) return done();
    if (service->metadata.deletionTimestamp) return done();
    // Slices of ours that the cache does not show yet would be made twice. Their add brings us back.
    if (!expectations_.satisfied(key)) return done();

    auto pods = pods_.list(service->metadata.namespace_, api::LabelSelector::fromMap(service->spec.selector));
    auto existing = slices_.byIndex(kByService, key);
    auto meta = sliceMeta(*service, pods);
    auto types = addressTypesOf(*service);
    for (const std::string& type : types) {
      auto groups = desiredGroups(*service, pods, [this](const std::string& name) { return nodes_.getByKey(name); }, type);
      TRY(apply(key, *service, planSlices(existing, groups, meta, type, kEndpointsPerSlice)));
    }
    for (const auto& slice : existing)
      if (std::find(types.begin(), types.end(), slice->addressType) == types.end()) TRY(removeSlice(*slice));
    return done();
  }

 private:
  void enqueueServicesOf(const Pod& pod) {
    for (const auto& service : services_.list(pod.metadata.namespace_))
      if (!service->spec.selector.empty() &&
          api::LabelSelector::fromMap(service->spec.selector).matches(pod.metadata.labels))
        queue().add(keyOf(*service));
  }

  api::meta::v1::ObjectMeta sliceMeta(const Service& service, const std::vector<PodPtr>& pods) const {
    api::meta::v1::ObjectMeta meta;
    meta.namespace_ = service.metadata.namespace_;
    meta.generateName = service.metadata.name + "-";
    meta.labels = service.metadata.labels;
    meta.labels[std::string(kServiceNameLabel)] = service.metadata.name;
    meta.labels[std::string(kManagedByLabel)] = std::string(kManager);
    if (isHeadless(service)) meta.labels[std::string(kHeadlessLabel)] = "";
    else meta.labels.erase(std::string(kHeadlessLabel));
    OwnerReference owner = newControllerRef(service);
    meta.ownerReferences.push_back(owner);
    WallTime trigger = service.metadata.creationTimestamp.value;
    for (const auto& pod : pods)
      if (const auto* ready = findCondition(pod->status.conditions, "Ready"))
        trigger = std::max(trigger, ready->lastTransitionTime.value);
    meta.annotations[std::string(kTriggerTime)] = formatRfc3339(trigger);
    return meta;
  }

  Status removeSlice(const EndpointSlice& slice) {
    return ignoreNotFound(ctx_.client->remove<EndpointSlice>(slice.metadata.namespace_, slice.metadata.name,
                                                             {.uid = slice.metadata.uid}));
  }

  Status apply(const std::string& key, const Service& service, SliceChanges changes) {
    for (const EndpointSlice& slice : changes.create) {
      expectations_.expectCreations(key, 1);
      auto created = ctx_.client->create(slice);
      if (created.ok()) continue;
      expectations_.creationObserved(key);
      if (isNamespaceTerminating(created.error())) return okStatus();
      recorder_.record(service, "Warning", "FailedToUpdateEndpointSlices",
                       concat("Error updating Endpoint Slices for Service ", key, ": ", created.error().message()));
      return std::move(created).error();
    }
    for (const EndpointSlice& slice : changes.update) TRY(ctx_.client->update(slice));
    for (const EndpointSlice& slice : changes.remove) TRY(removeSlice(slice));
    return okStatus();
  }

  client::Informer<Service> services_;
  client::Informer<Pod> pods_;
  client::Informer<Node> nodes_;
  client::Informer<EndpointSlice> slices_;
  Expectations expectations_;
  client::EventRecorder& recorder_;
};

}  // namespace

std::unique_ptr<Controller> createEndpointSliceController(Context& context) {
  return std::make_unique<EndpointSliceController>(context);
}

}  // namespace skiff::controllers
