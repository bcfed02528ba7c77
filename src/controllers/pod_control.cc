#include "controllers/pod_control.h"

#include "base/strings.h"
#include "controllers/parallel.h"

namespace skiff::controllers {

Result<Pod> PodControl::create(const api::core::v1::ObjectReference& owner, const Pod& pod) const {
  auto created = ctx_.client->create(pod);
  if (created.ok()) {
    recorder_.record(owner, "Normal", "SuccessfulCreate", concat("Created pod: ", created->metadata.name));
  } else if (!isNamespaceTerminating(created.error())) {
    recorder_.record(owner, "Warning", "FailedCreate", concat("Error creating: ", created.error().message()));
  }
  return created;
}

Status PodControl::remove(const api::core::v1::ObjectReference& owner, const Pod& pod) const {
  auto removed = ctx_.client->remove<Pod>(pod.metadata.namespace_, pod.metadata.name, {.uid = pod.metadata.uid});
  // Another pod of that name, or none: the one that was meant is gone.
  if (removed.failedWith(Reason::NotFound) || removed.failedWith(Reason::Conflict)) return okStatus();
  if (removed.ok())
    recorder_.record(owner, "Normal", "SuccessfulDelete", concat("Deleted pod: ", pod.metadata.name));
  else
    recorder_.record(owner, "Warning", "FailedDelete", concat("Error deleting: ", removed.error().message()));
  return removed;
}

Status PodControl::createMany(const api::core::v1::ObjectReference& owner, Expectations& expectations,
                              const std::string& key, int count, const std::function<Pod(int)>& make) const {
  expectations.expectCreations(key, count);
  int successes = 0;
  Status status = slowStartBatch(ctx_.executor, count, &successes, [&](int i) -> Status {
    auto created = create(owner, make(i));
    if (created.ok()) return okStatus();
    return std::move(created).error();
  });
  if (successes < count) expectations.creationObserved(key, count - successes);
  if (!status.ok() && isNamespaceTerminating(status.error())) return okStatus();
  return status;
}

Status PodControl::removeMany(const api::core::v1::ObjectReference& owner, Expectations& expectations,
                              const std::string& key, const std::vector<PodPtr>& pods) const {
  std::set<std::string> uids;
  for (const auto& pod : pods) uids.insert(pod->metadata.uid);
  expectations.expectDeletions(key, std::move(uids));
  return runParallel(ctx_.executor, int(pods.size()), [&](int i) -> Status {
    const Pod& pod = *pods[size_t(i)];
    Status removed = remove(owner, pod);
    if (!removed.ok()) expectations.deletionObserved(key, pod.metadata.uid);
    return removed;
  });
}

}  // namespace skiff::controllers
