// Rows of the smaller groups.
#include "api/scalars.h"
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

// ---- admission registration ---------------------------------------------------------------------
// ------------------------------------------------------------------------------------------

void policyRow(Row& row, std::string_view list) {
  const Value& kind = row["spec"]["paramKind"];
  row.name();
  row.number(int64_t(row["spec"][list].size()));
  row.text(kind.isMap() ? concat(kind["apiVersion"].asString(), '/', kind["kind"].asString())
                        : "<unset>");
  row.age();
}
void mutatingPolicy(Row& row) { policyRow(row, "mutations"); }
void validatingPolicy(Row& row) { policyRow(row, "validations"); }

void policyBinding(Row& row) {
  const Value& reference = row["spec"]["paramRef"];
  std::string text = "<unset>";
  if (reference.isMap()) {
    std::string name = reference["name"].asString().empty() ? "*" : reference["name"].str();
    std::string_view ns = reference["namespace"].asString();
    text = ns.empty() ? name : concat(ns, '/', name);
  }
  row.name();
  row.text(row["spec"]["policyName"]);
  row.text(text);
  row.age();
}

void webhooks(Row& row) {
  row.name();
  row.number(int64_t(row["webhooks"].size()));
  row.age();
}

// ---- extensions of the API ----------------------------------------------------------------------
// -------------------------------------------------------------------------------------------

void apiService(Row& row) {
  const Value& service = row["spec"]["service"];
  const Value& available = conditionOf(row["status"], "Available");
  std::string state = available.isNull() ? "Unknown" : available["status"].str();
  if (!available.isNull() && state != "True")
    state += concat(" (", available["reason"].asString(), ")");
  row.name();
  row.text(service.isMap()
               ? concat(service["namespace"].asString(), '/', service["name"].asString())
               : "Local");
  row.text(state);
  row.age();
}

void customResourceDefinition(Row& row) {
  const Value& spec = row["spec"];
  std::vector<std::string> versions;
  for (const auto& version : spec["versions"].items())
    versions.push_back(version["name"].str() + (version["storage"].asBool() ? "(storage)" : ""));
  row.name();
  row.text(spec["scope"]);
  row.text(join(versions, ","));
  row.createdAt();
  row.text(spec["group"]);
  row.text(spec["names"]["kind"]);
  row.text(joinTexts(spec["names"]["shortNames"], ","));
  row.boolean(conditionOf(row["status"], "Established")["status"].asString() == "True");
}

void storageVersion(Row& row) {
  std::vector<std::string> parts;
  for (const auto& version : row["status"]["storageVersions"].items())
    parts.push_back(
        concat(version["apiServerID"].asString(), '=', version["encodingVersion"].asString()));
  row.name();
  row.textOr(row["status"]["commonEncodingVersion"], "<unset>");
  row.text(joinedWithMore(parts, 3, ","));
  row.age();
}

void storageVersionMigration(Row& row) {
  const Value& resource = row["spec"]["resource"];
  std::string_view group = resource["group"].asString(), state = "Unknown";
  for (std::string_view type : {"Running", "Succeeded", "Failed"})
    if (conditionOf(row["status"], type)["status"].asString() == "True") state = type;
  row.name();
  row.text(group.empty() ? resource["resource"].str()
                         : concat(resource["resource"].asString(), '.', group));
  row.text(state);
}

// ---- certificates -------------------------------------------------------------------------------
// ----------------------------------------------------------------------------------------------------

void signingRequest(Row& row) {
  auto has = [&](std::string_view type) { return !conditionOf(row["status"], type).isNull(); };
  std::string state = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending";
  if (has("Failed")) state += ",Failed";
  if (!row["status"]["certificate"].asString().empty()) state += ",Issued";
  const Value& expiration = row["spec"]["expirationSeconds"];
  row.name();
  row.age();
  row.textOr(row["spec"]["signerName"], "<none>");
  row.text(row["spec"]["username"]);
  row.text(expiration.isInt() ? humanDuration(seconds(expiration.asInt())) : "<none>");
  row.text(state);
}

