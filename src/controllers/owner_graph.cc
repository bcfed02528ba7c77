#include "controllers/owner_graph.h"

namespace skiff::controllers {

GraphObject GraphObject::of(const api::Object& object) {
  GraphObject out;
  const codec::Value& meta = object.metadata();
  out.apiVersion = std::string(object.apiVersion());
  out.kind = std::string(object.kind());
  out.ns = std::string(object.ns());
  out.name = std::string(object.name());
  out.uid = std::string(object.uid());
  out.beingDeleted = !meta["deletionTimestamp"].asString().empty();
  for (const auto& finalizer : meta["finalizers"].items()) {
    out.orphanFinalizer |= finalizer.asString() == kOrphanFinalizer;
    out.foregroundFinalizer |= finalizer.asString() == kForegroundFinalizer;
  }
  for (const auto& ref : meta["ownerReferences"].items()) {
    OwnerReference owner;
    owner.apiVersion = ref["apiVersion"].str();
    owner.kind = ref["kind"].str();
    owner.name = ref["name"].str();
    owner.uid = ref["uid"].str();
    owner.blockOwnerDeletion = ref["blockOwnerDeletion"].asBool();
    out.owners.push_back(std::move(owner));
  }
  return out;
}

void OwnerGraph::link(const Node& node, const OwnerReference& owner, GraphWork& work) {
  auto [it, fresh] = nodes_.try_emplace(owner.uid);
  Node& ownerNode = it->second;
  if (fresh) {
    ownerNode.apiVersion = owner.apiVersion;
    ownerNode.kind = owner.kind;
    ownerNode.name = owner.name;
    ownerNode.ns = node.ns;  // owners live in the same namespace, or in none
    ownerNode.uid = owner.uid;
    ownerNode.isVirtual = true;
    work.toDelete.insert(owner.uid);
  } else if (!ownerNode.isVirtual) {
    bool sameObject = ownerNode.kind == owner.kind && ownerNode.name == owner.name &&
                      (ownerNode.ns.empty() || ownerNode.ns == node.ns);
    // A reference that cannot be right (another namespace, another name): a live look decides.
    if (!sameObject) work.toDelete.insert(node.uid);
    if (ownerNode.deletingDependents()) work.toDelete.insert(node.uid);
  }
  ownerNode.dependents.insert(node.uid);
}

GraphWork OwnerGraph::upsert(const GraphObject& object) {
  GraphWork work;
  std::lock_guard lock(mutex_);
  auto [it, fresh] = nodes_.try_emplace(object.uid);
  Node before = it->second;
  {
    Node& node = it->second;
    static_cast<GraphObject&>(node) = object;
    node.isVirtual = false;
  }
  // Dependents that took this object for another one (wrong coordinates in their reference) need a look.
  if (!fresh && before.isVirtual && (before.kind != object.kind || before.name != object.name ||
                                     (!object.ns.empty() && before.ns != object.ns)))
    work.toDelete.insert(before.dependents.begin(), before.dependents.end());

  Node node = it->second;  // a copy: link() may move the table
  for (const OwnerReference& owner : object.owners) link(node, owner, work);
  for (const OwnerReference& old : before.owners) {
    const OwnerReference* kept = nullptr;
    for (const OwnerReference& owner : object.owners)
      if (owner.uid == old.uid) kept = &owner;
    bool unblocked = old.blockOwnerDeletion.value_or(false) &&
                     (kept == nullptr || !kept->blockOwnerDeletion.value_or(false));
    auto ownerIt = nodes_.find(old.uid);
    if (ownerIt == nodes_.end()) continue;
    if (kept == nullptr) ownerIt->second.dependents.erase(object.uid);
    if (unblocked && ownerIt->second.deletingDependents()) work.toDelete.insert(old.uid);
  }
  // A dependent on its way out may be what its owner waited for; and an object may be born or turn deletable.
  bool startsDeleting = object.beingDeleted && (fresh || before.isVirtual || !before.beingDeleted);
  bool newFinalizer = (object.orphanFinalizer && !before.orphanFinalizer) ||
                      (object.foregroundFinalizer && !before.foregroundFinalizer);
  if (object.beingDeleted && (startsDeleting || newFinalizer)) {
    if (object.orphanFinalizer) work.toOrphan.insert(object.uid);
    if (object.foregroundFinalizer) {
      work.toDelete.insert(node.dependents.begin(), node.dependents.end());
      work.toDelete.insert(object.uid);
    }
  }
  return work;
}

GraphWork OwnerGraph::remove(const std::string& uid) {
  GraphWork work;
  std::lock_guard lock(mutex_);
  auto it = nodes_.find(uid);
  if (it == nodes_.end()) return work;
  Node node = std::move(it->second);
  nodes_.erase(it);
  work.toDelete = node.dependents;
  for (const OwnerReference& owner : node.owners) {
    auto ownerIt = nodes_.find(owner.uid);
    if (ownerIt == nodes_.end()) continue;
    ownerIt->second.dependents.erase(uid);
    if (ownerIt->second.deletingDependents()) work.toDelete.insert(owner.uid);
    // A virtual owner nobody refers to any more is of no interest.
    if (ownerIt->second.isVirtual && ownerIt->second.dependents.empty()) nodes_.erase(ownerIt);
  }
  return work;
}

std::optional<OwnerGraph::Node> OwnerGraph::find(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  auto it = nodes_.find(uid);
  if (it == nodes_.end()) return std::nullopt;
  return it->second;
}

std::vector<OwnerGraph::Node> OwnerGraph::dependentsOf(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  std::vector<Node> out;
  auto it = nodes_.find(uid);
  if (it == nodes_.end()) return out;
  for (const std::string& dependent : it->second.dependents)
    if (auto found = nodes_.find(dependent); found != nodes_.end()) out.push_back(found->second);
  return out;
}

size_t OwnerGraph::size() const {
  std::lock_guard lock(mutex_);
  return nodes_.size();
}

}  // namespace skiff::controllers
