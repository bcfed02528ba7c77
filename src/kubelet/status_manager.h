// Writes pod statuses to the API: a strategic merge patch of what changed, and nothing when nothing did.
#pragma once
#include <string>

#include "client/client.h"
#include "kubelet/pod_util.h"

namespace skiff::kubelet {

// The patch of status from `before` to `now`; "" when they are equal. Condition types that the kubelet does not own stay
// as they are, whoever wrote them.
std::string statusPatch(const Pod& pod, const PodStatus& before, const PodStatus& now);

// The reason of a DisruptionTarget condition that is ours.
inline constexpr std::string_view kTerminationByKubelet = "TerminationByKubelet";

// Has somebody else set a condition that is ours to tell (the node's lifecycle: Ready, when the node seemed lost)?
bool isOverwritten(const PodStatus& inApi, const PodStatus& ours);

class StatusManager {
 public:
  explicit StatusManager(client::Client& api) : api_(api) {}
  // NotFound and a conflict of uids (the pod is another by now) count as done. Gives the resourceVersion that was
  // written, 0 if nothing was.
  Result<uint64_t> publish(const Pod& pod, const PodStatus& before, const PodStatus& now);
  // The end: the API object goes, if it is still this pod.
  Status removePod(const Pod& pod);

 private:
  client::Client& api_;
};

}  // namespace skiff::kubelet