void clusterTrustBundle(Row& row) {
  row.name();
  row.textOr(row["spec"]["signerName"], "<none>");
}

void podCertificateRequest(Row& row) {
  const Value& spec = row["spec"];
  std::string_view state = "Pending";
  for (std::string_view type : {"Issued", "Denied", "Failed"})
    if (conditionOf(row["status"], type)["status"].asString() == "True") state = type;
  row.name();
  for (std::string_view field : {"podName", "serviceAccountName", "nodeName", "signerName"})
    row.text(spec[field]);
  row.text(state);
  row.text(labelsText(spec["unverifiedUserAnnotations"]));
}

// ---- networking ---------------------------------------------------------------------------------
// ------------------------------------------------------------------------------------------------------

void ingress(Row& row) {
  const Value& spec = row["spec"];
  std::vector<std::string> hosts;
  for (const auto& rule : spec["rules"].items())
    if (!rule["host"].asString().empty()) hosts.push_back(rule["host"].str());
  row.name();
  row.textOr(spec["ingressClassName"], "<none>");
  row.text(hosts.empty() ? "*" : joinedWithMore(hosts, 3, ","));
  row.text(loadBalancerText(row["status"]["loadBalancer"]));
  row.text(spec["tls"].empty() ? "80" : "80, 443");
  row.age();
}

void ingressClass(Row& row) {
  const Value& parameters = row["spec"]["parameters"];
  std::string text = "<none>";
  if (parameters.isMap()) {
    text = parameters["kind"].str();
    if (!parameters["apiGroup"].asString().empty())
      text += concat('.', parameters["apiGroup"].asString());
    text += concat('/', parameters["name"].asString());
  }
  row.name();
  row.text(row["spec"]["controller"]);
  row.text(text);
  row.age();
}

void ipAddress(Row& row) {
  const Value& parent = row["spec"]["parentRef"];
  std::string text = parent["resource"].str();
  if (!parent["group"].asString().empty()) text += concat('.', parent["group"].asString());
  if (!parent["namespace"].asString().empty()) text += concat('/', parent["namespace"].asString());
  row.name();
  row.text(concat(text, '/', parent["name"].asString()));
  row.age();
}

void networkPolicy(Row& row) {
  row.name();
  row.text(selectorText(row["spec"]["podSelector"]));
  row.age();
}

void serviceCidr(Row& row) {
  row.name();
  row.text(joinTexts(row["spec"]["cidrs"], ","));
  row.age();
}

void endpointSlice(Row& row) {
  std::vector<std::string> ports, addresses;
  for (const auto& port : row["ports"].items()) {
    if (port["port"].isInt())
      ports.push_back(numberText(port["port"]));
    else
      ports.push_back(port["name"].asString().empty() ? "*" : port["name"].str());
  }
  for (const auto& endpoint : row["endpoints"].items())
    for (const auto& address : endpoint["addresses"].items()) addresses.push_back(address.str());
  row.name();
  row.text(row["addressType"]);
  row.text(ports.empty() ? "<unset>" : joinedWithMore(ports, 3, ","));
  row.text(addresses.empty() ? "<unset>" : joinedWithMore(addresses, 3, ","));
  row.age();
}

// ---- policy, RBAC -------------------------------------------------------------------------------
// ----------------------------------------------------------------------------------------------------

void disruptionBudget(Row& row) {
  auto orNone = [](const Value& value) { return value.isNull() ? "N/A" : numberText(value); };
  row.name();
  row.text(orNone(row["spec"]["minAvailable"]));
  row.text(orNone(row["spec"]["maxUnavailable"]));
  row.number(row["status"]["disruptionsAllowed"]);
  row.age();
}

