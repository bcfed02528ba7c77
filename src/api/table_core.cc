// Rows of the core group (and of events.k8s.io, whose events are the same objects).
#include <algorithm>

#include "api/table.h"
#include "api/table_rows.h"
#include "base/strings.h"

namespace skiff::api {
using codec::Value;

namespace {
void nameAndAge(Row& row) {
  row.name();
  row.age();
}

void componentStatus(Row& row) {
  const Value& condition = conditionOf(row.object(), "Healthy");
  std::string_view status = condition["status"].asString();
  row.name();
  row.text(status == "True" ? "Healthy" : status == "False" ? "Unhealthy" : "Unknown");
  row.text(condition["message"]);
  row.text(condition["error"]);
}

void configMap(Row& row) {
  row.name();
  row.number(int64_t(row["data"].size() + row["binaryData"].size()));
  row.age();
}

void endpoints(Row& row) {
  std::vector<std::string> parts;
  for (const auto& subset : row["subsets"].items()) {
    const Value& addresses = subset["addresses"];
    for (const auto& port : subset["ports"].items())
      for (const auto& address : addresses.items()) {
        std::string ip = address["ip"].str();
        if (ip.find(':') != ip.npos) ip = concat('[', ip, ']');
        parts.push_back(concat(ip, ':', port["port"].asInt()));
      }
    if (subset["ports"].empty())
      for (const auto& address : addresses.items()) parts.push_back(address["ip"].str());
  }
  row.name();
  row.text(parts.empty() ? "<none>" : joinedWithMore(parts, 3, ","));
  row.age();
}

// Fields have other names in core/v1 than in events.k8s.io/v1.
const Value& either(const Row& row, std::string_view core, std::string_view events) {
  return row.object().has(core) ? row[core] : row[events];
}

std::string eventSource(const Row& row) {
  const Value& source = either(row, "source", "deprecatedSource");
  std::string component = source["component"].str(), host = source["host"].str();
  if (component.empty()) {
    component = either(row, "reportingComponent", "reportingController").str();
    host = row["reportingInstance"].str();
  }
  return host.empty() ? component : concat(component, ", ", host);
}

void event(Row& row) {
  auto seen = [&](const Value& time, const Value& other) {
    return row.ageOf(time.isNull() ? other : time);
  };
  const Value& series = row["series"];
  const Value& firstTime = either(row, "firstTimestamp", "deprecatedFirstTimestamp");
  const Value& lastTime = either(row, "lastTimestamp", "deprecatedLastTimestamp");
  std::string first = seen(firstTime, row["eventTime"]);
  std::string last = lastTime.isNull() ? first : row.ageOf(lastTime);
  int64_t count = either(row, "count", "deprecatedCount").asInt();
  if (series.isMap()) {
    last = row.ageOf(series["lastObservedTime"]);
    count = series["count"].asInt();
  }
  const Value& target = either(row, "involvedObject", "regarding");
  row.text(last);
  row.text(row["type"]);
  row.text(row["reason"]);
  row.text(concat(toLower(target["kind"].asString()), '/', target["name"].asString()));
  row.text(target["fieldPath"]);
  row.text(eventSource(row));
  row.text(trim(either(row, "message", "note").asString()));
  row.text(first);
  row.number(count == 0 ? 1 : count);
  row.name();
}

void namespaceRow(Row& row) {
  row.name();
  row.text(row["status"]["phase"]);
  row.age();
}

std::string nodeStatus(const Row& row) {
  const Value& ready = conditionOf(row["status"], "Ready");
  std::string text = ready.isNull()                         ? "Unknown"
                     : ready["status"].asString() == "True" ? "Ready"
                                                            : "NotReady";
  return row["spec"]["unschedulable"].asBool() ? text + ",SchedulingDisabled" : text;
}

std::string nodeRoles(const Value& labels) {
  constexpr std::string_view prefix = "node-role.kubernetes.io/";
  std::vector<std::string> roles;
  for (const auto& label : labels.members()) {
    if (label.key.starts_with(prefix) && label.key.size() > prefix.size())
      roles.emplace_back(label.key.substr(prefix.size()));
    else if (label.key == "kubernetes.io/role" && !label.value.asString().empty())
      roles.push_back(label.value.str());
  }
  std::sort(roles.begin(), roles.end());
  roles.erase(std::unique(roles.begin(), roles.end()), roles.end());
  return roles.empty() ? "<none>" : join(roles, ",");
}

void node(Row& row) {
  const Value& info = row["status"]["nodeInfo"];
  auto address = [&](std::string_view type) -> std::string_view {
    for (const auto& a : row["status"]["addresses"].items())
      if (a["type"].asString() == type) return a["address"].asString();
    return "<none>";
  };
  row.name();
  row.text(nodeStatus(row));
  row.text(nodeRoles(row["metadata"]["labels"]));
  row.age();
  row.text(info["kubeletVersion"]);
  row.text(address("InternalIP"));
  row.text(address("ExternalIP"));
  row.textOr(info["osImage"], "<unknown>");
  std::string kernel = info["kernelVersion"].str(), architecture = info["architecture"].str();
  if (kernel.empty())
    kernel = "<unknown>";
  else if (!architecture.empty())
    kernel += concat(" (", architecture, ")");
  row.text(kernel);
  row.textOr(info["containerRuntimeVersion"], "<unknown>");
}

std::string accessModes(const Value& modes) {
  constexpr std::pair<std::string_view, std::string_view> shortNames[] = {
      {"ReadWriteOnce", "RWO"},
      {"ReadOnlyMany", "ROX"},
      {"ReadWriteMany", "RWX"},
      {"ReadWriteOncePod", "RWOP"}};
  std::vector<std::string> parts;
  for (const auto& [mode, name] : shortNames)
    for (const auto& item : modes.items())
      if (item.asString() == mode) {
        parts.emplace_back(name);
        break;
      }
  return join(parts, ",");
}

std::string_view phaseOf(const Row& row) {
  return row.deleting() ? "Terminating" : row["status"]["phase"].asString();
}

std::string_view storageClass(const Row& row) {
  const Value& beta = row["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"];
  return beta.isNull() ? row["spec"]["storageClassName"].asString() : beta.asString();
}

void persistentVolumeClaim(Row& row) {
  const Value& spec = row["spec"];
  const Value& status = row["status"];
  bool bound = !spec["volumeName"].asString().empty();
  row.name();
  row.text(phaseOf(row));
  row.text(spec["volumeName"]);
  std::string_view capacity = status["capacity"]["storage"].asString();
  row.text(!bound ? "" : capacity.empty() ? "0" : capacity);
  row.text(bound ? accessModes(status["accessModes"]) : "");
  row.text(storageClass(row));
  row.textOr(spec["volumeAttributesClassName"], "<unset>");
  row.age();
  row.textOr(spec["volumeMode"], "<unset>");
}

void persistentVolume(Row& row) {
  const Value& spec = row["spec"];
  const Value& claim = spec["claimRef"];
  row.name();
  row.textOr(spec["capacity"]["storage"], "0");
  row.text(accessModes(spec["accessModes"]));
  row.text(spec["persistentVolumeReclaimPolicy"]);
  row.text(phaseOf(row));
  row.text(claim.isMap() ? concat(claim["namespace"].asString(), '/', claim["name"].asString())
                         : "");
  row.text(storageClass(row));
  row.textOr(spec["volumeAttributesClassName"], "<unset>");
  row.text(row["status"]["reason"]);
  row.age();
  row.textOr(spec["volumeMode"], "<unset>");
}

void podTemplate(Row& row) {
  row.name();
  containerColumns(row, row["template"]["spec"]);
  row.text(labelsText(row["template"]["metadata"]["labels"]));
}

void replicationController(Row& row) {
  row.name();
  row.number(row["spec"]["replicas"]);
  row.number(row["status"]["replicas"]);
  row.number(row["status"]["readyReplicas"]);
  row.age();
  containerColumns(row, row["spec"]["template"]["spec"]);
  row.text(labelsText(row["spec"]["selector"]));
}

void resourceQuota(Row& row) {
  std::vector<std::string> requests, limits;
  const Value& used = row["status"]["used"];
  for (const auto& hard : row["status"]["hard"].members()) {
    auto text = concat(hard.key, ": ", used.has(hard.key) ? used[hard.key].asString() : "0", '/',
                       hard.value.asString());
    (hard.key.starts_with("limits.") ? limits : requests).push_back(text);
  }
  row.name();
  row.text(join(requests, ", "));
  row.text(join(limits, ", "));
  row.age();
}

void secret(Row& row) {
  row.name();
  row.text(row["type"]);
  row.number(int64_t(row["data"].size()));
  row.age();
}

std::string externalIp(const Row& row) {
  const Value& spec = row["spec"];
  std::string_view type = spec["type"].asString();
  if (type == "ExternalName") return spec["externalName"].str();
  std::string external = joinTexts(spec["externalIPs"], ",");
  if (type != "LoadBalancer") return external.empty() ? "<none>" : external;
  std::string balancer = loadBalancerText(row["status"]["loadBalancer"]);
  if (!balancer.empty() && !external.empty()) return concat(balancer, ",", external);
  if (balancer.empty() && external.empty()) return "<pending>";
  return balancer + external;
}

std::string servicePorts(const Value& ports) {
  std::vector<std::string> parts;
  for (const auto& port : ports.items()) {
    int64_t nodePort = port["nodePort"].asInt();
    std::string number = std::to_string(port["port"].asInt());
    if (nodePort > 0) number += concat(':', nodePort);
    parts.push_back(concat(number, '/', port["protocol"].asString()));
  }
  return parts.empty() ? "<none>" : join(parts, ",");
}

void service(Row& row) {
  const Value& spec = row["spec"];
  const Value& first = spec["clusterIPs"].at(0);
  row.name();
  row.text(spec["type"]);
  row.textOr(first.isNull() ? spec["clusterIP"] : first, "<none>");
  row.text(externalIp(row));
  row.text(servicePorts(spec["ports"]));
  row.age();
  row.text(labelsText(spec["selector"]));
}

constexpr std::string_view kEventColumns =
    "Last_Seen Type Reason Object Subobject* Source* Message First_Seen* Count* Name:name*";
constexpr TablePrinter kPrinters[] = {
    {"", "componentstatuses", "Name:name Status Message Error", componentStatus},
    {"", "configmaps", "Name:name Data Age", configMap},
    {"", "endpoints", "Name:name Endpoints Age", endpoints},
    {"", "events", kEventColumns, event},
    {"events.k8s.io", "events", kEventColumns, event},
    {"", "namespaces", "Name:name Status Age", namespaceRow},
    {"", "nodes",
     "Name:name Status Roles Age Version Internal-IP* External-IP* OS-Image* Kernel-Version* "
     "Container-Runtime*",
     node},
    {"", "persistentvolumeclaims",
     "Name:name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age "
     "VolumeMode*",
     persistentVolumeClaim},
    {"", "persistentvolumes",
     "Name:name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass "
     "VolumeAttributesClass Reason Age VolumeMode*",
     persistentVolume},
    {"", "pods", "Name:name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*",
     printPod},
    {"", "podtemplates", "Name:name Containers Images Pod_Labels", podTemplate},
    {"", "replicationcontrollers",
     "Name:name Desired:int Current:int Ready:int Age Containers* Images* Selector*",
     replicationController},
    {"", "resourcequotas", "Name:name Request Limit Age", resourceQuota},
    {"", "secrets", "Name:name Type Data Age", secret},
    {"", "serviceaccounts", "Name:name Age", nameAndAge},
    {"", "services", "Name:name Type Cluster-IP External-IP Port(s) Age Selector*", service},
};
}  // namespace

std::span<const TablePrinter> corePrinters() { return kPrinters; }

}  // namespace skiff::api
