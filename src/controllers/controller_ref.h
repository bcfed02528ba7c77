// Owner references: which controller an object belongs to, and taking or leaving objects by a selector.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/selectors.h"
#include "client/client.h"
#include "client/informer.h"
#include "gen/meta_v1.h"

namespace skiff::controllers {

using api::meta::v1::ObjectMeta;
using api::meta::v1::OwnerReference;

const OwnerReference* controllerOf(const ObjectMeta& meta);  // null when no controller owns it
inline bool isControlledBy(const ObjectMeta& meta, std::string_view uid) {
  const OwnerReference* ref = controllerOf(meta);
  return ref != nullptr && ref->uid == uid;
}

OwnerReference newControllerRef(std::string apiVersion, std::string_view kind, const ObjectMeta& owner);
template <class T>
OwnerReference newControllerRef(const T& owner) {
  return newControllerRef(api::apiVersionOf(T::kGroup, T::kVersion), T::kKind, owner.metadata);
}

// Index of an informer by the controller's uid; objects without one are under orphanIndexValue(namespace).
inline constexpr std::string_view kControllerIndex = "controllerUid";
std::string orphanIndexValue(std::string_view ns);
std::vector<std::string> controllerIndexValues(const ObjectMeta& meta);
template <class T>
void addControllerIndex(client::Informer<T>& informer) {
  informer.addIndex(std::string(kControllerIndex), [](const T& object) { return controllerIndexValues(object.metadata); });
}

// Decides what becomes of one object.
enum class Claim { Ignore, Keep, Adopt, Release };
Claim decideClaim(const ObjectMeta& object, const ObjectMeta& owner, bool selectorMatches);

// The bodies of the strategic merge patches that add and remove the owner.
std::string adoptPatch(const OwnerReference& owner, std::string_view objectUid,
                       const std::vector<std::string>& finalizers = {});
std::string releasePatch(std::string_view ownerUid, std::string_view objectUid);

// All objects that belong to `owner` after adopting matching orphans and releasing those that match no longer.
// `eligible` narrows what is looked at; adopted objects get `finalizers` too. An adoption is preceded by a live read of the owner (once): it may have been deleted and made anew.
template <class Owner, class T>
Result<std::vector<std::shared_ptr<const T>>> claimObjects(const client::Client& client, const Owner& owner,
                                                           const api::LabelSelector& selector,
                                                           const client::Informer<T>& informer,
                                                           const std::vector<std::string>& finalizers = {},
                                                           const std::function<bool(const T&)>& eligible = {}) {
  std::vector<std::shared_ptr<const T>> claimed;
  bool mayAdopt = false;
  auto consider = [&](const std::shared_ptr<const T>& object) -> Status {
    const ObjectMeta& meta = object->metadata;
    if (eligible && !eligible(*object)) return okStatus();
    switch (decideClaim(meta, owner.metadata, selector.matches(meta.labels))) {
      case Claim::Ignore: return okStatus();
      case Claim::Keep: claimed.push_back(object); return okStatus();
      case Claim::Adopt: {
        if (!mayAdopt) {
          Owner live = TRY(client.get<Owner>(owner.metadata.namespace_, owner.metadata.name));
          if (live.metadata.uid != owner.metadata.uid)
            return internalError("original " + std::string(Owner::kKind) + " " + owner.metadata.namespace_ + "/" +
                                 owner.metadata.name + " is gone: got uid " + live.metadata.uid + ", wanted " +
                                 owner.metadata.uid);
          if (live.metadata.deletionTimestamp) return okStatus();
          mayAdopt = true;
        }
        auto adopted = client.patch<T>(meta.namespace_, meta.name, client::PatchType::StrategicMerge,
                                       adoptPatch(newControllerRef(owner), meta.uid, finalizers));
        if (adopted.ok()) {
          claimed.push_back(std::make_shared<const T>(std::move(adopted).value()));
          return okStatus();
        }
        // Gone, or replaced by another of the same name: not ours to adopt.
        if (adopted.failedWith(Reason::NotFound) || adopted.failedWith(Reason::Invalid)) return okStatus();
        return std::move(adopted).error();
      }
      case Claim::Release: {
        auto released = client.patch<T>(meta.namespace_, meta.name, client::PatchType::StrategicMerge,
                                        releasePatch(owner.metadata.uid, meta.uid));
        if (released.ok() || released.failedWith(Reason::NotFound) || released.failedWith(Reason::Invalid))
          return okStatus();
        return std::move(released).error();
      }
    }
    return okStatus();
  };
  for (const auto& object : informer.byIndex(kControllerIndex, owner.metadata.uid)) TRY(consider(object));
  for (const auto& object : informer.byIndex(kControllerIndex, orphanIndexValue(owner.metadata.namespace_)))
    TRY(consider(object));
  return claimed;
}

}  // namespace skiff::controllers
