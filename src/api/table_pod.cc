// The pod's row: its one-word status is gathered from phase, conditions and every container.
#include "api/table.h"
#include "api/table_rows.h"
#include "base/strings.h"

namespace skiff::api {
using codec::Value;

namespace {
class PodSummary {
 public:
  explicit PodSummary(const Row& row)
      : pod_(row.object()), spec_(pod_["spec"]), status_(pod_["status"]) {
    total_ = int64_t(spec_["containers"].size());
    reason_ =
        status_["reason"].asString().empty() ? status_["phase"].str() : status_["reason"].str();
    const Value& scheduled = conditionOf(status_, "PodScheduled");
    if (scheduled["reason"].asString() == "SchedulingGated") reason_ = "SchedulingGated";
    for (const auto& container : spec_["initContainers"].items()) total_ += isSidecar(container);
    bool initializing = readInitContainers();
    if (!initializing || conditionOf(status_, "Initialized")["status"].asString() == "True")
      readContainers();
    if (row.deleting()) {
      std::string_view phase = status_["phase"].asString();
      if (status_["reason"].asString() == "NodeLost")
        reason_ = "Unknown";
      else if (phase != "Succeeded" && phase != "Failed")
        reason_ = "Terminating";
    }
  }

  std::string readyText() const { return concat(ready_, '/', total_); }
  const std::string& reason() const { return reason_; }
  std::string restartsText(WallTime now) const {
    if (restarts_ == 0 || lastRestart_.empty()) return std::to_string(restarts_);
    return concat(restarts_, " (", humanAge(lastRestart_, now), " ago)");
  }

 private:
  static bool isSidecar(const Value& container) {
    return container["restartPolicy"].asString() == "Always";
  }
  bool isSidecarNamed(std::string_view name) const {
    for (const auto& container : spec_["initContainers"].items())
      if (container["name"].asString() == name) return isSidecar(container);
    return false;
  }

  static std::string terminatedText(const Value& terminated) {
    if (!terminated["reason"].asString().empty()) return terminated["reason"].str();
    if (terminated["signal"].asInt() != 0) return concat("Signal:", terminated["signal"].asInt());
    return concat("ExitCode:", terminated["exitCode"].asInt());
  }

  // RFC 3339 texts in UTC order as their times do.
  static void countRestarts(const Value& container, int64_t& count, std::string& last) {
    count += container["restartCount"].asInt();
    const Value& ended = container["lastState"]["terminated"]["finishedAt"];
    if (ended.asString() > last) last = ended.str();
  }

  // True while init containers are still at work.
  bool readInitContainers() {
    int64_t index = 0;
    for (const auto& container : status_["initContainerStatuses"].items()) {
      countRestarts(container, restarts_, lastRestart_);
      bool sidecar = isSidecarNamed(container["name"].asString());
      if (sidecar) countRestarts(container, sidecarRestarts_, lastSidecarRestart_);
      const Value& terminated = container["state"]["terminated"];
      const Value& waiting = container["state"]["waiting"];
      ++index;
      if (terminated.isMap() && terminated["exitCode"].asInt() == 0) continue;
      if (sidecar && container["started"].asBool()) {
        ready_ += container["ready"].asBool();
        continue;
      }
      std::string_view why = waiting["reason"].asString();
      if (terminated.isMap())
        reason_ = "Init:" + terminatedText(terminated);
      else if (!why.empty() && why != "PodInitializing")
        reason_ = concat("Init:", why);
      else
        reason_ = concat("Init:", index - 1, '/', spec_["initContainers"].size());
      return true;
    }
    return false;
  }

  void readContainers() {
    restarts_ = sidecarRestarts_;
    lastRestart_ = lastSidecarRestart_;
    bool running = false;
    auto statuses = status_["containerStatuses"].items();
    for (size_t i = statuses.size(); i-- > 0;) {
      const Value& container = statuses[i];
      countRestarts(container, restarts_, lastRestart_);
      const Value& state = container["state"];
      if (!state["waiting"]["reason"].asString().empty()) {
        reason_ = state["waiting"]["reason"].str();
      } else if (state["terminated"].isMap()) {
        reason_ = terminatedText(state["terminated"]);
      } else if (container["ready"].asBool() && state["running"].isMap()) {
        running = true;
        ++ready_;
      }
    }
    // One container has ended, another still runs.
    if (reason_ == "Completed" && running)
      reason_ =
          conditionOf(status_, "Ready")["status"].asString() == "True" ? "Running" : "NotReady";
  }

  const Value& pod_;
  const Value& spec_;
  const Value& status_;
  int64_t total_ = 0, ready_ = 0, restarts_ = 0, sidecarRestarts_ = 0;
  std::string reason_, lastRestart_, lastSidecarRestart_;
};

std::string readinessGates(const Value& pod) {
  const Value& gates = pod["spec"]["readinessGates"];
  if (gates.empty()) return "<none>";
  int64_t met = 0;
  for (const auto& gate : gates.items())
    met +=
        conditionOf(pod["status"], gate["conditionType"].asString())["status"].asString() == "True";
  return concat(met, '/', gates.size());
}
}  // namespace

void printPod(Row& row) {
  PodSummary summary(row);
  const Value& status = row["status"];
  row.name();
  row.text(summary.readyText());
  row.text(summary.reason());
  row.text(summary.restartsText(row.now()));
  row.age();
  const Value& first = status["podIPs"].at(0)["ip"];
  row.textOr(first.isNull() ? status["podIP"] : first, "<none>");
  row.textOr(row["spec"]["nodeName"], "<none>");
  row.textOr(status["nominatedNodeName"], "<none>");
  row.text(readinessGates(row.object()));
}

}  // namespace skiff::api
