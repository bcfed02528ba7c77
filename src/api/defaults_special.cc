#include "api/defaults_special.h"

#include <algorithm>
#include <optional>

#include "api/quantity.h"
#include "base/strings.h"
#include "codec/json.h"

namespace skiff::api {
using codec::Arena;
using codec::Value;

namespace {
Value literal(std::string_view json, Arena& arena) {
  auto parsed = codec::parseJson(json, arena);
  return parsed.ok() ? *parsed : Value::null();
}

// A message being completed: reads and ordered writes of its fields.
class Fields {
 public:
  Fields(Value& object, const TypeInfo& type, Arena& arena)
      : object_(object), type_(type), arena_(arena) {}

  const Value& operator[](std::string_view name) const { return object_[name]; }
  bool has(std::string_view name) const { return !object_[name].isNull(); }
  bool is(std::string_view name, std::string_view text) const {
    return object_[name].asString() == text;
  }
  void set(std::string_view name, Value value) { insertField(object_, type_, name, value, arena_); }
  void setJson(std::string_view name, std::string_view json) { set(name, literal(json, arena_)); }
  void setDefault(std::string_view name, Value value) {
    if (!has(name)) set(name, value);
  }
  void setDefaultJson(std::string_view name, std::string_view json) {
    if (!has(name)) setJson(name, json);
  }
  void copyOnce(std::string_view name, const Value& from) { setDefault(name, from.clone(arena_)); }
  // The message in a field that is present; makes it first when absent.
  Fields child(std::string_view name) {
    setDefault(name, Value::map());
    return {*object_.find(name), *type_.field(name)->type, arena_};
  }
  template <class Each>
  void eachOf(std::string_view list, Each each) {
    Value* items = object_.find(list);
    if (!items) return;
    for (auto& item : items->items()) each(Fields(item, *type_.field(list)->type, arena_));
  }
  Value& value() { return object_; }
  Arena& arena() { return arena_; }