void roleBinding(Row& row) {
  std::vector<std::string> users, groups, accounts;
  for (const auto& subject : row["subjects"].items()) {
    std::string name = subject["name"].str();
    std::string_view kind = subject["kind"].asString();
    if (kind == "User") users.push_back(name);
    if (kind == "Group") groups.push_back(name);
    if (kind == "ServiceAccount")
      accounts.push_back(concat(subject["namespace"].asString(), '/', name));
  }
  row.name();
  row.text(concat(row["roleRef"]["kind"].asString(), '/', row["roleRef"]["name"].asString()));
  row.age();
  row.text(join(users, ", "));
  row.text(join(groups, ", "));
  row.text(join(accounts, ", "));
}

// ---- storage ------------------------------------------------------------------------------------
// ---------------------------------------------------------------------------------------------------------

void csiDriver(Row& row) {
  const Value& spec = row["spec"];
  std::vector<std::string> audiences;
  for (const auto& request : spec["tokenRequests"].items())
    audiences.push_back(request["audience"].str());
  row.name();
  row.boolean(spec["attachRequired"].isNull() || spec["attachRequired"].asBool());
  row.boolean(spec["podInfoOnMount"].asBool());
  row.boolean(spec["storageCapacity"].asBool());
  row.text(audiences.empty() ? "<unset>" : join(audiences, ","));
  row.boolean(spec["requiresRepublish"].asBool());
  row.text(spec["volumeLifecycleModes"].empty() ? "<none>"
                                                : joinTexts(spec["volumeLifecycleModes"], ","));
  row.age();
}

void csiNode(Row& row) {
  row.name();
  row.number(int64_t(row["spec"]["drivers"].size()));
  row.age();
}

void storageClass(Row& row) {
  const Value& annotations = row["metadata"]["annotations"];
  bool isDefault =
      annotations["storageclass.kubernetes.io/is-default-class"].asString() == "true" ||
      annotations["storageclass.beta.kubernetes.io/is-default-class"].asString() == "true";
  row.text(concat(row["metadata"]["name"].asString(), isDefault ? " (default)" : ""));
  row.text(row["provisioner"]);
  row.textOr(row["reclaimPolicy"], "Delete");
  row.textOr(row["volumeBindingMode"], "<unset>");
  row.boolean(row["allowVolumeExpansion"].asBool());
  row.age();
}

void volumeAttachment(Row& row) {
  row.name();
  row.text(row["spec"]["attacher"]);
  row.text(row["spec"]["source"]["persistentVolumeName"]);
  row.text(row["spec"]["nodeName"]);
  row.boolean(row["status"]["attached"].asBool());
  row.age();
}

void volumeAttributesClass(Row& row) {
  row.name();
  row.text(row["driverName"]);
  row.age();
}

// ---- scheduling, coordination, node -------------------------------------------------------------
// ----------------------------------------------------------------------------------

void priorityClass(Row& row) {
  row.name();
  row.number(row["value"]);
  row.boolean(row["globalDefault"].asBool());
  row.age();
  row.textOr(row["preemptionPolicy"], "<none>");
}

void lease(Row& row) {
  row.name();
  row.text(row["spec"]["holderIdentity"]);
  row.age();
}

void leaseCandidate(Row& row) {
  row.name();
  for (std::string_view field : {"leaseName", "binaryVersion", "emulationVersion"})
    row.text(row["spec"][field]);
  row.age();
}

void runtimeClass(Row& row) {
  row.name();
  row.text(row["handler"]);
  row.age();
}

// ---- devices ------------------------------------------------------------------------------------
// ---------------------------------------------------------------------------------------------------------

void deviceTaintRule(Row& row) {
  const Value& taint = row["spec"]["taint"];
  row.name();
  for (std::string_view field : {"key", "value", "effect"}) row.text(taint[field]);
  row.text(taint["timeAdded"].isNull() ? "" : row.ageOf(taint["timeAdded"]));
  row.age();
}

void resourceClaim(Row& row) {
  std::vector<std::string> states;
  const Value& status = row["status"];
  if (row.deleting()) states.push_back("deleted");
  if (status["allocation"].isMap()) {
    states.push_back("allocated");
    if (!status["reservedFor"].empty()) states.push_back("reserved");
  } else if (!row.deleting()) {
    states.push_back("pending");
  }
  row.name();
  row.text(join(states, ","));
  row.age();
}

