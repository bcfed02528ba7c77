// bootstrapObjects: the tables of bootstrap_policy.h as JSON documents.
#include "apiserver/auth/bootstrap_policy.h"
#include "apiserver/security.h"
#include "apiserver/strategies/service_ranges.h"
#include "base/strings.h"

namespace skiff::apiserver {

namespace {

using namespace bootstrap;

constexpr std::string_view kRbacHead =
    R"("apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"annotations":{"rbac.authorization.kubernetes.io/autoupdate":"true"},)"
    R"("labels":{"kubernetes.io/bootstrapping":"rbac-defaults")";

std::string jsonList(std::string_view commaSeparated) {
  std::string out = "[";
  for (std::string_view item : split(commaSeparated, ',')) {
    if (out.size() > 1) out += ',';
    out += quoted(item == "-" ? std::string_view() : item);
  }
  return out + "]";
}

std::string ruleJson(std::string_view line) {
  auto columns = split(line, ' ');
  if (columns[0] == "url") {
    return concat(R"({"nonResourceURLs":)", jsonList(columns[1]), R"(,"verbs":)",
                  jsonList(columns[2]), "}");
  }
  std::string names = columns.size() > 3 ? R"("resourceNames":)" + jsonList(columns[3]) + "," : "";
  return concat(R"({"apiGroups":)", jsonList(columns[0]), ",", names, R"("resources":)",
                jsonList(columns[1]), R"(,"verbs":)", jsonList(columns[2]), "}");
}

std::string metadataEnd(std::string_view ns, std::string_view name) {
  std::string out = concat(R"("name":)", quoted(name));
  if (!ns.empty()) out += concat(R"(,"namespace":)", quoted(ns));
  return out + "}";
}

std::string roleJson(const RoleRow& row, std::string_view kind) {
  std::string out = concat("{", kRbacHead);
  if (!row.aggregatesTo.empty()) {
    out += concat(R"(,"rbac.authorization.k8s.io/aggregate-to-)", row.aggregatesTo, R"(":"true")");
  }
  out += concat("},", metadataEnd(row.ns, row.name), R"(,"kind":")", kind, R"(",)");
  if (!row.aggregatesFrom.empty()) {
    return concat(out,
                  R"("aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"rbac.authorization.k8s.io/aggregate-to-)",
                  row.aggregatesFrom, R"(":"true"}}]},"rules":null})");
  }
  std::vector<std::string> rules;
  for (std::string_view line : splitNonEmpty(row.rules, '\n')) rules.push_back(ruleJson(line));
  return concat(out, R"("rules":[)", join(rules, ","), "]}");
}

std::string subjectJson(std::string_view text) {
  if (text.starts_with("sa:")) {
    auto parts = split(text.substr(3), '/');
    return concat(R"({"kind":"ServiceAccount","namespace":)", quoted(parts[0]), R"(,"name":)",
                  quoted(parts[1]), "}");
  }
  return concat(R"({"apiGroup":"rbac.authorization.k8s.io","kind":)",
                text.starts_with("u:") ? R"("User")" : R"("Group")", R"(,"name":)",
                quoted(text.substr(2)), "}");
}

std::string bindingJson(const BindingRow& row, std::string_view kind) {
  auto role = *cut(row.role, ":");
  std::vector<std::string> subjects;
  for (std::string_view subject : splitNonEmpty(row.subjects, ' ')) {
    subjects.push_back(subjectJson(subject));
  }
  return concat("{", kRbacHead, "},", metadataEnd(row.ns, row.name), R"(,"kind":")", kind,
                R"(","roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":")", role.first,
                R"(","name":)", quoted(role.second.empty() ? row.name : role.second),
                R"(},"subjects":[)", join(subjects, ","), "]}");
}

std::string namespaceJson(std::string_view name) {
  return concat(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")", name,
                R"(","labels":{"kubernetes.io/metadata.name":")", name,
                R"("}},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}})");
}

std::string priorityClassJson(std::string_view name, int64_t value) {
  return concat(R"({"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":")",
                name, R"("},"preemptionPolicy":"PreemptLowerPriority","value":)", value, "}");
}

