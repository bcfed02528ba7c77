// Empties terminating namespaces, pods first, and lets them go when nothing is left.
#include <map>

#include "base/strings.h"
#include "controllers/parallel.h"
#include "controllers/pod_util.h"
#include "controllers/registry.h"
#include "controllers/resource_catalog.h"
#include "gen/core_v1.h"

namespace skiff::controllers {
namespace {

using api::core::v1::Namespace;
using client::Requeue;
using client::Resource;

// What a sweep over a namespace found still there.
struct Remains {
  std::map<std::string, int> perResource;   // "pods." -> 2
  std::map<std::string, int> perFinalizer;
  std::vector<std::string> failures;
  int total = 0;
};

// "pods. has 2 resource instances, services. has 1 resource instances"
std::string describe(const std::map<std::string, int>& counts, std::string_view middle) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(concat(name, middle, count, " resource instances"));
  return join(parts, ", ");
}

bool writeConditions(Namespace& ns, const Remains& remains, WallTime now) {
  auto& conditions = ns.status.conditions;
  bool changed = setCondition(conditions, "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered",
                              "All resources successfully discovered", now);
  changed |= setCondition(conditions, "NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions",
                          "All legacy kube types successfully parsed", now);
  if (remains.failures.empty())
    changed |= setCondition(conditions, "NamespaceDeletionContentFailure", "False", "ContentDeleted",
                            "All content successfully deleted, may be waiting on finalization", now);
  else
    changed |= setCondition(conditions, "NamespaceDeletionContentFailure", "True", "ContentDeletionFailed",
                            "Failed to delete all resource types, " + std::to_string(remains.failures.size()) +
                                " remaining: " + join(remains.failures, ", "), now);
  if (remains.perResource.empty())
    changed |= setCondition(conditions, "NamespaceContentRemaining", "False", "ContentRemoved",
                            "All content successfully removed", now);
  else
    changed |= setCondition(conditions, "NamespaceContentRemaining", "True", "SomeResourcesRemain",
                            "Some resources are remaining: " + describe(remains.perResource, " has "), now);
  if (remains.perFinalizer.empty())
    changed |= setCondition(conditions, "NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers",
                            "All content-preserving finalizers finished", now);
  else
    changed |= setCondition(conditions, "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
                            "Some content in the namespace has finalizers remaining: " +
                                describe(remains.perFinalizer, " in "), now);
  return changed;
}

class NamespaceController final : public Controller {
 public:
  explicit NamespaceController(Context& context)
      : Controller(context, "namespace", 4),
        namespaces_(context.informers.of<Namespace>()),
        catalog_(context.informers.of<CustomResourceDefinition>()) {
    namespaces_.addHandler([this](const std::shared_ptr<const Namespace>& ns) {
      if (ns->metadata.deletionTimestamp) queue().add(ns->metadata.name);
    });
    // The last pod's end is what most deletions wait for.
    context.informers.of<Pod>().addHandler({.onDelete = [this](const PodPtr& pod) {
      auto ns = namespaces_.getByKey(pod->metadata.namespace_);
      if (ns && ns->metadata.deletionTimestamp) queue().add(ns->metadata.name);
    }});
  }

  Result<Requeue> reconcile(const std::string& key) override {
    auto known = namespaces_.getByKey(key);
    if (!known || !known->metadata.deletionTimestamp) return done();
    auto live = ctx_.client->get<Namespace>({}, key);
    if (live.failedWith(Reason::NotFound)) return done();
    if (!live.ok()) return std::move(live).error();
    Namespace ns = std::move(live).value();
    if (!ns.metadata.deletionTimestamp) return done();
    if (ns.spec.finalizers.empty()) return done();  // the API server takes it from here

    Remains remains = sweep(key);
    bool changed = ns.status.phase != "Terminating";
    ns.status.phase = "Terminating";
    if (writeConditions(ns, remains, ctx_.clock.now()) || changed) {
      auto updated = ctx_.client->updateStatus(ns);
      if (updated.failedWith(Reason::NotFound)) return done();
      if (!updated.ok()) return std::move(updated).error();
      ns = std::move(updated).value();
    }
    if (!remains.failures.empty()) return internalError(remains.failures.front());
    if (remains.total > 0) return again(waitFor(key));

    std::erase(ns.spec.finalizers, "kubernetes");
    auto finalized = ctx_.client->update(ns, "finalize");
    if (!finalized.ok() && !finalized.failedWith(Reason::NotFound)) return std::move(finalized).error();
    rounds_.erase(key);
    return done();
  }

