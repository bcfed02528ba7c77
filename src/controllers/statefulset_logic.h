// What a StatefulSet needs next, as a pure function of the set, its revisions and its pods.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "controllers/pod_util.h"
#include "gen/apps_v1.h"

namespace skiff::controllers {

using api::apps::v1::StatefulSet;
using api::apps::v1::StatefulSetStatus;
using api::core::v1::PersistentVolumeClaim;

std::string statefulPodName(const StatefulSet& set, int ordinal);
// The ordinal of a pod of this set by its name; nullopt for other names.
std::optional<int> ordinalOf(const StatefulSet& set, std::string_view podName);
std::string claimName(const StatefulSet& set, const PersistentVolumeClaim& claimTemplate, int ordinal);

struct StatefulPlan {
  struct Create {
    int ordinal;
    std::string revision;  // name of the ControllerRevision whose template it gets
  };
  std::vector<Create> create;
  struct Remove {
    PodPtr pod;
    bool recreate = false;  // failed or finished: deleted to be made anew
  };
  std::vector<Remove> remove;
  StatefulSetStatus status;
  std::optional<milliseconds> again;
};
// Names of the ControllerRevisions: `current` is what the set comes from, `update` where it goes to.
StatefulPlan planStatefulSet(const StatefulSet& set, const std::vector<PodPtr>& pods, const std::string& current,
                             const std::string& update, WallTime now);

Pod statefulPod(const StatefulSet& set, const PodTemplateSpec& podTemplate, int ordinal, const std::string& revision);
// The claims of a pod, ready to be made (without owners).
std::vector<PersistentVolumeClaim> claimsOf(const StatefulSet& set, int ordinal);

}  // namespace skiff::controllers
