// Creating and deleting the pods of a controller, with upstream's events and expectations kept.
#pragma once
#include <string>
#include <vector>

#include "controllers/controller.h"
#include "controllers/controller_ref.h"
#include "controllers/expectations.h"
#include "controllers/pod_util.h"

namespace skiff::controllers {

class PodControl {
 public:
  PodControl(Context& context, client::EventRecorder& recorder) : ctx_(context), recorder_(recorder) {}

  // SuccessfulCreate or FailedCreate on `owner`.
  Result<Pod> create(const api::core::v1::ObjectReference& owner, const Pod& pod) const;
  // SuccessfulDelete or FailedDelete on `owner`; a pod that is gone is no error.
  Status remove(const api::core::v1::ObjectReference& owner, const Pod& pod) const;

  // `make(i)` for i in 0 .. count - 1, in slowly growing batches; what was not created is no longer expected.
  Status createMany(const api::core::v1::ObjectReference& owner, Expectations& expectations, const std::string& key,
                    int count, const std::function<Pod(int)>& make) const;
  Status removeMany(const api::core::v1::ObjectReference& owner, Expectations& expectations, const std::string& key,
                    const std::vector<PodPtr>& pods) const;

 private:
  Context& ctx_;
  client::EventRecorder& recorder_;
};

// Events of pods for a controller of kind Owner: which owner's key to queue, and what was expected.
// Pods without a controller go to every owner of the namespace whose selector matches.
template <class Owner>
struct PodEvents {
  client::Informer<Owner> owners;
  Expectations* expectations;
  client::WorkQueue* queue;
  std::function<api::LabelSelector(const Owner&)> selectorOf;
  // A wish to be called again once the pod is available; may be empty.
  std::function<int32_t(const Owner&)> minReadySeconds;

  void attach(client::Informer<Pod> pods) const {
    auto self = std::make_shared<const PodEvents>(*this);
    pods.addHandler({.onAdd = [self](const PodPtr& pod) { self->added(*pod); },
                     .onUpdate = [self](const PodPtr& before, const PodPtr& now) { self->updated(*before, *now); },
                     .onDelete = [self](const PodPtr& pod) { self->deleted(*pod); }});
  }

 private:
  std::shared_ptr<const Owner> ownerOf(const ObjectMeta& meta) const {
    const OwnerReference* ref = controllerOf(meta);
    if (ref == nullptr || ref->kind != Owner::kKind) return nullptr;
    auto owner = owners.get(meta.namespace_, ref->name);
    return owner && owner->metadata.uid == ref->uid ? owner : nullptr;
  }
  static std::string keyOf(const ObjectMeta& meta) { return meta.namespace_ + "/" + meta.name; }
  void enqueueMatching(const Pod& pod) const {
    for (const auto& owner : owners.list(pod.metadata.namespace_))
      if (selectorOf(*owner).matches(pod.metadata.labels)) queue->add(keyOf(owner->metadata));
  }
  void added(const Pod& pod) const {
    if (pod.metadata.deletionTimestamp) return deleted(pod);  // after a restart: it will never be anything else
    if (controllerOf(pod.metadata) == nullptr) return enqueueMatching(pod);
    auto owner = ownerOf(pod.metadata);
    if (!owner) return;
    expectations->creationObserved(keyOf(owner->metadata));
    queue->add(keyOf(owner->metadata));
  }
  void updated(const Pod& before, const Pod& now) const {
    if (before.metadata.resourceVersion == now.metadata.resourceVersion) return;
    if (now.metadata.deletionTimestamp) {
      // Graceful deletion has begun: for counting it is as good as gone, and can be replaced.
      deleted(now);
      return;
    }
    const OwnerReference* was = controllerOf(before.metadata);
    const OwnerReference* is = controllerOf(now.metadata);
    bool moved = (was == nullptr) != (is == nullptr) || (was != nullptr && was->uid != is->uid);
    if (moved && was != nullptr)
      if (auto owner = ownerOf(before.metadata)) queue->add(keyOf(owner->metadata));
    if (is == nullptr) {
      if (moved || before.metadata.labels != now.metadata.labels) enqueueMatching(now);
      return;
    }
    auto owner = ownerOf(now.metadata);
    if (!owner) return;
    queue->add(keyOf(owner->metadata));
  }
  void deleted(const Pod& pod) const {
    auto owner = ownerOf(pod.metadata);
    if (!owner) return;
    expectations->deletionObserved(keyOf(owner->metadata), pod.metadata.uid);
    queue->add(keyOf(owner->metadata));
  }
};

}  // namespace skiff::controllers
