// autoscaling/v1 knows one metric, the utilization of the CPU. All else of v2 rides in annotations
// as JSON of v1's own, older forms of the metrics.
#include "api/conversion_impl.h"
#include "api/convert.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
constexpr std::string_view kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr std::string_view kCurrentMetrics = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr std::string_view kConditions = "autoscaling.alpha.kubernetes.io/conditions";
constexpr std::string_view kBehavior = "autoscaling.alpha.kubernetes.io/behavior";
// Annotations come from users: deeper or larger JSON is left alone.
constexpr int kMaxDepth = 64;

// One field of a metric source in v1 and its path in v2.
struct Mapping {
  std::string_view source, v1, outer, v2;
};
constexpr Mapping kSpecFields[] = {
    {"object", "target", "", "describedObject"},
    {"object", "metricName", "metric", "name"},
    {"object", "selector", "metric", "selector"},
    {"object", "targetValue", "target", "value"},
    {"object", "averageValue", "target", "averageValue"},
    {"pods", "metricName", "metric", "name"},
    {"pods", "selector", "metric", "selector"},
    {"pods", "targetAverageValue", "target", "averageValue"},
    {"resource", "name", "", "name"},
    {"resource", "targetAverageUtilization", "target", "averageUtilization"},
    {"resource", "targetAverageValue", "target", "averageValue"},
    {"containerResource", "name", "", "name"},
    {"containerResource", "container", "", "container"},
    {"containerResource", "targetAverageUtilization", "target", "averageUtilization"},
    {"containerResource", "targetAverageValue", "target", "averageValue"},
    {"external", "metricName", "metric", "name"},
    {"external", "metricSelector", "metric", "selector"},
    {"external", "targetValue", "target", "value"},
    {"external", "targetAverageValue", "target", "averageValue"},
};
constexpr Mapping kStatusFields[] = {
    {"object", "target", "", "describedObject"},
    {"object", "metricName", "metric", "name"},
    {"object", "selector", "metric", "selector"},
    {"object", "currentValue", "current", "value"},
    {"object", "averageValue", "current", "averageValue"},
    {"pods", "metricName", "metric", "name"},
    {"pods", "selector", "metric", "selector"},
    {"pods", "currentAverageValue", "current", "averageValue"},
    {"resource", "name", "", "name"},
    {"resource", "currentAverageUtilization", "current", "averageUtilization"},
    {"resource", "currentAverageValue", "current", "averageValue"},
    {"containerResource", "name", "", "name"},
    {"containerResource", "container", "", "container"},
    {"containerResource", "currentAverageUtilization", "current", "averageUtilization"},
    {"containerResource", "currentAverageValue", "current", "averageValue"},
    {"external", "metricName", "metric", "name"},
    {"external", "metricSelector", "metric", "selector"},
    {"external", "currentValue", "current", "value"},
    {"external", "currentAverageValue", "current", "averageValue"},
};

template <size_t N>
Value metricToV1(const Value& metric, const Mapping (&fields)[N], Arena& arena) {
  Value out = Value::map();
  out.set(arena, "type", metric["type"]);
  for (const auto& field : fields) {
    const Value* source = metric.find(field.source);
    if (!source) continue;
    const Value& value =
        field.outer.empty() ? (*source)[field.v2] : (*source)[field.outer][field.v2];
    Value& to = out.child(arena, field.source);
    if (to.isNull()) to = Value::map();
    if (!value.isNull()) to.set(arena, field.v1, value);
  }
  return out;
}

std::string_view targetType(const Value& target) {
  if (target.has("averageUtilization")) return "Utilization";
  std::string_view average = target["averageValue"].asString();
  return !average.empty() && average != "0" ? "AverageValue" : "Value";
}

template <size_t N>
Value metricToV2(const Value& metric, const Mapping (&fields)[N], bool isSpec, Arena& arena) {
  Value out = Value::map();
  out.set(arena, "type", metric["type"]);
  for (const auto& field : fields) {
    const Value* source = metric.find(field.source);
    if (!source) continue;
    Value& to = out.child(arena, field.source);
    if (to.isNull()) to = Value::map();
    const Value& value = (*source)[field.v1];
    // A quantity held by value is "0" when it was never set.
    bool unset = value.isNull() ||
                 (field.v2 == "value" && value.asString() == "0" && source->has("averageValue"));
    if (unset) continue;
    Value& inner = field.outer.empty() ? to : to.child(arena, field.outer);
    if (inner.isNull()) inner = Value::map();
    inner.set(arena, field.v2, value);
  }
  if (!isSpec) return out;
  for (auto& member : out.members())
    if (Value* target = member.value.find("target"))
      target->set(arena, "type", Value::string(targetType(*target)));
  return out;
}

bool isCpuUtilization(const Value& metric, std::string_view part) {
  const Value& resource = metric["resource"];
  return metric["type"].asString() == "Resource" && resource["name"].asString() == "cpu" &&
         resource[part]["averageUtilization"].isInt();
}