void resourceSlice(Row& row) {
  const Value& spec = row["spec"];
  row.name();
  row.textOr(spec["nodeName"], spec["allNodes"].asBool() ? "<all nodes>" : "<unset>");
  row.text(spec["driver"]);
  row.text(spec["pool"]["name"]);
  row.age();
}

void resourcePoolStatusRequest(Row& row) {
  const Value& status = row["status"];
  int64_t sums[4] = {}, errors = 0;
  constexpr std::string_view fields[] = {"totalDevices", "availableDevices", "allocatedDevices",
                                         "unavailableDevices"};
  for (const auto& pool : status["pools"].items()) {
    for (size_t i = 0; i < 4; ++i) sums[i] += pool[fields[i]].asInt();
    errors += !pool["validationError"].asString().empty();
  }
  bool complete = conditionOf(status, "Complete")["status"].asString() == "True";
  row.name();
  row.text(row["spec"]["driver"]);
  for (int64_t sum : sums) row.text(std::to_string(sum));
  row.text(std::to_string(errors));
  row.number(int64_t(status["pools"].size()));
  row.text(complete ? "Complete" : "Pending");
  row.text(complete ? row.ageOf(conditionOf(status, "Complete")["lastTransitionTime"]) : "");
}

// ---- flow control -------------------------------------------------------------------------------
// ----------------------------------------------------------------------------------------------------

void flowSchema(Row& row) {
  const Value& dangling = conditionOf(row["status"], "Dangling");
  row.name();
  row.textOr(row["spec"]["priorityLevelConfiguration"]["name"], "<none>");
  row.number(row["spec"]["matchingPrecedence"]);
  row.textOr(row["spec"]["distinguisherMethod"]["type"], "<none>");
  row.age();
  row.textOr(dangling["status"], "?");
}

void priorityLevel(Row& row) {
  const Value& spec = row["spec"];
  const Value& body = spec["type"].asString() == "Exempt" ? spec["exempt"] : spec["limited"];
  const Value& queuing = spec["limited"]["limitResponse"]["queuing"];
  row.name();
  row.text(spec["type"]);
  auto numberOrNone = [&](const Value& value) {
    value.isInt() ? row.number(value) : row.text("<none>");
  };
  numberOrNone(body["nominalConcurrencyShares"]);
  for (std::string_view field : {"queues", "handSize", "queueLengthLimit"})
    numberOrNone(queuing[field]);
  row.age();
}