constexpr std::string_view kFlowHead =
    R"({"apiVersion":"flowcontrol.apiserver.k8s.io/v1","metadata":{"annotations":{"apf.kubernetes.io/autoupdate-spec":"true"},"name":")";
constexpr std::string_view kEveryRequest =
    R"("nonResourceRules":[{"nonResourceURLs":["*"],"verbs":["*"]}],"resourceRules":[{"apiGroups":["*"],"clusterScope":true,)"
    R"("namespaces":["*"],"resources":["*"],"verbs":["*"]}])";
constexpr int kQueueLengthLimit = 50;

std::string priorityLevelJson(const PriorityLevelRow& row) {
  std::string head = concat(kFlowHead, row.name, R"("},"kind":"PriorityLevelConfiguration","spec":)");
  if (row.exempt) {
    return concat(
        head, R"({"type":"Exempt","exempt":{"lendablePercent":0,"nominalConcurrencyShares":0}}})");
  }
  std::string response = row.queues == 0
                             ? R"({"type":"Reject"})"
                             : concat(R"({"type":"Queue","queuing":{"queues":)", row.queues,
                                      R"(,"handSize":)", row.handSize, R"(,"queueLengthLimit":)",
                                      kQueueLengthLimit, "}}");
  return concat(head, R"({"type":"Limited","limited":{"nominalConcurrencyShares":)", row.shares,
                R"(,"lendablePercent":)", row.lendablePercent, R"(,"limitResponse":)", response,
                "}}}");
}

std::string conditionJson(std::string_view type, std::string_view status, std::string_view reason,
                          std::string_view message, std::string_view now) {
  return concat(R"("status":{"conditions":[{"type":")", type, R"(","status":")", status,
                R"(","reason":")", reason, R"(","message":)", quoted(message),
                R"(,"lastTransitionTime":")", now, R"("}]})");
}

std::string flowSchemaJson(const FlowSchemaRow& row, std::string_view now) {
  std::string distinguisher =
      row.distinguisher.empty()
          ? ""
          : concat(R"("distinguisherMethod":{"type":")", row.distinguisher, R"("},)");
  return concat(
      kFlowHead, row.name, R"("},"kind":"FlowSchema","spec":{)", distinguisher,
      R"("matchingPrecedence":)", row.precedence, R"(,"priorityLevelConfiguration":{"name":")",
      row.level, R"("},"rules":)", replaceAll(row.rules, "$ALL", kEveryRequest), "},",
      conditionJson("Dangling", "False", "Found",
                    concat("This FlowSchema references the PriorityLevelConfiguration object named ",
                           quoted(row.level), " and it exists"),
                    now),
      "}");
}

std::string apiServiceJson(const api::GroupVersionInfo& info, std::string_view now) {
  std::string group =
      info.group.empty() ? "" : concat(R"("group":")", info.group, R"(",)");
  return concat(
      R"({"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService","metadata":{"labels":)",
      R"({"kube-aggregator.kubernetes.io/automanaged":"onstart"},"name":")", info.version, ".",
      info.group, R"("},"spec":{)", group, R"("version":")", info.version,
      R"(","groupPriorityMinimum":)", info.groupPriority, R"(,"versionPriority":)",
      info.versionPriority, "},",
      conditionJson("Available", "True", "Local", "Local APIServices are always available", now),
      "}");
}

bool servedByDefault(const api::GroupVersionInfo& info) {
  if (info.groupPriority == 0) return false;  // the group of API services itself has none
  for (const api::ResourceInfo& resource : info.resources) {
    if (resource.onByDefault && resource.featureGate.empty()) return true;
  }
  return false;
}