 private:
  Remains sweep(const std::string& ns) const {
    Remains remains;
    // Pods go first: what they need to end well (config maps, network policies) stays until they are gone.
    empty({"", "v1", "pods", true}, ns, remains);
    if (remains.total > 0 || !remains.failures.empty()) return remains;
    auto resources = catalog_.namespacedDeletable();
    std::mutex mutex;  // guards remains
    // One namespace's sixty lists are independent; their errors are kept in `remains`.
    (void)runParallel(ctx_.executor, int(resources.size()), [&](int i) -> Status {
      Remains part;
      empty(resources[size_t(i)], ns, part);
      std::lock_guard lock(mutex);
      remains.perResource.merge(part.perResource);
      for (const auto& [name, count] : part.perFinalizer) remains.perFinalizer[name] += count;
      remains.failures.insert(remains.failures.end(), part.failures.begin(), part.failures.end());
      remains.total += part.total;
      return okStatus();
    });
    return remains;
  }

  // Deletes all objects of a resource and counts those that stay.
  void empty(const Resource& resource, const std::string& ns, Remains& remains) const {
    auto listed = listAll(resource, ns, remains);
    if (listed.empty()) return;
    client::DeleteOptions background{.propagationPolicy = "Background"};
    auto removed = ctx_.client->removeCollection(resource, ns, {}, background);
    if (removed.failedWith(Reason::MethodNotAllowed)) {
      for (const auto& object : listed)
        if (auto one = ignoreNotFound(ctx_.client->removeObject(resource, ns, object->name(), background)); !one.ok())
          remains.failures.push_back(one.error().message());
    } else if (!removed.ok() && !removed.failedWith(Reason::NotFound)) {
      remains.failures.push_back(removed.error().message());
      return;
    }
    listed = listAll(resource, ns, remains);
    if (listed.empty()) return;
    remains.total += int(listed.size());
    remains.perResource[concat(resource.plural, ".", resource.group)] = int(listed.size());
    for (const auto& object : listed)
      for (const auto& finalizer : object->metadata()["finalizers"].items()) ++remains.perFinalizer[finalizer.str()];
  }

  std::vector<api::ObjectPtr> listAll(const Resource& resource, const std::string& ns, Remains& remains) const {
    auto listed = ctx_.client->listObjects(resource, {.ns = ns});
    if (listed.ok()) return std::move(listed)->items;
    // A resource that is not (or no longer) served holds nothing.
    if (!listed.failedWith(Reason::NotFound) && !listed.failedWith(Reason::MethodNotAllowed))
      remains.failures.push_back(listed.error().message());
    return {};
  }

  // Pods announce their end; what waits for other finalizers is looked at again ever more rarely.
  milliseconds waitFor(const std::string& key) {
    int round = rounds_.next(key);
    return std::min(milliseconds(200) * (1 << std::min(round, 6)), milliseconds(10000));
  }

  class Rounds {
   public:
    int next(const std::string& key) {
      std::lock_guard lock(mutex_);
      return counts_[key]++;
    }
    void erase(const std::string& key) {
      std::lock_guard lock(mutex_);
      counts_.erase(key);
    }

   private:
    std::mutex mutex_;  // guards counts_
    std::map<std::string, int> counts_;
  };

  client::Informer<Namespace> namespaces_;
  ResourceCatalog catalog_;
  Rounds rounds_;
};

}  // namespace

std::unique_ptr<Controller> createNamespaceController(Context& context) {
  return std::make_unique<NamespaceController>(context);
}

}  // namespace skiff::controllers
