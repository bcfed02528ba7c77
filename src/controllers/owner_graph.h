// The graph of owners and dependents over all objects, as the garbage collector's watches tell it.
// Pure bookkeeping: says which objects deserve a look, never talks to the API. Thread safe.
//
//   an owner named by a dependent but not yet seen is a *virtual* node: a live read decides whether it exists
#pragma once
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/object.h"
#include "gen/meta_v1.h"

namespace skiff::controllers {

using api::meta::v1::OwnerReference;

inline constexpr std::string_view kOrphanFinalizer = "orphan";
inline constexpr std::string_view kForegroundFinalizer = "foregroundDeletion";

struct GraphObject {
  std::string apiVersion, kind, ns, name, uid;
  std::vector<OwnerReference> owners;
  bool beingDeleted = false;
  bool orphanFinalizer = false, foregroundFinalizer = false;
  static GraphObject of(const api::Object& object);
};

// Uids to look at: may they be deleted; or must their dependents be orphaned.
struct GraphWork {
  std::set<std::string> toDelete, toOrphan;
};

class OwnerGraph {
 public:
  GraphWork upsert(const GraphObject& object);
  GraphWork remove(const std::string& uid);

  struct Node : GraphObject {
    std::set<std::string> dependents;
    bool isVirtual = false;
    // Waits, with its finalizer, for those dependents that block its deletion.
    bool deletingDependents() const { return beingDeleted && foregroundFinalizer; }
  };
  std::optional<Node> find(const std::string& uid) const;
  std::vector<Node> dependentsOf(const std::string& uid) const;
  size_t size() const;

 private:
  void link(const Node& node, const OwnerReference& owner, GraphWork& work);
  mutable std::mutex mutex_;  // guards nodes_
  std::unordered_map<std::string, Node> nodes_;  // by uid
};

}  // namespace skiff::controllers
