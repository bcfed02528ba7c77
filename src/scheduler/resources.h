// Amounts of compute resources as the scheduler adds and compares them.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "gen/core_v1.h"

namespace skiff::scheduler {

struct Resources {
  int64_t milliCpu = 0;
  int64_t memory = 0;            // bytes
  int64_t ephemeralStorage = 0;  // bytes
  std::map<std::string, int64_t> extended;

  void add(const Resources& other);
  void subtract(const Resources& other);
  void atLeast(const Resources& other);  // the greater of each
};
Resources resourcesOf(const std::map<std::string, api::Quantity>& list);

// What a pod needs: the sum of containers and sidecars, or the greatest init container if that is more; plus overhead.
// https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
Resources requestsOf(const api::core::v1::Pod& pod);
// The same with 100m CPU and 200 MiB memory for containers that ask for nothing: scores spread those too.
Resources scoredRequestsOf(const api::core::v1::Pod& pod);

}  // namespace skiff::scheduler