 private:
  Value& object_;
  const TypeInfo& type_;
  Arena& arena_;
};

// ---- core ---------------------------------------------------------------------------------------
// ------------------------------------------------------------------------------------------------------------

// An image without tag and digest, or tagged "latest", may change behind its name.
std::string_view pullPolicyFor(std::string_view image) {
  if (image.empty() || image.find('@') != image.npos) return "IfNotPresent";
  auto slash = image.rfind('/');
  std::string_view last = slash == image.npos ? image : image.substr(slash + 1);
  auto colon = last.rfind(':');
  return colon == last.npos || last.substr(colon + 1) == "latest" ? "Always" : "IfNotPresent";
}

void container(Fields fields) {
  if (!fields.has("imagePullPolicy"))
    fields.set("imagePullPolicy", Value::string(pullPolicyFor(fields["image"].asString())));
}

void imageVolume(Fields fields) {
  if (!fields.has("pullPolicy"))
    fields.set("pullPolicy", Value::string(pullPolicyFor(fields["reference"].asString())));
}

void volume(Fields fields) {
  auto members = fields.value().members();
  bool hasSource =
      std::any_of(members.begin(), members.end(), [](const auto& m) { return m.key != "name"; });
  if (!hasSource) fields.set("emptyDir", Value::map());
}

// The old name of the service account's field follows the new one.
void podSpec(Fields fields) {
  if (fields.has("serviceAccountName"))
    fields.set("serviceAccount", fields["serviceAccountName"]);
  else if (fields.has("serviceAccount"))
    fields.set("serviceAccountName", fields["serviceAccount"]);
}

void hostPorts(Fields& spec) {
  for (std::string_view list : {"containers", "initContainers"})
    spec.eachOf(list, [](Fields c) {
      c.eachOf("ports", [](Fields port) {
        if (port["hostPort"].asInt() == 0) port.set("hostPort", port["containerPort"]);
      });
    });
}

void requestsFromLimits(Fields& resources) {
  const Value limits = resources["limits"];
  if (limits.empty()) return;
  Value requests = resources["requests"];
  if (requests.isNull()) requests = Value::map();
  for (const auto& limit : limits.members())
    if (!requests.has(limit.key)) requests.set(resources.arena(), limit.key, limit.value);
  std::sort(requests.members().begin(), requests.members().end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  resources.set("requests", requests);
}

void pod(Fields fields) {
  if (!fields.has("spec")) return;
  Fields spec = fields.child("spec");
  spec.setDefault("enableServiceLinks", Value::boolean(true));
  for (std::string_view list : {"containers", "initContainers"})
    spec.eachOf(list, [](Fields c) {
      if (!c.has("resources")) return;
      Fields resources = c.child("resources");
      requestsFromLimits(resources);
    });
  if (spec["hostNetwork"].asBool()) hostPorts(spec);
}

// stringData is for writing only: it becomes data.
void secret(Fields fields) {
  if (!fields.has("stringData")) return;
  Value data = fields["data"];
  if (data.isNull()) data = Value::map();
  for (const auto& member : fields["stringData"].members())
    data.set(fields.arena(), member.key,
             Value::text(fields.arena(), base64Encode(member.value.asString())));
  std::sort(data.members().begin(), data.members().end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  fields.set("data", data);
  fields.value().erase("stringData");
}

void replicationController(Fields fields) {
  Fields spec = fields.child("spec");
  const Value labels = spec["template"]["metadata"]["labels"];
  if (!labels.empty()) {
    spec.copyOnce("selector", labels);
    fields.child("metadata").copyOnce("labels", labels);
  }
  spec.setDefault("replicas", Value::integer(1));
}

void service(Fields fields) {
  Fields spec = fields.child("spec");
  if (spec.is("sessionAffinity", "None")) spec.value().erase("sessionAffinityConfig");
  if (spec.is("sessionAffinity", "ClientIP") &&
      spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].isNull())
    spec.setJson("sessionAffinityConfig", R"({"clientIP":{"timeoutSeconds":10800}})");
  spec.eachOf("ports", [](Fields port) {
    const Value& target = port["targetPort"];
    bool unset = target.isString() ? target.asString().empty() : target.asInt() == 0;
    if (unset) port.set("targetPort", port["port"]);
  });
  bool clusterIp = spec.is("type", "ClusterIP"), balancer = spec.is("type", "LoadBalancer");
  bool exposed =
      spec.is("type", "NodePort") || balancer || (clusterIp && !spec["externalIPs"].empty());
  if (exposed) spec.setDefault("externalTrafficPolicy", Value::string("Cluster"));
  if (clusterIp || spec.is("type", "NodePort") || balancer)
    spec.setDefault("internalTrafficPolicy", Value::string("Cluster"));
  if (!balancer) return;
  spec.setDefault("allocateLoadBalancerNodePorts", Value::boolean(true));
  if (fields["status"]["loadBalancer"]["ingress"].empty()) return;
  fields.child("status").child("loadBalancer").eachOf("ingress", [](Fields ingress) {
    if (ingress.has("ip")) ingress.setDefault("ipMode", Value::string("VIP"));
  });
}

void namespaceLabel(Fields fields) {
  std::string_view name = fields["metadata"]["name"].asString();
  if (name.empty()) return;
  Fields metadata = fields.child("metadata");
  Value labels = metadata["labels"];
  if (labels.isNull()) labels = Value::map();
  labels.set(metadata.arena(), "kubernetes.io/metadata.name", Value::string(name));
  std::sort(labels.members().begin(), labels.members().end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  metadata.set("labels", labels);
}

void nodeStatus(Fields fields) {
  if (fields.has("capacity")) fields.copyOnce("allocatable", fields["capacity"]);
}

void limitRangeItem(Fields fields) {
  if (!fields.is("type", "Container")) return;
  auto complete = [&](std::string_view name, std::string_view from) {
    Value to = fields[name];
    if (to.isNull()) to = Value::map();
    for (const auto& member : fields[from].members())
      if (!to.has(member.key)) to.set(fields.arena(), member.key, member.value);
    std::sort(to.members().begin(), to.members().end(),
              [](const auto& a, const auto& b) { return a.key < b.key; });
    if (!to.empty()) fields.set(name, to);
  };
  complete("default", "max");
  complete("defaultRequest", "default");
  complete("defaultRequest", "min");
}

// ---- workloads ----------------------------------------------------------------------------------
// -------------------------------------------------------------------------------------------------------

void deploymentStrategy(Fields fields) {
  if (fields.is("type", "RollingUpdate"))
    fields.setDefaultJson("rollingUpdate", R"({"maxUnavailable":"25%","maxSurge":"25%"})");
}
void daemonSetStrategy(Fields fields) {
  if (fields.is("type", "RollingUpdate"))
    fields.setDefaultJson("rollingUpdate", R"({"maxUnavailable":1,"maxSurge":0})");
}
void statefulSetStrategy(Fields fields) {
  if (fields.is("type", "RollingUpdate"))
    fields.setDefaultJson("rollingUpdate", R"({"partition":0,"maxUnavailable":1})");
}
void statefulSetSpec(Fields fields) {
  if (fields["persistentVolumeClaimRetentionPolicy"].empty())
    fields.setJson("persistentVolumeClaimRetentionPolicy",
                   R"({"whenDeleted":"Retain","whenScaled":"Retain"})");
  Value* claims = fields.value().find("volumeClaimTemplates");
  if (!claims) return;
  // Upstream's conversion stamps the claims with their kind.
  for (auto& claim : claims->items()) {
    Value stamped = Value::map();
    stamped.append(fields.arena(), "kind", Value::string("PersistentVolumeClaim"));
    stamped.append(fields.arena(), "apiVersion", Value::string("v1"));
    for (const auto& member : claim.members())
      if (member.key != "kind" && member.key != "apiVersion")
        stamped.append(fields.arena(), member.key, member.value);
    claim = stamped;
  }
}

void job(Fields fields) {
  Fields spec = fields.child("spec");
  // Neither number is set: run once.
  if (!spec.has("completions") && !spec.has("parallelism"))
    spec.set("completions", Value::integer(1));
  spec.setDefault("parallelism", Value::integer(1));
  spec.setDefault("backoffLimit",
                  Value::integer(spec.has("backoffLimitPerIndex") ? 2147483647 : 6));
  spec.setDefault("completionMode", Value::string("NonIndexed"));
  spec.setDefault("suspend", Value::boolean(false));
  spec.setDefault("manualSelector", Value::boolean(false));
  spec.setDefault("podReplacementPolicy",
                  Value::string(spec.has("podFailurePolicy") ? "Failed" : "TerminatingOrFailed"));
  const Value labels = spec["template"]["metadata"]["labels"];
  if (!labels.empty()) fields.child("metadata").copyOnce("labels", labels);
}

void horizontalPodAutoscalerV1(Fields fields) {
  constexpr std::string_view metrics = "autoscaling.alpha.kubernetes.io/metrics";
  if (!fields["metadata"]["annotations"].has(metrics))
    fields.child("spec").setDefault("targetCPUUtilizationPercentage", Value::integer(80));
}

void horizontalPodAutoscalerV2(Fields fields) {
  Fields spec = fields.child("spec");
  if (spec["metrics"].empty())
    spec.setJson(
        "metrics",
        R"([{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}])");
  if (!spec.has("behavior")) return;
  Fields behavior = spec.child("behavior");
  Fields up = behavior.child("scaleUp");
  up.setDefault("stabilizationWindowSeconds", Value::integer(0));
  up.setDefault("selectPolicy", Value::string("Max"));
  up.setDefaultJson(
      "policies",
      R"([{"type":"Pods","value":4,"periodSeconds":15},{"type":"Percent","value":100,"periodSeconds":15}])");
  Fields down = behavior.child("scaleDown");
  down.setDefault("selectPolicy", Value::string("Max"));
  down.setDefaultJson("policies", R"([{"type":"Percent","value":100,"periodSeconds":15}])");
}

// ---- other groups -------------------------------------------------------------------------------
// ----------------------------------------------------------------------------------------------------

void priorityLevelSpec(Fields fields) {
  if (fields.is("type", "Exempt"))
    fields.setDefaultJson("exempt", R"({"nominalConcurrencyShares":0,"lendablePercent":0})");
}
void limitResponse(Fields fields) {
  if (fields.is("type", "Queue"))
    fields.setDefaultJson("queuing", R"({"queues":64,"handSize":8,"queueLengthLimit":50})");
}

void networkPolicySpec(Fields fields) {
  if (!fields["policyTypes"].empty()) return;
  fields.setJson("policyTypes",
                 fields["egress"].empty() ? R"(["Ingress"])" : R"(["Ingress","Egress"])");
}

void rbacSubject(Fields fields) {
  if (fields.is("kind", "User") || fields.is("kind", "Group"))
    fields.setDefault("apiGroup", Value::string("rbac.authorization.k8s.io"));
}

void exactDeviceRequest(Fields fields) {
  if (fields.is("allocationMode", "ExactCount") && fields["count"].asInt() == 0)
    fields.set("count", Value::integer(1));
}
// In v1beta1 a request holds either these fields itself or alternatives.
void deviceRequestV1beta1(Fields fields) {
  if (!fields["firstAvailable"].empty() || !fields.has("deviceClassName")) return;
  fields.setDefault("allocationMode", Value::string("ExactCount"));
  exactDeviceRequest(fields);
}

void customResourceDefinition(Fields fields) {
  Fields names = fields.child("spec").child("names");
  std::string_view kind = names["kind"].asString();
  if (!names.has("singular")) names.set("singular", Value::text(names.arena(), toLower(kind)));
  if (!names.has("listKind") && !kind.empty())
    names.set("listKind", Value::text(names.arena(), concat(kind, "List")));
}

struct Entry {
  std::string_view package, type;
  void (*fill)(Fields);
};
constexpr Entry kEntries[] = {
    {"apiextensions/v1", "CustomResourceDefinition", customResourceDefinition},
    {"apps/v1", "DaemonSetUpdateStrategy", daemonSetStrategy},
    {"apps/v1", "DeploymentStrategy", deploymentStrategy},
    {"apps/v1", "StatefulSetSpec", statefulSetSpec},
    {"apps/v1", "StatefulSetUpdateStrategy", statefulSetStrategy},
    {"autoscaling/v1", "HorizontalPodAutoscaler", horizontalPodAutoscalerV1},
    {"autoscaling/v2", "HorizontalPodAutoscaler", horizontalPodAutoscalerV2},
    {"batch/v1", "Job", job},
    {"core/v1", "Container", container},
    {"core/v1", "EphemeralContainer", container},
    {"core/v1", "ImageVolumeSource", imageVolume},
    {"core/v1", "LimitRangeItem", limitRangeItem},
    {"core/v1", "Namespace", namespaceLabel},
    {"core/v1", "NodeStatus", nodeStatus},
    {"core/v1", "Pod", pod},
    {"core/v1", "PodSpec", podSpec},
    {"core/v1", "ReplicationController", replicationController},
    {"core/v1", "Secret", secret},
    {"core/v1", "Service", service},
    {"core/v1", "Volume", volume},
    {"flowcontrol/v1", "LimitResponse", limitResponse},
    {"flowcontrol/v1", "PriorityLevelConfigurationSpec", priorityLevelSpec},
    {"networking/v1", "NetworkPolicySpec", networkPolicySpec},
    {"rbac/v1", "Subject", rbacSubject},
    {"resource/v1", "DeviceSubRequest", exactDeviceRequest},
    {"resource/v1", "ExactDeviceRequest", exactDeviceRequest},
    {"resource/v1beta1", "DeviceRequest", deviceRequestV1beta1},
    {"resource/v1beta1", "DeviceSubRequest", exactDeviceRequest},
    {"resource/v1beta2", "DeviceSubRequest", exactDeviceRequest},
    {"resource/v1beta2", "ExactDeviceRequest", exactDeviceRequest},
};
}  // namespace

void fillSpecialDefaults(Value& object, const TypeInfo& type, Arena& arena) {
  if (type.custom) return;
  for (const auto& entry : kEntries)
    if (entry.type == type.name && entry.package == type.package)
      return entry.fill(Fields(object, type, arena));
}

}  // namespace skiff::api