constexpr std::string_view kBindingColumns = "Name:name Role Age Users* Groups* ServiceAccounts*";
constexpr std::string_view kAdmission = "admissionregistration.k8s.io";
constexpr TablePrinter kPrinters[] = {
    {kAdmission, "mutatingadmissionpolicies", "Name:name Mutations:int ParamKind Age",
     mutatingPolicy},
    {kAdmission, "mutatingadmissionpolicybindings", "Name:name PolicyName ParamRef Age",
     policyBinding},
    {kAdmission, "mutatingwebhookconfigurations", "Name:name Webhooks:int Age", webhooks},
    {kAdmission, "validatingadmissionpolicies", "Name:name Validations:int ParamKind Age",
     validatingPolicy},
    {kAdmission, "validatingadmissionpolicybindings", "Name:name PolicyName ParamRef Age",
     policyBinding},
    {kAdmission, "validatingwebhookconfigurations", "Name:name Webhooks:int Age", webhooks},
    {"apiextensions.k8s.io", "customresourcedefinitions",
     "Name:name Scope Versions Created_At:date Group* Kind* ShortNames* Established:bool*",
     customResourceDefinition},
    {"apiregistration.k8s.io", "apiservices", "Name:name Service Available Age", apiService},
    {"certificates.k8s.io", "certificatesigningrequests",
     "Name:name Age SignerName Requestor RequestedDuration Condition", signingRequest},
    {"certificates.k8s.io", "clustertrustbundles", "Name:name SignerName", clusterTrustBundle},
    {"certificates.k8s.io", "podcertificaterequests",
     "Name:name PodName ServiceAccountName NodeName SignerName State UnverifiedUserAnnotations",
     podCertificateRequest},
    {"coordination.k8s.io", "leases", "Name:name Holder Age", lease},
    {"coordination.k8s.io", "leasecandidates",
     "Name:name LeaseName BinaryVersion EmulationVersion Age", leaseCandidate},
    {"discovery.k8s.io", "endpointslices", "Name:name AddressType Ports Endpoints Age",
     endpointSlice},
    {"flowcontrol.apiserver.k8s.io", "flowschemas",
     "Name:name PriorityLevel MatchingPrecedence DistinguisherMethod Age MissingPL", flowSchema},
    {"flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations",
     "Name:name Type NominalConcurrencyShares Queues HandSize QueueLengthLimit Age", priorityLevel},
    {"internal.apiserver.k8s.io", "storageversions",
     "Name:name CommonEncodingVersion StorageVersions Age", storageVersion},
    {"networking.k8s.io", "ingressclasses", "Name:name Controller Parameters Age", ingressClass},
    {"networking.k8s.io", "ingresses", "Name:name Class Hosts Address Ports Age", ingress},
    // As upstream: the row has one cell more, the age, than the table has columns.
    {"networking.k8s.io", "ipaddresses", "Name:name ParentRef", ipAddress},
    {"networking.k8s.io", "networkpolicies", "Name:name Pod-Selector Age", networkPolicy},
    {"networking.k8s.io", "servicecidrs", "Name:name CIDRs Age", serviceCidr},
    {"node.k8s.io", "runtimeclasses", "Name:name Handler Age", runtimeClass},
    {"policy", "poddisruptionbudgets",
     "Name:name Min_Available Max_Unavailable Allowed_Disruptions:int Age", disruptionBudget},
    {"rbac.authorization.k8s.io", "clusterrolebindings", kBindingColumns, roleBinding},
    {"rbac.authorization.k8s.io", "rolebindings", kBindingColumns, roleBinding},
    {"resource.k8s.io", "deviceclasses", "Name:name Age", nameAndAge},
    {"resource.k8s.io", "devicetaintrules", "Name:name Key Value Effect TimeAdded Age",
     deviceTaintRule},
    {"resource.k8s.io", "resourceclaims", "Name:name State Age", resourceClaim},
    {"resource.k8s.io", "resourceclaimtemplates", "Name:name Age", nameAndAge},
    {"resource.k8s.io", "resourceslices", "Name:name Node Driver Pool Age", resourceSlice},
    {"resource.k8s.io", "resourcepoolstatusrequests",
     "Name:name Driver Total Available Allocated Unavailable Errors Pools:int Status Completed",
     resourcePoolStatusRequest},
    {"scheduling.k8s.io", "priorityclasses",
     "Name:name Value:int Global-Default:bool Age PreemptionPolicy", priorityClass},
    {"storage.k8s.io", "csidrivers",
     "Name:name AttachRequired:bool PodInfoOnMount:bool StorageCapacity:bool TokenRequests "
     "RequiresRepublish:bool Modes Age",
     csiDriver},
    {"storage.k8s.io", "csinodes", "Name:name Drivers:int Age", csiNode},
    {"storage.k8s.io", "storageclasses",
     "Name:name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age",
     storageClass},
    {"storage.k8s.io", "volumeattachments", "Name:name Attacher:name PV Node Attached:bool Age",
     volumeAttachment},
    {"storage.k8s.io", "volumeattributesclasses", "Name:name DriverName Age",
     volumeAttributesClass},
    {"storagemigration.k8s.io", "storageversionmigrations", "Name Resource Status",
     storageVersionMigration},
};
}  // namespace

std::span<const TablePrinter> otherPrinters() { return kPrinters; }

}  // namespace skiff::api
