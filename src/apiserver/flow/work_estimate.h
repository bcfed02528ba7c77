// How many seats a request takes: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#seats-occupied-by-a-request
#pragma once
#include <map>
#include <mutex>
#include <string>

#include "apiserver/flow/seat.h"
#include "apiserver/request.h"
#include "apiserver/resource_map.h"
#include "store/store.h"

namespace skiff::apiserver::flow {

inline constexpr int kMaxSeats = 10;

// How many watches are open on each resource: what a write has to tell so many.
class WatchCounts {
 public:
  void add(const RequestInfo& request, int change);
  int of(const RequestInfo& request) const;

 private:
  mutable std::mutex mutex_;  // guards counts_
  std::map<std::string, int, std::less<>> counts_;  // by "group/resource"
};

class WorkEstimator {
 public:
  WorkEstimator(const store::Store& store, const Resources& resources, const WatchCounts& watches)
      : store_(store), resources_(resources), watches_(watches) {}
  Work estimate(const RequestInfo& request, std::string_view query) const;

 private:
  int seatsOfList(const RequestInfo& request, std::string_view query) const;
  const store::Store& store_;
  const Resources& resources_;
  const WatchCounts& watches_;
};

}  // namespace skiff::apiserver::flow
