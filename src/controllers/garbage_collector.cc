// Deletes objects whose owners are gone; carries out foreground deletion and orphaning.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/
//
//   watches of all deletable resources -> OwnerGraph -> queue: "d/<uid>" may it be deleted? "o/<uid>" orphan its dependents
//
// Every verdict rests on live reads: the graph may be late, a deletion cannot be taken back.
#include "base/log.h"
#include "base/strings.h"
#include "codec/json.h"
#include "controllers/owner_graph.h"
#include "controllers/registry.h"
#include "controllers/resource_catalog.h"

namespace skiff::controllers {
namespace {

using client::Requeue;
using client::Resource;

std::string mergePatchOf(const codec::Value& live, std::string_view field, std::vector<codec::Value> items) {
  codec::Document document;
  auto& root = document.root = codec::Value::map();
  codec::Value meta = codec::Value::map();
  codec::Value list = codec::Value::list();
  for (const codec::Value& item : items) list.push(document.arena, item.clone(document.arena));
  // The version makes it an edit of exactly what was read.
  meta.set(document.arena, "resourceVersion", codec::Value::string(live["resourceVersion"].asString()));
  meta.set(document.arena, "uid", codec::Value::string(live["uid"].asString()));
  meta.set(document.arena, field, items.empty() ? codec::Value::null() : list);
  root.set(document.arena, "metadata", meta);
  return codec::toJson(root);
}

// Watches of one custom resource: they end with its definition.
struct CustomMonitor {
  Resource resource;
  std::unique_ptr<client::InformerFactory> informers;
};

class GarbageCollector final : public Controller {
 public:
  explicit GarbageCollector(Context& context)
      : Controller(context, "garbage-collector", 6),
        crds_(context.informers.of<CustomResourceDefinition>()),
        catalog_(crds_) {
    for (const Resource& resource : builtinResources({"list", "watch", "delete"})) {
      if (resource.plural == "events") continue;  // own nothing, have no owners, and are many
      watch(context.informers.ofResource(resource));
    }
    crds_.addHandler([this](const std::shared_ptr<const CustomResourceDefinition>& crd) {
      queue().add("c/" + crd->metadata.name);
    });
  }

  void stop() override {
    Controller::stop();
    std::lock_guard lock(mutex_);
    monitors_.clear();
  }

  Result<Requeue> reconcile(const std::string& key) override {
    std::string what = key.substr(2);
    Status status = key[0] == 'd' ? attemptToDelete(what) : key[0] == 'o' ? orphan(what) : followDefinition(what);
    if (!status.ok()) return std::move(status).error();
    return done();
  }

 private:
  void watch(client::ObjectInformer& informer) {
    informer.addHandler({
        .onAdd = [this](const api::ObjectPtr& object) { enqueue(graph_.upsert(GraphObject::of(*object))); },
        .onUpdate = [this](const api::ObjectPtr&, const api::ObjectPtr& now) {
          enqueue(graph_.upsert(GraphObject::of(*now)));
        },
        .onDelete = [this](const api::ObjectPtr& object) { enqueue(graph_.remove(std::string(object->uid()))); },
    });
  }

  void enqueue(const GraphWork& work) {
    for (const std::string& uid : work.toDelete) queue().add("d/" + uid);
    for (const std::string& uid : work.toOrphan) queue().add("o/" + uid);
  }

  // Starts or ends the watch of a custom resource as its definition comes and goes.
  Status followDefinition(const std::string& name) {
    auto crd = crds_.getByKey(name);
    auto resource = crd ? servedResource(*crd) : std::nullopt;
    std::unique_ptr<client::InformerFactory> ended;  // stopped outside the lock: its handlers may wait for it
    std::lock_guard lock(mutex_);
    auto it = monitors_.find(name);
    if (it != monitors_.end()) {
      bool same = resource && it->second.resource.version == resource->version &&
                  it->second.resource.namespaced == resource->namespaced && uids_[name] == crd->metadata.uid;
      if (same) return okStatus();
      ended = std::move(it->second.informers);
      monitors_.erase(it);
    }
    if (!resource) return okStatus();
    auto factory = client::InformerFactory::create(ctx_.client);
    watch(factory->ofResource(*resource));
    factory->start();
    uids_[name] = crd->metadata.uid;
    monitors_.emplace(name, CustomMonitor{*resource, std::move(factory)});
    return okStatus();
  }

