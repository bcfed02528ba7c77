// What a job needs next, as a pure function of the job and its pods.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/
//
//   pod ends -> its uid in status.uncountedTerminatedPods -> its finalizer removed -> counted, uid dropped
//
// Each arrow is a write of its own, so that no end is lost or counted twice whatever fails in between.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controllers/pod_util.h"
#include "gen/batch_v1.h"

namespace skiff::controllers {

using api::batch::v1::Job;
using api::batch::v1::JobStatus;

inline constexpr std::string_view kJobFinalizer = "batch.kubernetes.io/job-tracking";
inline constexpr std::string_view kCompletionIndex = "batch.kubernetes.io/job-completion-index";
inline constexpr std::string_view kIndexFailures = "batch.kubernetes.io/job-index-failure-count";

// When the job completed or failed; nullopt while it has not.
std::optional<WallTime> finishTime(const Job& job);
bool hasJobFinalizer(const Pod& pod);
bool isIndexed(const Job& job);
std::optional<int> completionIndex(const Pod& pod);

// "1,3-5,7"
std::set<int> parseIndexes(std::string_view text, int completions);
std::string formatIndexes(const std::set<int>& indexes);

// What the job's podFailurePolicy says of a failed pod; "" when no rule matches.
struct FailureVerdict {
  std::string action;   // FailJob, FailIndex, Ignore, Count
  std::string message;  // of FailJob
};
FailureVerdict matchFailurePolicy(const Job& job, const Pod& pod);

struct JobEvent {
  std::string type, reason, message;
};
struct JobPlan {
  JobStatus status;
  std::vector<std::optional<int>> create;  // one for each pod: its completion index, if it has one
  std::map<int, int> indexFailures;        // failures so far of indexes in `create`
  std::vector<PodPtr> remove;              // active pods to delete
  std::vector<PodPtr> untrack;             // pods whose finalizer goes, once the status is written
  std::vector<JobEvent> events;            // to record, once the status is written
  std::optional<milliseconds> again;
};
enum class MayCreate { No, Yes };  // no: earlier creations and deletions are not in the cache yet
JobPlan planJob(const Job& job, const std::vector<PodPtr>& pods, MayCreate mayCreate, WallTime now);

// The pod of an index (or of none).
Pod jobPod(const Job& job, std::optional<int> index, int indexFailures);

}  // namespace skiff::controllers