void annotate(Value& object, std::string_view key, const Value& value, Arena& arena) {
  Value& metadata = object.child(arena, "metadata");
  if (metadata.isNull()) metadata = Value::map();
  Value& annotations = metadata.child(arena, "annotations");
  if (annotations.isNull()) annotations = Value::map();
  annotations.set(arena, key, Value::text(arena, codec::toJson(value)));
}

// The annotation's value if it is JSON; it is taken off the object either way only when it could be
// read.
Value takeAnnotation(Value& object, std::string_view key, Arena& arena) {
  Value* metadata = object.find("metadata");
  Value* annotations = metadata ? metadata->find("annotations") : nullptr;
  const Value* text = annotations ? annotations->find(key) : nullptr;
  if (!text) return {};
  auto parsed = codec::parseJson(text->asString(), arena, {.maxDepth = kMaxDepth});
  if (!parsed.ok()) return {};
  annotations->erase(key);
  return *parsed;
}

Status conformAll(Value& list, std::string_view kind, Arena& arena) {
  DecodeReport lost;
  const TypeInfo* type = findType("autoscaling/v1", kind);
  for (auto& item : list.items())
    if (type) TRY(conform(item, *type, arena, lost));
  return okStatus();
}

Value cpuMetric(std::string_view part, Value utilization, Arena& arena) {
  Value inner = Value::map(), resource = Value::map(), metric = Value::map();
  if (part == "target") inner.set(arena, "type", Value::string("Utilization"));
  inner.set(arena, "averageUtilization", utilization);
  resource.set(arena, "name", Value::string("cpu"));
  resource.set(arena, part, inner);
  metric.set(arena, "type", Value::string("Resource"));
  metric.set(arena, "resource", resource);
  return metric;
}
}  // namespace

Status autoscalerToV1(Value& object, Arena& arena) {
  if (Value* spec = object.find("spec")) {
    Value others = Value::list();
    for (const auto& metric : std::as_const((*spec)["metrics"]).items()) {
      if (isCpuUtilization(metric, "target") && !spec->has("targetCPUUtilizationPercentage"))
        spec->set(arena, "targetCPUUtilizationPercentage",
                  metric["resource"]["target"]["averageUtilization"]);
      else
        others.push(arena, metricToV1(metric, kSpecFields, arena));
    }
    Value behavior = (*spec)["behavior"];
    TRY(conformAll(others, "MetricSpec", arena));
    if (!others.empty()) annotate(object, kMetrics, others, arena);
    if (!behavior.isNull()) annotate(object, kBehavior, behavior, arena);
  }
  const Value* status = object.find("status");
  if (!status) return okStatus();
  Value others = Value::list(), utilization, conditions = (*status)["conditions"];
  for (const auto& metric : std::as_const((*status)["currentMetrics"]).items()) {
    if (isCpuUtilization(metric, "current") && utilization.isNull())
      utilization = metric["resource"]["current"]["averageUtilization"];
    else
      others.push(arena, metricToV1(metric, kStatusFields, arena));
  }
  TRY(conformAll(others, "MetricStatus", arena));
  if (!others.empty()) annotate(object, kCurrentMetrics, others, arena);
  if (!conditions.empty()) annotate(object, kConditions, conditions, arena);
  if (!utilization.isNull())
    object.find("status")->set(arena, "currentCPUUtilizationPercentage", utilization);
  return okStatus();
}

Status autoscalerToV2(Value& object, Arena& arena) {
  Value metrics = takeAnnotation(object, kMetrics, arena),
        current = takeAnnotation(object, kCurrentMetrics, arena);
  Value behavior = takeAnnotation(object, kBehavior, arena),
        conditions = takeAnnotation(object, kConditions, arena);
  Value* spec = object.find("spec");
  if (spec) {
    Value all = Value::list();
    for (const auto& metric : std::as_const(metrics).items())
      all.push(arena, metricToV2(metric, kSpecFields, true, arena));
    if (const Value& percent = (*spec)["targetCPUUtilizationPercentage"]; percent.isInt())
      all.push(arena, cpuMetric("target", percent, arena));
    spec->erase("targetCPUUtilizationPercentage");
    if (!all.empty()) spec->set(arena, "metrics", all);
    if (behavior.isMap()) spec->set(arena, "behavior", behavior);
  }
  Value* status = object.find("status");
  if (!status) return okStatus();
  Value all = Value::list();
  for (const auto& metric : std::as_const(current).items())
    all.push(arena, metricToV2(metric, kStatusFields, false, arena));
  if (const Value& percent = (*status)["currentCPUUtilizationPercentage"]; percent.isInt())
    all.push(arena, cpuMetric("current", percent, arena));
  status->erase("currentCPUUtilizationPercentage");
  if (!all.empty()) status->set(arena, "currentMetrics", all);
  if (conditions.isList()) status->set(arena, "conditions", conditions);
  return okStatus();
}

}  // namespace skiff::api
