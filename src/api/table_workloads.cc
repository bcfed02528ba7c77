// Rows of apps, batch and autoscaling.
#include "api/table.h"
#include "api/table_rows.h"
#include "base/strings.h"

namespace skiff::api {
using codec::Value;

namespace {
void controllerRevision(Row& row) {
  std::string owner = "<none>";
  for (const auto& reference : row["metadata"]["ownerReferences"].items()) {
    if (!reference["controller"].asBool()) continue;
    std::string kind = toLower(reference["kind"].asString());
    if (auto group = cut(reference["apiVersion"].asString(), "/"))
      kind += concat('.', group->first);
    owner = concat(kind, '/', reference["name"].asString());
  }
  row.name();
  row.text(owner);
  row.number(row["revision"]);
  row.age();
}

void daemonSet(Row& row) {
  const Value& status = row["status"];
  const Value& pod = row["spec"]["template"]["spec"];
  row.name();
  for (std::string_view field : {"desiredNumberScheduled", "currentNumberScheduled", "numberReady",
                                 "updatedNumberScheduled", "numberAvailable"})
    row.number(status[field]);
  row.text(labelsText(pod["nodeSelector"]));
  row.age();
  containerColumns(row, pod);
  row.text(selectorText(row["spec"]["selector"]));
}

void deployment(Row& row) {
  const Value& status = row["status"];
  row.name();
  row.text(concat(status["readyReplicas"].asInt(), '/', row["spec"]["replicas"].asInt()));
  row.number(status["updatedReplicas"]);
  row.number(status["availableReplicas"]);
  row.age();
  containerColumns(row, row["spec"]["template"]["spec"]);
  row.text(selectorText(row["spec"]["selector"]));
}

void replicaSet(Row& row) {
  row.name();
  row.number(row["spec"]["replicas"]);
  row.number(row["status"]["replicas"]);
  row.number(row["status"]["readyReplicas"]);
  row.age();
  containerColumns(row, row["spec"]["template"]["spec"]);
  row.text(selectorText(row["spec"]["selector"]));
}

void statefulSet(Row& row) {
  row.name();
  row.text(concat(row["status"]["readyReplicas"].asInt(), '/', row["spec"]["replicas"].asInt()));
  row.age();
  containerColumns(row, row["spec"]["template"]["spec"]);
}

void cronJob(Row& row) {
  const Value& spec = row["spec"];
  const Value& last = row["status"]["lastScheduleTime"];
  row.name();
  row.text(spec["schedule"]);
  row.textOr(spec["timeZone"], "<none>");
  row.text(spec["suspend"].isNull() ? "<unset>" : spec["suspend"].asBool() ? "True" : "False");
  row.number(int64_t(row["status"]["active"].size()));
  row.text(last.isNull() ? "<none>" : row.ageOf(last));
  row.age();
  const Value& job = spec["jobTemplate"]["spec"];
  containerColumns(row, job["template"]["spec"]);
  row.text(job["selector"].isNull() ? "<none>" : selectorText(job["selector"]));
}

std::string_view jobStatus(const Row& row) {
  auto is = [&](std::string_view type) {
    return conditionOf(row["status"], type)["status"].asString() == "True";
  };
  if (is("Complete")) return "Complete";
  if (is("Failed")) return "Failed";
  if (row.deleting()) return "Terminating";
  for (std::string_view type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"})
    if (is(type)) return type;
  return "Running";
}

std::string jobCompletions(const Row& row) {
  const Value& spec = row["spec"];
  int64_t succeeded = row["status"]["succeeded"].asInt();
  if (spec["completions"].isInt()) return concat(succeeded, '/', spec["completions"].asInt());
  int64_t parallelism = spec["parallelism"].asInt();
  return parallelism > 1 ? concat(succeeded, "/1 of ", parallelism) : concat(succeeded, "/1");
}

std::string jobDuration(const Row& row) {
  auto start = parseRfc3339(row["status"]["startTime"].asString());
  if (!start) return "";
  WallTime end = parseRfc3339(row["status"]["completionTime"].asString()).value_or(row.now());
  return humanDuration(std::chrono::duration_cast<seconds>(end - *start));
}

void job(Row& row) {
  row.name();
  row.text(jobStatus(row));
  row.text(jobCompletions(row));
  row.text(jobDuration(row));
  row.age();
  containerColumns(row, row["spec"]["template"]["spec"]);
  row.text(selectorText(row["spec"]["selector"]));
}

// ---- HorizontalPodAutoscaler --------------------------------------------------------------------
// -----------------------------------------------------------------------------------------

std::string orUnknown(const Value& value) {
  return value.isNull() || (value.isString() && value.asString().empty()) ? "<unknown>"
                                                                          : numberText(value);
}
std::string percent(const Value& value, std::string_view absent) {
  return value.isNull() ? std::string(absent) : concat(value.asInt(), '%');
}

std::string_view sourceField(std::string_view type) {
  if (type == "External") return "external";
  if (type == "Pods") return "pods";
  if (type == "Object") return "object";
  if (type == "ContainerResource") return "containerResource";
  return "resource";
}

// `status` is Null until the metric has been read.
std::string metricText(const Value& spec, const Value& status) {
  std::string_view type = spec["type"].asString(), field = sourceField(type);
  const Value& source = spec[field];
  const Value& target = source["target"];
  const Value& current = status[field]["current"];
  bool resource = type == "Resource" || type == "ContainerResource";
  bool average = !target["averageValue"].isNull();
  if (resource) {
    std::string name = source["name"].str();
    if (average)
      return concat(name, ": ", orUnknown(current["averageValue"]), '/',
                    numberText(target["averageValue"]));
    return concat(name, ": ", percent(current["averageUtilization"], "<unknown>"), '/',
                  percent(target["averageUtilization"], "<auto>"));
  }
  if (type == "Pods")
    return concat(orUnknown(current["averageValue"]), '/', numberText(target["averageValue"]));
  if (average)
    return concat(orUnknown(current["averageValue"]), '/', numberText(target["averageValue"]),
                  " (avg)");
  return concat(orUnknown(current["value"]), '/', numberText(target["value"]));
}

std::vector<std::string> metrics(const Row& row) {
  const Value& spec = row["spec"];
  std::vector<std::string> out;
  if (spec["targetCPUUtilizationPercentage"].isInt())  // autoscaling/v1
    out.push_back(
        concat("cpu: ", percent(row["status"]["currentCPUUtilizationPercentage"], "<unknown>"), '/',
               percent(spec["targetCPUUtilizationPercentage"], "")));
  for (size_t i = 0; i < spec["metrics"].size(); ++i)
    out.push_back(metricText(spec["metrics"].at(i), row["status"]["currentMetrics"].at(i)));
  return out;
}

void horizontalPodAutoscaler(Row& row) {
  const Value& spec = row["spec"];
  const Value& target = spec["scaleTargetRef"];
  auto shown = metrics(row);
  row.name();
  row.text(concat(target["kind"].asString(), '/', target["name"].asString()));
  row.text(shown.empty() ? "<none>" : joinedWithMore(shown, 2, ", "));
  row.text(spec["minReplicas"].isNull() ? "<unset>" : numberText(spec["minReplicas"]));
  row.number(spec["maxReplicas"]);
  row.number(row["status"]["currentReplicas"]);
  row.age();
}

constexpr std::string_view kAutoscalerColumns =
    "Name:name Reference Targets MinPods MaxPods Replicas Age";
constexpr TablePrinter kPrinters[] = {
    {"apps", "controllerrevisions", "Name:name Controller Revision Age", controllerRevision},
    {"apps", "daemonsets",
     "Name:name Desired:int Current:int Ready:int Up-to-date:int Available:int Node_Selector Age "
     "Containers* Images* Selector*",
     daemonSet},
    {"apps", "deployments",
     "Name:name Ready Up-to-date Available Age Containers* Images* Selector*", deployment},
    {"apps", "replicasets",
     "Name:name Desired:int Current:int Ready:int Age Containers* Images* Selector*", replicaSet},
    {"apps", "statefulsets", "Name:name Ready Age Containers* Images*", statefulSet},
    {"autoscaling", "horizontalpodautoscalers", kAutoscalerColumns, horizontalPodAutoscaler},
    {"batch", "cronjobs",
     "Name:name Schedule Timezone Suspend:bool Active:int Last_Schedule Age Containers* Images* "
     "Selector*",
     cronJob},
    {"batch", "jobs", "Name:name Status Completions Duration Age Containers* Images* Selector*",
     job},
};
}  // namespace

std::span<const TablePrinter> workloadPrinters() { return kPrinters; }

}  // namespace skiff::api