  enum class OwnerState { Solid, Absent, WaitingForDependents };

  // The object itself, if it still is the one of that uid; null when it is not.
  Result<api::ObjectPtr> readLive(const Resource& resource, const std::string& ns, const std::string& name,
                                  std::string_view uid) {
    auto live = ctx_.client->getObject(resource, resource.namespaced ? ns : std::string(), name);
    if (live.failedWith(Reason::NotFound)) return api::ObjectPtr();
    if (live.ok() && (*live)->uid() != uid) return api::ObjectPtr();
    return live;
  }

  Result<OwnerState> stateOf(const OwnerGraph::Node& item, const OwnerReference& owner) {
    auto resource = catalog_.ofKind(owner.apiVersion, owner.kind);
    // A kind we do not know may well exist (an aggregated API): never delete on that account.
    if (!resource) return OwnerState::Solid;
    if (resource->namespaced && item.ns.empty()) {
      ctx_.recorder("garbage-collector-controller")
          .record(referenceTo(item), "Warning", "OwnerRefInvalidNamespace",
                  concat("ownerRef [", owner.apiVersion, "/", owner.kind, ", namespace: , name: ", owner.name,
                         ", uid: ", owner.uid, "] does not exist in namespace \"", item.ns, "\""));
      return OwnerState::Solid;  // as upstream: cannot be resolved, so nothing may follow from it
    }
    api::ObjectPtr live = TRY(readLive(*resource, item.ns, owner.name, owner.uid));
    if (!live) return OwnerState::Absent;
    GraphObject state = GraphObject::of(*live);
    return state.beingDeleted && state.foregroundFinalizer ? OwnerState::WaitingForDependents : OwnerState::Solid;
  }

  static api::core::v1::ObjectReference referenceTo(const GraphObject& object) {
    api::core::v1::ObjectReference ref;
    ref.apiVersion = object.apiVersion;
    ref.kind = object.kind;
    ref.namespace_ = object.ns;
    ref.name = object.name;
    ref.uid = object.uid;
    return ref;
  }

  Status attemptToDelete(const std::string& uid) {
    auto item = graph_.find(uid);
    if (!item) return okStatus();
    if (item->beingDeleted && !item->deletingDependents()) return okStatus();
    if (!item->isVirtual && item->owners.empty() && !item->deletingDependents()) return okStatus();
    auto resource = catalog_.ofKind(item->apiVersion, item->kind);
    if (!resource) return okStatus();  // an owner of a kind we do not know
    if (item->isVirtual && resource->namespaced && item->ns.empty()) return okStatus();
    api::ObjectPtr live = TRY(readLive(*resource, item->ns, item->name, uid));
    if (!live) {
      enqueue(graph_.remove(uid));
      return okStatus();
    }
    if (item->isVirtual) return okStatus();  // it exists; its own watch will tell the rest
    if (item->deletingDependents()) return finishForeground(*item, *resource);

    GraphObject now = GraphObject::of(*live);
    std::set<std::string> dangling, waiting;
    bool solid = false;
    for (const OwnerReference& owner : now.owners) {
      switch (TRY(stateOf(*item, owner))) {
        case OwnerState::Solid: solid = true; break;
        case OwnerState::Absent: dangling.insert(owner.uid); break;
        case OwnerState::WaitingForDependents: waiting.insert(owner.uid); break;
      }
    }
    if (now.owners.empty() || (dangling.empty() && waiting.empty())) return okStatus();
    if (solid) {
      dangling.insert(waiting.begin(), waiting.end());
      return dropOwners(*resource, *live, dangling);
    }
    std::string policy = now.orphanFinalizer ? "Orphan" : now.foregroundFinalizer ? "Foreground" : "Background";
    if (!waiting.empty() && !item->dependents.empty()) {
      for (const auto& dependent : graph_.dependentsOf(uid))
        if (dependent.deletingDependents()) {
          TRY(unblockOwners(*resource, *live));  // a circle of owners would wait for itself
          break;
        }
      policy = "Foreground";
    }
    return remove(*resource, *item, policy);
  }

