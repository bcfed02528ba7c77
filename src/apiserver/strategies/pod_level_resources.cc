// Resources that are stated for a whole pod: what it asks for follows from its containers and its limits.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#pod-level-resource-specification
#include <algorithm>
#include <optional>
#include <set>

#include "apiserver/strategies/checks.h"
#include "apiserver/strategies/pod_spec.h"

namespace skiff::apiserver {

namespace {

using api::Quantity;
using codec::Arena;
using codec::Value;

bool isForPods(std::string_view resource) {
  return resource == "cpu" || resource == "memory" || resource.starts_with("hugepages-");
}

// What the containers ask for together; nullopt when none names the resource. Init containers run one after the other,
// but for those that stay.
std::optional<Quantity> containerRequests(const Value& spec, std::string_view resource) {
  std::optional<Quantity> sum, largestInit;
  auto request = [&](const Value& container) {
    return Quantity::parse(container["resources"]["requests"][resource].asString());
  };
  for (const Value& container : spec["containers"].items())
    if (auto asked = request(container)) sum = sum ? *sum + *asked : *asked;
  for (const Value& container : spec["initContainers"].items()) {
    auto asked = request(container);
    if (!asked) continue;
    if (container["restartPolicy"].asString() == "Always") sum = sum ? *sum + *asked : *asked;
    else if (!largestInit || *asked > *largestInit) largestInit = asked;
  }
  if (!sum || (largestInit && *largestInit > *sum)) return largestInit;
  return sum;
}

std::set<std::string_view> resourcesOf(const Value& spec) {
  std::set<std::string_view> names;
  auto take = [&](const Value& amounts) {
    for (const codec::Member& member : amounts.members())
      if (isForPods(member.key)) names.insert(member.key);
  };
  take(spec["resources"]["limits"]);
  for (std::string_view list : {"containers", "initContainers"})
    for (const Value& container : spec[list].items()) take(container["resources"]["requests"]);
  return names;
}

}  // namespace

void setPodLevelRequests(Value& spec, Arena& arena) {
  const Value limits = spec["resources"]["limits"];
  Value requests = spec["resources"]["requests"];
  if (limits.empty() && requests.empty()) return;
  if (!requests.isMap()) requests = Value::map();
  for (std::string_view name : resourcesOf(spec)) {
    if (requests.has(name)) continue;
    if (auto asked = containerRequests(spec, name)) requests.set(arena, name, Value::text(arena, asked->str()));
    else if (limits.has(name)) requests.set(arena, name, limits[name]);
  }
  std::ranges::sort(requests.members(), {}, &codec::Member::key);
  if (!requests.empty()) spec.child(arena, "resources").set(arena, "requests", requests);
}

}  // namespace skiff::apiserver