void addServiceRange(std::vector<std::string>& out, const SecurityOptions& options,
                     std::string_view now) {
  auto ranges = parseServiceRanges(options.serviceCidr);
  if (!ranges.ok()) return;
  const formats::Network& range = ranges->front();
  std::vector<std::string> cidrs;
  for (const formats::Network& one : *ranges) cidrs.push_back(quoted(concat(formatIp(one.address), "/", one.bits)));
  out.push_back(concat(
      R"({"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"kubernetes"},"spec":{"cidrs":[)",
      join(cidrs, ","), "]},",
      conditionJson("Ready", "True", "", "Kubernetes default Service CIDR is ready", now), "}"));
  out.push_back(concat(
      R"({"apiVersion":"networking.k8s.io/v1","kind":"IPAddress","metadata":{"labels":{"ipaddress.kubernetes.io/ip-family":")",
      range.address.v6 ? "IPv6" : "IPv4",
      R"(","ipaddress.kubernetes.io/managed-by":"ipallocator.k8s.io"},"name":")",
      formatIp(addressAt(range, 1)),
      R"("},"spec":{"parentRef":{"name":"kubernetes","namespace":"default","resource":"services"}}})"));
}

// The server as a service of the cluster. Its endpoints can only be told when others can reach the address.
void addOwnService(std::vector<std::string>& out, const SecurityOptions& options, std::string_view address, int port) {
  auto ranges = parseServiceRanges(options.serviceCidr);
  auto ip = formats::parseIp(address);
  if (!ranges.ok() || !ip) return;
  constexpr std::string_view kName = R"("name":"kubernetes","namespace":"default")";
  out.push_back(concat(
      R"({"apiVersion":"v1","kind":"Service","metadata":{"labels":{"component":"apiserver","provider":"kubernetes"},)", kName,
      R"(},"spec":{"clusterIP":")", formatIp(addressAt(ranges->front(), 1)),
      R"(","ports":[{"name":"https","port":443,"protocol":"TCP","targetPort":)", port, R"(}],"type":"ClusterIP"}})"));
  if (ip->isLoopback() || ip->isUnspecified()) return;
  std::string ports = concat(R"("ports":[{"name":"https","port":)", port, R"(,"protocol":"TCP"}])");
  out.push_back(concat(
      R"({"apiVersion":"v1","kind":"Endpoints","metadata":{"labels":{"endpointslice.kubernetes.io/skip-mirror":"true"},)", kName,
      R"(},"subsets":[{"addresses":[{"ip":")", address, R"("}],)", ports, "}]}"));
  out.push_back(concat(
      R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"labels":{"kubernetes.io/service-name":"kubernetes"},)",
      kName, R"(},"addressType":")", ip->v6 ? "IPv6" : "IPv4", R"(","endpoints":[{"addresses":[")", address,
      R"("],"conditions":{"ready":true}}],)", ports, "}"));
}

}  // namespace

std::vector<std::string> bootstrapObjects(const SecurityOptions& options, std::string_view advertiseAddress, int port) {
  std::string now = formatRfc3339(options.clock->now());
  std::vector<std::string> out;
  for (std::string_view name : {"kube-system", "kube-public", "kube-node-lease", "default"}) {
    out.push_back(namespaceJson(name));
  }
  for (const RoleRow& row : clusterRoles()) out.push_back(roleJson(row, "ClusterRole"));
  for (const RoleRow& row : roles()) out.push_back(roleJson(row, "Role"));
  for (const BindingRow& row : clusterRoleBindings()) {
    out.push_back(bindingJson(row, "ClusterRoleBinding"));
  }
  for (const BindingRow& row : roleBindings()) out.push_back(bindingJson(row, "RoleBinding"));
  out.push_back(priorityClassJson("system-node-critical", 2000001000));
  out.push_back(priorityClassJson("system-cluster-critical", 2000000000));
  for (const PriorityLevelRow& row : priorityLevels()) out.push_back(priorityLevelJson(row));
  for (const FlowSchemaRow& row : flowSchemas()) out.push_back(flowSchemaJson(row, now));
  for (const api::GroupVersionInfo& info : api::builtinGroupVersions()) {
    // apiregistration.k8s.io itself has no priority: nobody could take it over.
    if (servedByDefault(info) && info.groupPriority > 0) out.push_back(apiServiceJson(info, now));
  }
  addServiceRange(out, options, now);
  addOwnService(out, options, advertiseAddress, port);
  out.push_back(concat(
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kube-apiserver-legacy-service-account-token-tracking","namespace":"kube-system"},"data":{"since":")",
      now.substr(0, 10), R"("}})"));
  return out;
}

}  // namespace skiff::apiserver
