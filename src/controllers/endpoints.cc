// The older Endpoints objects of services with a selector.
#include "api/selectors.h"
#include "base/strings.h"
#include "controllers/endpoint_logic.h"
#include "controllers/registry.h"

namespace skiff::controllers {
namespace {

using api::core::v1::EndpointAddress;
using api::core::v1::EndpointSubset;
using api::core::v1::Endpoints;

constexpr size_t kMaxAddresses = 1000;  // upstream's capacity of one Endpoints object
constexpr std::string_view kOverCapacity = "endpoints.kubernetes.io/over-capacity";
constexpr std::string_view kManagedByKey = "endpoints.kubernetes.io/managed-by";

EndpointAddress addressOf(const Service& service, const Pod& pod, const std::string& ip) {
  EndpointAddress address;
  address.ip = ip;
  if (!pod.spec.nodeName.empty()) address.nodeName = pod.spec.nodeName;
  auto& target = address.targetRef.emplace();
  target.kind = "Pod";
  target.namespace_ = pod.metadata.namespace_;
  target.name = pod.metadata.name;
  target.uid = pod.metadata.uid;
  if (!pod.spec.hostname.empty() && pod.spec.subdomain == service.metadata.name) address.hostname = pod.spec.hostname;
  return address;
}

// Addresses that share the same ports form a subset; all in a fixed order, so that equal content is equal.
std::vector<EndpointSubset> subsetsOf(const Service& service, const std::vector<PodPtr>& pods, bool* overCapacity) {
  std::map<std::string, EndpointSubset> subsets;
  std::string family = addressTypesOf(service).front();
  size_t count = 0;
  for (const auto& pod : pods) {
    auto mode = service.spec.publishNotReadyAddresses ? Terminating::Include : Terminating::Exclude;
    std::string ip = podAddress(*pod, family);
    if (ip.empty() || !shouldBeEndpoint(*pod, mode)) continue;
    std::vector<api::core::v1::EndpointPort> ports;
    std::string key;
    for (const auto& port : endpointPorts(service, *pod)) {
      ports.push_back({port.name.value_or(""), port.port.value_or(0), port.protocol.value_or(""), port.appProtocol});
      key += concat(port.name.value_or(""), "|", port.port.value_or(0), "|", port.protocol.value_or(""), ",");
    }
    if (ports.empty() && !isHeadless(service)) continue;
    if (count == kMaxAddresses) {
      *overCapacity = true;
      break;
    }
    ++count;
    EndpointSubset& subset = subsets[key];
    subset.ports = std::move(ports);
    bool ready = service.spec.publishNotReadyAddresses || isReady(*pod);
    (ready ? subset.addresses : subset.notReadyAddresses).push_back(addressOf(service, *pod, ip));
  }
  auto byAddress = [](const EndpointAddress& a, const EndpointAddress& b) {
    return std::tie(a.ip, a.targetRef->uid) < std::tie(b.ip, b.targetRef->uid);
  };
  std::vector<EndpointSubset> out;
  for (auto& [key, subset] : subsets) {
    std::sort(subset.addresses.begin(), subset.addresses.end(), byAddress);
    std::sort(subset.notReadyAddresses.begin(), subset.notReadyAddresses.end(), byAddress);
    out.push_back(std::move(subset));
  }
  return out;
}

class EndpointsController final : public Controller {
 public:
  explicit EndpointsController(Context& context)
      : Controller(context, "endpoint", 5),
        services_(context.informers.of<Service>()),
        pods_(context.informers.of<Pod>()),
        endpoints_(context.informers.of<Endpoints>()) {
    enqueueOwnKeys(services_);
    pods_.addHandler({.onAdd = [this](const PodPtr& pod) { enqueueServicesOf(*pod); },
                      .onUpdate = [this](const PodPtr& before, const PodPtr& now) {
                        if (before->metadata.labels != now->metadata.labels) enqueueServicesOf(*before);
                        enqueueServicesOf(*now);
                      },
                      .onDelete = [this](const PodPtr& pod) { enqueueServicesOf(*pod); }});
    // Someone else's edit or deletion is put right.
    endpoints_.addHandler({.onUpdate = [this](const auto&, const auto& now) { queue().add(keyOf(*now)); },
                           .onDelete = [this](const auto& gone) { queue().add(keyOf(*gone)); }});
  }

  Result<client::Requeue> reconcile(const std::string& key) override {
    auto service = services_.getByKey(key);
    auto [ns, name] = splitKey(key);
    auto existing = endpoints_.getByKey(key);
    if (!service) {
      if (!existing || existing->metadata.deletionTimestamp) return done();
      // Upstream deletes what bears the service's name; Endpoints that never belonged to a service are left alone.
      auto managed = existing->metadata.labels.find(std::string(kManagedByKey));
      if (managed == existing->metadata.labels.end()) return done();
      TRY(ignoreNotFound(ctx_.client->remove<Endpoints>(ns, name)));
      return done();
    }
    if (service->spec.selector.empty() || service->spec.type == "ExternalName") return done();

    bool overCapacity = false;
    auto pods = pods_.list(ns, api::LabelSelector::fromMap(service->spec.selector));
    auto subsets = subsetsOf(*service, pods, &overCapacity);
    Endpoints wanted = existing ? *existing : Endpoints{};
    wanted.metadata.name = name;
    wanted.metadata.namespace_ = ns;
    wanted.metadata.labels = service->metadata.labels;
    wanted.metadata.labels[std::string(kManagedByKey)] = "endpoint-controller";
    if (isHeadless(*service)) wanted.metadata.labels[std::string(kHeadlessLabel)] = "";
    else wanted.metadata.labels.erase(std::string(kHeadlessLabel));
    if (overCapacity) wanted.metadata.annotations[std::string(kOverCapacity)] = "truncated";
    else wanted.metadata.annotations.erase(std::string(kOverCapacity));
    wanted.subsets = std::move(subsets);
    if (existing && api::equal(wanted, *existing)) return done();
    wanted.metadata.annotations[std::string(kTriggerTime)] = formatRfc3339(ctx_.clock.now());
    auto written = existing ? ctx_.client->update(wanted) : ctx_.client->create(wanted);
    if (written.ok() || (!existing && isNamespaceTerminating(written.error()))) return done();
    return std::move(written).error();
  }

 private:
  void enqueueServicesOf(const Pod& pod) {
    for (const auto& service : services_.list(pod.metadata.namespace_))
      if (!service->spec.selector.empty() &&
          api::LabelSelector::fromMap(service->spec.selector).matches(pod.metadata.labels))
        queue().add(keyOf(*service));
  }

  client::Informer<Service> services_;
  client::Informer<Pod> pods_;
  client::Informer<Endpoints> endpoints_;
};

}  // namespace

std::unique_ptr<Controller> createEndpointsController(Context& context) {
  return std::make_unique<EndpointsController>(context);
}

}  // namespace skiff::controllers
