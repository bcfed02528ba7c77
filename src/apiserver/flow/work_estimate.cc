#include "apiserver/flow/work_estimate.h"

#include <algorithm>

#include "apiserver/query.h"
#include "base/strings.h"

namespace skiff::apiserver::flow {
namespace {

constexpr int64_t kObjectsPerSeat = 100;
constexpr int kWatchesPerSeat = 10;
// Telling watchers goes on after a write's answer: so long for each seat.
constexpr double kTellSeconds = 0.005;

int seatsFor(int64_t amount, int64_t perSeat) { return int(std::clamp<int64_t>((amount + perSeat - 1) / perSeat, 1, kMaxSeats)); }

bool isWrite(std::string_view verb) {
  return verb == "create" || verb == "update" || verb == "patch" || verb == "delete" || verb == "deletecollection";
}

}  // namespace

void WatchCounts::add(const RequestInfo& request, int change) {
  std::string key = concat(request.group, '/', request.resource);
  std::lock_guard lock(mutex_);
  auto found = counts_.try_emplace(std::move(key), 0).first;
  if ((found->second += change) <= 0) counts_.erase(found);
}

int WatchCounts::of(const RequestInfo& request) const {
  std::string key = concat(request.group, '/', request.resource);
  std::lock_guard lock(mutex_);
  auto found = counts_.find(key);
  return found == counts_.end() ? 0 : found->second;
}

Work WorkEstimator::estimate(const RequestInfo& request, std::string_view query) const {
  Work work;
  if (!request.isResource) return work;
  if (request.verb == "list") {
    work.seats = seatsOfList(request, query);
  } else if (isWrite(request.verb) && request.subresource.empty()) {
    int watches = watches_.of(request);
    if (watches < kWatchesPerSeat) return work;
    work.seats = seatsFor(watches, kWatchesPerSeat);
    work.seconds += kTellSeconds;
  }
  return work;
}

// Every list is served from memory, so a limit bounds the work too: with a selector, more objects are looked at than are sent.
int WorkEstimator::seatsOfList(const RequestInfo& request, std::string_view query) const {
  ServedPtr resource = resources_.current()->find(request.group, request.version, request.resource);
  if (!resource || !resource->stored()) return 1;
  std::string prefix = resource->prefixOf(resource->info->namespaced ? std::string_view(request.ns) : "");
  auto stored = int64_t(store_.count(prefix, store::prefixEnd(prefix)));
  bool selects = !request.fieldSelector.empty() || !request.labelSelector.empty();
  int64_t limit = query.empty() || selects ? 0 : parseInt(Query(query).get("limit")).value_or(0);
  return seatsFor(limit > 0 ? std::min(stored, 2 * limit) : stored, kObjectsPerSeat);
}

}  // namespace skiff::apiserver::flow
