// kubectl describe: a resource in detail, with its events.
#include <cstdio>

#include "base/strings.h"
#include "codec/yaml.h"
#include "ctl/commands.h"

namespace skiff::ctl {
namespace {

using codec::Value;

// Lines of "Key:  value" whose values stand in one column.
class Page {
 public:
  void line(std::string_view key, std::string_view value, int indent = 0) {
    std::string left(size_t(indent) * 2, ' ');
    left += concat(key, ":");
    rows_.push_back({std::move(left), std::string(value)});
  }
  void heading(std::string_view key, int indent = 0) { line(key, "", indent); }
  void map(std::string_view key, const Value& map, int indent = 0) {
    if (map.empty()) return line(key, "<none>", indent);
    bool first = true;
    for (const auto& member : map.members()) {
      auto text = concat(member.key, "=", member.value.asString().substr(0, 200));
      if (first) {
        line(key, text, indent);
      } else {
        rows_.push_back({"", text});
      }
      first = false;
    }
  }
  // A subtree as YAML, indented: for parts without a form of their own.
  void tree(std::string_view key, const Value& value, int indent = 0) {
    if (value.isNull() || (value.isMap() && value.empty())) return;
    if (!value.isMap() && !value.isList()) {
      return line(key, value.isString() ? value.asString() : std::string_view(trim(codec::toYaml(value))), indent);
    }
    heading(key, indent);
    for (auto text : splitNonEmpty(codec::toYaml(value), '\n'))
      raw(concat(std::string(size_t(indent) * 2 + 2, ' '), text));
  }
  void raw(std::string text) { rows_.push_back({std::move(text), "\n"}); }
  void table(const std::vector<std::vector<std::string>>& rows, int indent) {
    for (auto text : splitNonEmpty(alignColumns(rows), '\n'))
      raw(concat(std::string(size_t(indent) * 2, ' '), text));
  }
  std::string str() const {
    size_t width = 0;
    for (const auto& [left, right] : rows_)
      if (right != "\n" && !right.empty()) width = std::max(width, left.size());
    std::string out;
    for (const auto& [left, right] : rows_) {
      out += left;
      if (right != "\n" && !right.empty()) {
        out.append(width + 2 - left.size(), ' ');
        out += right;
      }
      out += '\n';
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

std::string text(const Value& value) { return value.isNull() ? "<none>" : std::string(trim(codec::toYaml(value))); }

void describeMeta(Page& page, const Value& object) {
  const auto& meta = object["metadata"];
  page.line("Name", meta["name"].asString());
  if (meta.has("namespace")) page.line("Namespace", meta["namespace"].asString());
  page.map("Labels", meta["labels"]);
  page.map("Annotations", meta["annotations"]);
}

void describeConditions(Page& page, const Value& object) {
  const auto& conditions = object["status"]["conditions"];
  if (conditions.empty()) return;
  page.heading("Conditions");
  std::vector<std::vector<std::string>> rows{{"Type", "Status", "Reason", "Message"}, {"----", "------", "------", "-------"}};
  for (const auto& c : conditions.items())
    rows.push_back({c["type"].str(), c["status"].str(), c["reason"].str(), c["message"].str()});
  page.table(rows, 1);
}

void describeContainer(Page& page, const Value& container, const Value& statuses) {
  page.heading(container["name"].asString(), 1);
  const Value* status = nullptr;
  for (const auto& s : statuses.items())
    if (s["name"] == container["name"]) status = &s;
  if (status) page.line("Container ID", (*status)["containerID"].asString(), 2);
  page.line("Image", container["image"].asString(), 2);
  if (status) page.line("Image ID", (*status)["imageID"].asString(), 2);
  std::vector<std::string> ports;
  for (const auto& port : container["ports"].items())
    ports.push_back(concat(port["containerPort"].asInt(), "/", port["protocol"].asString()));
  page.line("Port", ports.empty() ? "<none>" : join(ports, ", "), 2);
  page.tree("Command", container["command"], 2);
  page.tree("Args", container["args"], 2);
  if (status) {
    for (auto [key, title] : {std::pair{"state", "State"}, std::pair{"lastState", "Last State"}})
      for (const auto& state : (*status)[key].members()) {
        std::string name = state.key == "running" ? "Running" : state.key == "waiting" ? "Waiting" : "Terminated";
        page.line(title, name, 2);
        for (const auto& detail : state.value.members()) page.line(detail.key, text(detail.value), 3);
      }
    page.line("Ready", (*status)["ready"].asBool() ? "True" : "False", 2);
    page.line("Restart Count", std::to_string((*status)["restartCount"].asInt()), 2);
  }
  page.tree("Limits", container["resources"]["limits"], 2);
  page.tree("Requests", container["resources"]["requests"], 2);
  for (auto [key, title] : {std::pair{"livenessProbe", "Liveness"}, std::pair{"readinessProbe", "Readiness"},
                            std::pair{"startupProbe", "Startup"}})
    page.tree(title, container[key], 2);
  page.tree("Environment", container["env"], 2);
  page.tree("Environment Variables from", container["envFrom"], 2);
  page.heading("Mounts", 2);
  for (const auto& mount : container["volumeMounts"].items())
    page.raw(concat("      ", mount["mountPath"].asString(), " from ", mount["name"].asString(),
                    mount["readOnly"].asBool() ? " (ro)" : " (rw)"));
}

void describePod(Page& page, const Value& pod) {
  const auto &spec = pod["spec"], &status = pod["status"];
  page.line("Priority", text(spec["priority"]));
  page.line("Service Account", text(spec["serviceAccountName"]));
  page.line("Node", concat(text(spec["nodeName"]), "/", status["hostIP"].asString()));
  page.line("Start Time", text(status["startTime"]));
  page.line("Status", pod["metadata"].has("deletionTimestamp") ? "Terminating" : status["phase"].asString());
  if (status.has("reason")) page.line("Reason", status["reason"].asString());
  if (status.has("message")) page.line("Message", status["message"].asString());
  page.line("IP", text(status["podIP"]));
  for (const auto& owner : pod["metadata"]["ownerReferences"].items())
    if (owner["controller"].asBool())
      page.line("Controlled By", concat(owner["kind"].asString(), "/", owner["name"].asString()));
  for (auto [list, statuses, title] :
       {std::tuple{"initContainers", "initContainerStatuses", "Init Containers"},
        std::tuple{"containers", "containerStatuses", "Containers"},
        std::tuple{"ephemeralContainers", "ephemeralContainerStatuses", "Ephemeral Containers"}}) {
    if (spec[list].empty()) continue;
    page.heading(title);
    for (const auto& container : spec[list].items()) describeContainer(page, container, status[statuses]);
  }
  describeConditions(page, pod);
  page.tree("Volumes", spec["volumes"]);
  page.line("QoS Class", text(status["qosClass"]));
  page.map("Node-Selectors", spec["nodeSelector"]);
  page.tree("Tolerations", spec["tolerations"]);
}

void describeDeployment(Page& page, const Value& object) {
  const auto &spec = object["spec"], &status = object["status"];
  page.line("CreationTimestamp", text(object["metadata"]["creationTimestamp"]));
  page.map("Selector", spec["selector"]["matchLabels"]);
  page.line("Replicas", concat(spec["replicas"].asInt(), " desired | ", status["updatedReplicas"].asInt(),
                               " updated | ", status["replicas"].asInt(), " total | ",
                               status["availableReplicas"].asInt(), " available | ",
                               status["unavailableReplicas"].asInt(), " unavailable"));
  page.line("StrategyType", text(spec["strategy"]["type"]));
  page.line("MinReadySeconds", std::to_string(spec["minReadySeconds"].asInt()));
  page.tree("RollingUpdateStrategy", spec["strategy"]["rollingUpdate"]);
  page.heading("Pod Template");
  page.map("Labels", spec["template"]["metadata"]["labels"], 1);
  page.heading("Containers", 1);
  for (const auto& container : spec["template"]["spec"]["containers"].items())
    describeContainer(page, container, Value());
  describeConditions(page, object);
}

Result<std::string> endpointsOf(Session& session, const Value& service) {
  auto slices = TRY(session.get(concat("/apis/discovery.k8s.io/v1/namespaces/",
                                       service["metadata"]["namespace"].asString(), "/endpointslices"),
                                {{"labelSelector", concat("kubernetes.io/service-name=",
                                                          service["metadata"]["name"].asString())}}));
  std::vector<std::string> out;
  for (const auto& slice : slices->root["items"].items())
    for (const auto& endpoint : slice["endpoints"].items())
      for (const auto& port : slice["ports"].items())
        out.push_back(concat(endpoint["addresses"].at(0).asString(), ":", port["port"].asInt()));
  return out.empty() ? "<none>" : join(out, ",");
}

void describeService(Session& session, Page& page, const Value& service) {
  const auto& spec = service["spec"];
  page.map("Selector", spec["selector"]);
  page.line("Type", text(spec["type"]));
  page.line("IP", text(spec["clusterIP"]));
  for (const auto& port : spec["ports"].items()) {
    page.line("Port", concat(port.has("name") ? port["name"].asString() : "<unset>", "  ", port["port"].asInt(), "/",
                             port["protocol"].asString()));
    page.line("TargetPort", concat(text(port["targetPort"]), "/", port["protocol"].asString()));
    if (port.has("nodePort")) page.line("NodePort", std::to_string(port["nodePort"].asInt()));
  }
  page.line("Endpoints", endpointsOf(session, service).valueOr("<unknown>"));
  page.line("Session Affinity", text(spec["sessionAffinity"]));
  page.line("Internal Traffic Policy", text(spec["internalTrafficPolicy"]));
}

void describeNode(Page& page, const Value& node) {
  page.line("CreationTimestamp", text(node["metadata"]["creationTimestamp"]));
  page.tree("Taints", node["spec"]["taints"]);
  page.line("Unschedulable", node["spec"]["unschedulable"].asBool() ? "true" : "false");
  describeConditions(page, node);
  page.heading("Addresses");
  for (const auto& address : node["status"]["addresses"].items())
    page.line(address["type"].asString(), address["address"].asString(), 1);
  for (auto [key, title] : {std::pair{"capacity", "Capacity"}, std::pair{"allocatable", "Allocatable"}}) {
    page.heading(title);
    for (const auto& amount : node["status"][key].members()) page.line(amount.key, amount.value.asString(), 1);
  }
  page.heading("System Info");
  for (const auto& fact : node["status"]["nodeInfo"].members()) page.line(fact.key, text(fact.value), 1);
  page.line("PodCIDR", text(node["spec"]["podCIDR"]));
}

void describeAny(Page& page, const Value& object) {
  page.line("API Version", object["apiVersion"].asString());
  page.line("Kind", object["kind"].asString());
  for (const auto& member : object.members())
    if (member.key != "metadata" && member.key != "apiVersion" && member.key != "kind")
      page.tree(member.key, member.value);
}

void describeEvents(Session& session, Page& page, const Value& object) {
  auto ns = object["metadata"]["namespace"].str();
  auto events = session.get(concat("/api/v1/namespaces/", ns.empty() ? "default" : ns, "/events"),
                            {{"fieldSelector", concat("involvedObject.name=", object["metadata"]["name"].asString(),
                                                      ",involvedObject.kind=", object["kind"].asString())}});
  if (!events.ok()) return;
  if ((*events)->root["items"].empty()) return page.line("Events", "<none>");
  page.heading("Events");
  std::vector<std::vector<std::string>> rows{{"Type", "Reason", "Count", "Last Seen", "From", "Message"},
                                             {"----", "------", "-----", "---------", "----", "-------"}};
  for (const auto& e : (*events)->root["items"].items())
    rows.push_back({e["type"].str(), e["reason"].str(), std::to_string(std::max<int64_t>(1, e["count"].asInt())),
                    e["lastTimestamp"].str(), e["source"]["component"].str(), std::string(trim(e["message"].asString()))});
  page.table(rows, 1);
}

Status describeOne(Session& session, const Target& target) {
  auto object = TRY(session.get(target.resource.path(target.ns, target.name)));
  const auto& root = object->root;
  Page page;
  describeMeta(page, root);
  auto kind = root["kind"].asString();
  if (kind == "Pod") {
    describePod(page, root);
  } else if (kind == "Deployment") {
    describeDeployment(page, root);
  } else if (kind == "Service") {
    describeService(session, page, root);
  } else if (kind == "Node") {
    describeNode(page, root);
  } else {
    describeAny(page, root);
  }
  describeEvents(session, page, root);
  std::fputs(page.str().c_str(), stdout);
  return okStatus();
}

}  // namespace

int runDescribe(const Args& args) {
  std::string selector;
  std::vector<std::string> files;
  bool allNamespaces = false;
  Flags flags;
  Session session(flags);
  flags.text("selector", &selector, "label selector", 'l')
      .array("filename", &files, "manifests that name the objects", 'f')
      .boolean("all-namespaces", &allNamespaces, "in all namespaces", 'A');
  auto run = [&]() -> Status {
    auto rest = TRY(flags.parse(args));
    TRY(session.connect());
    std::vector<Target> targets;
    if (files.empty()) {
      targets = TRY(targetsOf(session, rest));
    } else {
      auto manifests = TRY(readManifests(files, false));
      targets = TRY(targetsOfManifests(session, manifests));
    }
    bool first = true;
    for (const auto& target : targets) {
      std::vector<Target> each{target};
      if (target.name.empty()) {
        Query query;
        if (!selector.empty()) query.emplace_back("labelSelector", selector);
        auto list = TRY(session.get(target.resource.path(allNamespaces ? "" : target.ns), query));
        each.clear();
        for (const auto& item : list->root["items"].items())
          each.push_back({target.resource, item["metadata"]["namespace"].str(), item["metadata"]["name"].str(), nullptr});
      }
      for (const auto& one : each) {
        if (!std::exchange(first, false)) std::fputs("\n\n", stdout);
        TRY(describeOne(session, one));
      }
    }
    return okStatus();
  };
  auto status = run();
  return status.ok() ? 0 : printError(status.error());
}

}  // namespace skiff::ctl
