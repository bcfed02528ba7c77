// Recalculates what the objects of a namespace use of its quotas. Admission adds to it as objects are made; this takes
// away what is gone and sets right what went wrong.
#include "controllers/quota_usage.h"
#include "controllers/registry.h"
#include "controllers/resource_catalog.h"

namespace skiff::controllers {
namespace {

using client::Requeue;

constexpr seconds kSettle{1};            // admission has counted a new object before it exists: no hurry
constexpr seconds kCustomResync{30};     // custom resources have no watch here

class ResourceQuotaController final : public Controller {
 public:
  explicit ResourceQuotaController(Context& context)
      : Controller(context, "resourcequota", 5),
        quotas_(context.informers.of<ResourceQuota>()),
        pods_(context.informers.of<Pod>()),
        services_(context.informers.of<Service>()),
        claims_(context.informers.of<PersistentVolumeClaim>()),
        crds_(context.informers.of<CustomResourceDefinition>()) {
    quotas_.addHandler({.onAdd = [this](const auto& quota) { queue().add(keyOf(*quota)); },
                        .onUpdate = [this](const auto& before, const auto& now) {
                          // Changes of the status are admission's or ours.
                          if (before->metadata.generation != now->metadata.generation ||
                              !api::equal(before->spec, now->spec) || !sameHard(*now))
                            queue().add(keyOf(*now));
                        }});
    for (const auto& resource : builtinResources({"list", "watch", "create"})) {
      if (!resource.namespaced || resource.plural == "events" || resource.plural == "leases") continue;
      auto& informer = context.informers.ofResource(resource);
      counted_.emplace(std::pair(resource.group, resource.plural), &informer);
      informer.addHandler({
          .onAdd = [this](const api::ObjectPtr& object) { enqueueQuotas(object->ns(), kSettle); },
          .onDelete = [this](const api::ObjectPtr& object) { enqueueQuotas(object->ns(), seconds(0)); },
      });
    }
    pods_.addHandler({.onUpdate = [this](const PodPtr& before, const PodPtr& now) {
      if (isTerminal(*before) != isTerminal(*now) || isTerminating(*before) != isTerminating(*now) ||
          before->metadata.generation != now->metadata.generation)
        enqueueQuotas(now->metadata.namespace_, seconds(0));
      // The end of the grace period, should the kubelet be away.
      if (now->metadata.deletionTimestamp && now->metadata.deletionGracePeriodSeconds && !isTerminating(*before))
        enqueueQuotas(now->metadata.namespace_, seconds(*now->metadata.deletionGracePeriodSeconds * 2 + 1));
    }});
    services_.addHandler({.onUpdate = [this](const auto& before, const auto& now) {
      if (!(usageOf(*before) == usageOf(*now))) enqueueQuotas(now->metadata.namespace_, seconds(0));
    }});
    claims_.addHandler({.onUpdate = [this](const auto& before, const auto& now) {
      if (!(usageOf(*before) == usageOf(*now)) ||
          before->spec.volumeAttributesClassName != now->spec.volumeAttributesClassName)
        enqueueQuotas(now->metadata.namespace_, seconds(0));
    }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto quota = quotas_.getByKey(key);
    if (!quota || quota->metadata.deletionTimestamp) return done();
    bool custom = false;
    Usage all = TRY(usageIn(*quota, &custom));
    ResourceQuota updated = *quota;
    updated.status.hard = quota->spec.hard;
    updated.status.used.clear();
    for (const auto& [name, limit] : quota->spec.hard) {
      auto it = all.find(name);
      updated.status.used[name] = it == all.end() ? api::Quantity() : it->second;
    }
    if (!api::equal(updated.status, quota->status)) {
      auto written = ctx_.client->updateStatus(updated);
      if (!written.ok() && !written.failedWith(Reason::NotFound)) return std::move(written).error();
    }
    return again(custom ? milliseconds(kCustomResync) : milliseconds(0));
  }

 private:
  static bool sameHard(const ResourceQuota& quota) { return quota.spec.hard == quota.status.hard; }

  void enqueueQuotas(std::string_view ns, milliseconds delay) {
    for (const auto& quota : quotas_.list(ns)) queue().addAfter(keyOf(*quota), delay);
  }

  Result<Usage> usageIn(const ResourceQuota& quota, bool* custom) {
    const std::string& ns = quota.metadata.namespace_;
    Usage all;
    WallTime now = ctx_.clock.now();
    for (const auto& pod : pods_.list(ns))
      if (inScope(quota, *pod)) addUsage(all, usageOf(*pod, now));
    for (const auto& claim : claims_.list(ns))
      if (inScope(quota, *claim)) addUsage(all, usageOf(*claim));
    if (hasScopes(quota)) return all;  // scopes speak of pods and claims only
    for (const auto& service : services_.list(ns)) addUsage(all, usageOf(*service));
    for (const auto& [name, limit] : quota.spec.hard) {
      auto counted = countedResource(name);
      if (!counted || all.contains(name)) continue;
      all[name] = api::Quantity::of(TRY(count(*counted, ns, custom)));
    }
    return all;
  }

  Result<int64_t> count(const CountedResource& counted, const std::string& ns, bool* custom) {
    auto known = counted_.find({counted.group, counted.plural});
    if (known != counted_.end()) return int64_t(known->second->list(ns).size());
    for (const auto& crd : crds_.list()) {
      auto resource = servedResource(*crd);
      if (!resource || resource->group != counted.group || resource->plural != counted.plural) continue;
      *custom = true;
      auto listed = TRY(ctx_.client->listObjects(*resource, {.ns = ns}));
      return int64_t(listed.items.size());
    }
    return int64_t(0);
  }

  client::Informer<ResourceQuota> quotas_;
  client::Informer<Pod> pods_;
  client::Informer<Service> services_;
  client::Informer<PersistentVolumeClaim> claims_;
  client::Informer<CustomResourceDefinition> crds_;
  std::map<std::pair<std::string, std::string>, client::ObjectInformer*> counted_;
};

}  // namespace

std::unique_ptr<Controller> createResourceQuotaController(Context& context) {
  return std::make_unique<ResourceQuotaController>(context);
}

}  // namespace skiff::controllers
