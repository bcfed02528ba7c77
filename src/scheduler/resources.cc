#include "scheduler/resources.h"

#include <algorithm>

namespace skiff::scheduler {
namespace {

using api::core::v1::Container;
using api::core::v1::Pod;

constexpr int64_t kDefaultMilliCpu = 100, kDefaultMemory = 200 << 20;

template <class Combine>
void combine(Resources& to, const Resources& other, Combine both) {
  to.milliCpu = both(to.milliCpu, other.milliCpu);
  to.memory = both(to.memory, other.memory);
  to.ephemeralStorage = both(to.ephemeralStorage, other.ephemeralStorage);
  for (const auto& [name, amount] : other.extended) to.extended[name] = both(to.extended[name], amount);
}

Resources containerRequests(const Container& container, bool scored) {
  Resources requests = resourcesOf(container.resources.requests);
  if (!scored) return requests;
  if (!container.resources.requests.contains("cpu")) requests.milliCpu = kDefaultMilliCpu;
  if (!container.resources.requests.contains("memory")) requests.memory = kDefaultMemory;
  return requests;
}

Resources podRequests(const Pod& pod, bool scored) {
  Resources running;
  for (const auto& container : pod.spec.containers) running.add(containerRequests(container, scored));
  Resources sidecars, initPeak;
  for (const auto& container : pod.spec.initContainers) {
    Resources own = containerRequests(container, scored);
    if (container.restartPolicy == "Always") {  // a sidecar stays beside all that follows
      running.add(own);
      sidecars.add(own);
      initPeak.atLeast(sidecars);
    } else {
      own.add(sidecars);
      initPeak.atLeast(own);
    }
  }
  running.atLeast(initPeak);
  if (pod.spec.resources) {  // pod-level requests replace what its containers say
    Resources whole = resourcesOf(pod.spec.resources->requests);
    if (pod.spec.resources->requests.contains("cpu")) running.milliCpu = whole.milliCpu;
    if (pod.spec.resources->requests.contains("memory")) running.memory = whole.memory;
  }
  running.add(resourcesOf(pod.spec.overhead));
  return running;
}

}  // namespace

void Resources::add(const Resources& other) {
  combine(*this, other, [](int64_t a, int64_t b) { return a + b; });
}
void Resources::subtract(const Resources& other) {
  combine(*this, other, [](int64_t a, int64_t b) { return a - b; });
}
void Resources::atLeast(const Resources& other) {
  combine(*this, other, [](int64_t a, int64_t b) { return std::max(a, b); });
}

Resources resourcesOf(const std::map<std::string, api::Quantity>& list) {
  Resources out;
  for (const auto& [name, quantity] : list) {
    if (name == "cpu") {
      out.milliCpu = quantity.milliValue();
    } else if (name == "memory") {
      out.memory = quantity.value();
    } else if (name == "ephemeral-storage") {
      out.ephemeralStorage = quantity.value();
    } else if (name != "pods") {
      out.extended[name] = quantity.value();
    }
  }
  return out;
}

Resources requestsOf(const Pod& pod) { return podRequests(pod, false); }
Resources scoredRequestsOf(const Pod& pod) { return podRequests(pod, true); }

}  // namespace skiff::scheduler
