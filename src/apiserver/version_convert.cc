#include "apiserver/version_convert.h"

#include <array>

#include "api/convert.h"
#include "apiserver/object_codec.h"

namespace skiff::apiserver {
namespace {

using codec::Arena;
using codec::Value;

struct Rename {
  std::string_view from, to;
};

void rename(Value& object, Arena& arena, std::string_view from, std::string_view to) {
  Value* value = object.find(from);
  if (!value) return;
  Value moved = *value;
  object.erase(from);
  object.set(arena, to, moved);
}

// events.k8s.io/v1 names the same fields anew.
constexpr std::array<Rename, 6> kEventNames{{{"involvedObject", "regarding"},
                                             {"message", "note"},
                                             {"source", "deprecatedSource"},
                                             {"firstTimestamp", "deprecatedFirstTimestamp"},
                                             {"lastTimestamp", "deprecatedLastTimestamp"},
                                             {"count", "deprecatedCount"}}};

void convertEvent(Value& event, bool toCore, Arena& arena) {
  for (const Rename& name : kEventNames)
    toCore ? rename(event, arena, name.to, name.from) : rename(event, arena, name.from, name.to);
  toCore ? rename(event, arena, "reportingController", "reportingComponent")
         : rename(event, arena, "reportingComponent", "reportingController");
}

// autoscaling/v1 knows one metric, the CPU's utilization; others ride in annotations.
bool isCpuUtilization(const Value& metric) {
  const Value& resource = metric["resource"];
  return metric["type"].asString() == "Resource" && resource["name"].asString() == "cpu" &&
         resource["target"]["type"].asString() == "Utilization";
}

void scalerToV1(Value& hpa, Arena& arena) {
  if (Value* spec = hpa.find("spec")) {
    for (const Value& metric : std::as_const((*spec)["metrics"]).items())
      if (isCpuUtilization(metric))
        spec->set(arena, "targetCPUUtilizationPercentage", metric["resource"]["target"]["averageUtilization"]);
    spec->erase("metrics");
    spec->erase("behavior");
  }
  Value* status = hpa.find("status");
  if (!status) return;
  for (const Value& metric : std::as_const((*status)["currentMetrics"]).items()) {
    const Value& current = metric["resource"]["current"];
    if (metric["resource"]["name"].asString() == "cpu" && current.has("averageUtilization"))
      status->set(arena, "currentCPUUtilizationPercentage", current["averageUtilization"]);
  }
  status->erase("currentMetrics");
  status->erase("conditions");
}

Value cpuMetric(Arena& arena, std::string_view part, Value part2) {
  Value resource = Value::map();
  resource.set(arena, "name", Value::string("cpu"));
  resource.set(arena, part, part2);
  Value metric = Value::map();
  metric.set(arena, "type", Value::string("Resource"));
  metric.set(arena, "resource", resource);
  Value list = Value::list();
  list.push(arena, metric);
  return list;
}

void scalerToV2(Value& hpa, Arena& arena) {
  if (Value* spec = hpa.find("spec")) {
    if (const Value* percent = spec->find("targetCPUUtilizationPercentage")) {
      Value target = Value::map();
      target.set(arena, "type", Value::string("Utilization"));
      target.set(arena, "averageUtilization", *percent);
      spec->set(arena, "metrics", cpuMetric(arena, "target", target));
      spec->erase("targetCPUUtilizationPercentage");
    }
  }
  Value* status = hpa.find("status");
  if (!status) return;
  if (const Value* percent = status->find("currentCPUUtilizationPercentage")) {
    Value current = Value::map();
    current.set(arena, "averageUtilization", *percent);
    status->set(arena, "currentMetrics", cpuMetric(arena, "current", current));
    status->erase("currentCPUUtilizationPercentage");
  }
}

}  // namespace

Status convertObject(Value& object, const api::ResourceInfo& from, const api::ResourceInfo& to, bool custom,
                     Arena& arena) {
  if (&from == &to) return okStatus();
  if (from.plural == "events") convertEvent(object, to.group.empty(), arena);
  if (from.group == "autoscaling" && from.plural == "horizontalpodautoscalers")
    to.version == "v1" ? scalerToV1(object, arena) : scalerToV2(object, arena);
  if (!custom && to.type) {
    api::DecodeReport dropped;  // fields that the other version has not
    TRY(api::conform(object, *to.type, arena, dropped));
  }
  setTypeMeta(object, arena, arena.copy(api::apiVersionOf(to.group, to.version)), to.kind);
  return okStatus();
}

}  // namespace skiff::apiserver