  Status remove(const Resource& resource, const OwnerGraph::Node& item, std::string policy) {
    auto removed = ctx_.client->removeObject(resource, item.ns, item.name,
                                             {.propagationPolicy = std::move(policy), .uid = item.uid});
    // Another object took the name: not the one that was judged.
    if (removed.failedWith(Reason::Conflict)) return okStatus();
    return ignoreNotFound(std::move(removed));
  }

  // The owner may go once no dependent blocks it.
  Status finishForeground(const OwnerGraph::Node& item, const Resource& resource) {
    bool blocked = false;
    for (const auto& dependent : graph_.dependentsOf(item.uid))
      for (const OwnerReference& owner : dependent.owners) {
        if (owner.uid != item.uid || !owner.blockOwnerDeletion.value_or(false)) continue;
        blocked = true;
        if (!dependent.deletingDependents()) queue().add("d/" + dependent.uid);
      }
    return blocked ? okStatus() : dropFinalizer(resource, item, kForegroundFinalizer);
  }

  Status orphan(const std::string& uid) {
    auto owner = graph_.find(uid);
    if (!owner || owner->isVirtual) return okStatus();
    auto ownerResource = catalog_.ofKind(owner->apiVersion, owner->kind);
    if (!ownerResource) return okStatus();
    for (const auto& dependent : graph_.dependentsOf(uid)) {
      auto resource = catalog_.ofKind(dependent.apiVersion, dependent.kind);
      if (!resource) continue;
      api::ObjectPtr live = TRY(readLive(*resource, dependent.ns, dependent.name, dependent.uid));
      if (live) TRY(dropOwners(*resource, *live, {uid}));
    }
    return dropFinalizer(*ownerResource, *owner, kOrphanFinalizer);
  }

  Status patch(const Resource& resource, const api::Object& live, std::string body) {
    auto patched = ctx_.client->patchObject(resource, live.ns(), live.name(), client::PatchType::Merge,
                                            std::move(body), {});
    if (patched.ok() || patched.failedWith(Reason::NotFound)) return okStatus();
    return std::move(patched).error();
  }

  Status dropOwners(const Resource& resource, const api::Object& live, const std::set<std::string>& uids) {
    std::vector<codec::Value> kept;
    size_t all = 0;
    for (const auto& ref : live.metadata()["ownerReferences"].items()) {
      ++all;
      if (!uids.contains(ref["uid"].str())) kept.push_back(ref);
    }
    if (kept.size() == all) return okStatus();
    return patch(resource, live, mergePatchOf(live.metadata(), "ownerReferences", std::move(kept)));
  }

  Status unblockOwners(const Resource& resource, const api::Object& live) {
    codec::Arena arena;
    std::vector<codec::Value> refs;
    for (const auto& ref : live.metadata()["ownerReferences"].items()) {
      codec::Value copy = ref.clone(arena);
      copy.set(arena, "blockOwnerDeletion", codec::Value::boolean(false));
      refs.push_back(copy);
    }
    return patch(resource, live, mergePatchOf(live.metadata(), "ownerReferences", std::move(refs)));
  }

  Status dropFinalizer(const Resource& resource, const OwnerGraph::Node& item, std::string_view finalizer) {
    api::ObjectPtr live = TRY(readLive(resource, item.ns, item.name, item.uid));
    if (!live) return okStatus();
    std::vector<codec::Value> kept;
    size_t all = 0;
    for (const auto& value : live->metadata()["finalizers"].items()) {
      ++all;
      if (value.asString() != finalizer) kept.push_back(value);
    }
    if (kept.size() == all) return okStatus();
    return patch(resource, *live, mergePatchOf(live->metadata(), "finalizers", std::move(kept)));
  }

  OwnerGraph graph_;
  client::Informer<CustomResourceDefinition> crds_;
  ResourceCatalog catalog_;
  std::mutex mutex_;  // guards monitors_ and uids_
  std::map<std::string, CustomMonitor> monitors_;  // by name of the definition
  std::map<std::string, std::string> uids_;
};

}  // namespace

std::unique_ptr<Controller> createGarbageCollector(Context& context) {
  return std::make_unique<GarbageCollector>(context);
}

}  // namespace skiff::controllers
