// wait and rollout status: polls an object until it is as wished.
#include <cstdio>

#include "api/jsonpath.h"
#include "api/scalars.h"
#include "base/strings.h"
#include "codec/json.h"
#include "ctl/commands.h"
#include "rt/stop.h"

namespace skiff::ctl {
namespace {

using codec::Value;

constexpr milliseconds kPoll{100};

Result<milliseconds> parseTimeout(const std::string& text) {
  auto value = api::parseDuration(text);
  if (!value) return badRequest(concat("invalid duration ", skiff::quoted(text)));
  return std::chrono::duration_cast<milliseconds>(*value);
}

// --for: delete, create, condition=Name[=value], jsonpath={...}[=value]
struct Wish {
  enum class Kind { Delete, Create, Condition, JsonPath } kind;
  std::string name, value;
  static Result<Wish> parse(std::string_view text) {
    if (text == "delete") return Wish{Kind::Delete, "", ""};
    if (text == "create") return Wish{Kind::Create, "", ""};
    if (text.starts_with("condition=")) {
      auto rest = text.substr(10);
      auto pair = cut(rest, "=");
      return Wish{Kind::Condition, std::string(pair ? pair->first : rest), std::string(pair ? pair->second : "true")};
    }
    if (text.starts_with("jsonpath=")) {
      auto rest = text.substr(9);
      auto end = rest.find('}');
      if (end == rest.npos) return badRequest("jsonpath wait expression must be in braces");
      auto value = rest.substr(end + 1);
      return Wish{Kind::JsonPath, std::string(rest.substr(0, end + 1)),
                  std::string(value.starts_with('=') ? value.substr(1) : "")};
    }
    return badRequest(concat("unrecognized condition: ", skiff::quoted(text)));
  }
  Result<bool> holds(const Value& object) const {
    if (kind == Kind::Create) return true;
    if (kind == Kind::Condition) {
      int64_t generation = object["metadata"]["generation"].asInt();
      for (const auto& condition : object["status"]["conditions"].items())
        if (equalsIgnoreCase(condition["type"].asString(), name)) {
          int64_t seen = condition["observedGeneration"].asInt();
          if (seen != 0 && seen < generation) return false;
          return equalsIgnoreCase(condition["status"].asString(), value);
        }
      return false;
    }
    auto path = TRY(api::JsonPath::parse(name));
    auto text = TRY(path.print(object));
    return value.empty() ? !text.empty() : text == value;
  }
};

Status waitFor(Session& session, const Target& target, const Wish& wish, SteadyTime deadline) {
  rt::StopSignal never;
  auto path = target.resource.path(target.ns, target.name);
  for (;;) {
    auto live = session.get(path);
    bool absent = live.failedWith(Reason::NotFound);
    if (wish.kind == Wish::Kind::Delete && absent) return okStatus();
    if (!live.ok() && !(absent && wish.kind == Wish::Kind::Create)) return std::move(live).error();
    if (live.ok() && wish.kind != Wish::Kind::Delete && TRY(wish.holds((*live)->root))) return okStatus();
    if (Clock::real().steadyNow() >= deadline)
      return badRequest(concat("timed out waiting for the condition on ", target.resource.plural, "/", target.name));
    never.waitFor(kPoll);
  }
}

// "" when the rollout is complete, else what it waits for (kubectl's words).
Result<std::string> rolloutProgress(const std::string& kind, const std::string& name, const Value& object) {
  const auto &spec = object["spec"], &status = object["status"];
  int64_t wanted = spec["replicas"].asInt(1), updated = status["updatedReplicas"].asInt();
  if (object["metadata"]["generation"].asInt() > status["observedGeneration"].asInt())
    return concat("Waiting for ", toLower(kind), " spec update to be observed...");
  if (kind == "Deployment") {
    for (const auto& condition : status["conditions"].items())
      if (condition["reason"].asString() == "ProgressDeadlineExceeded")
        return badRequest(concat("deployment ", skiff::quoted(name), " exceeded its progress deadline"));
    auto waiting = concat("Waiting for deployment ", skiff::quoted(name), " rollout to finish: ");
    int64_t total = status["replicas"].asInt(), available = status["availableReplicas"].asInt();
    if (updated < wanted) return concat(waiting, updated, " out of ", wanted, " new replicas have been updated...");
    if (total > updated) return concat(waiting, total - updated, " old replicas are pending termination...");
    if (available < updated) return concat(waiting, available, " of ", updated, " updated replicas are available...");
    return std::string();
  }
  if (kind == "DaemonSet") {
    int64_t desired = status["desiredNumberScheduled"].asInt(), now = status["updatedNumberScheduled"].asInt();
    auto waiting = concat("Waiting for daemon set ", skiff::quoted(name), " rollout to finish: ");
    if (now < desired) return concat(waiting, now, " out of ", desired, " new pods have been updated...");
    int64_t available = status["numberAvailable"].asInt();
    if (available < desired) return concat(waiting, available, " of ", desired, " updated pods are available...");
    return std::string();
  }
  int64_t ready = status["readyReplicas"].asInt();
  if (ready < wanted) return concat("Waiting for ", wanted - ready, " pods to be ready...");
  int64_t partition = spec["updateStrategy"]["rollingUpdate"]["partition"].asInt();
  if (updated < wanted - partition)
    return concat("Waiting for partitioned roll out to finish: ", updated, " out of ", wanted - partition,
                  " new pods have been updated...");
  return std::string();
}

Status rolloutStatus(Session& session, const Target& target, bool watch, SteadyTime deadline) {
  rt::StopSignal never;
  std::string said;
  for (;;) {
    auto live = TRY(session.get(target.resource.path(target.ns, target.name)));
    auto progress = TRY(rolloutProgress(target.resource.kind, target.name, live->root));
    if (progress.empty()) {
      std::printf("%s %s successfully rolled out\n",
                  target.resource.kind == "Deployment" ? "deployment"
                  : target.resource.kind == "DaemonSet" ? "daemon set" : "statefulset rolling update complete:",
                  skiff::quoted(target.name).c_str());
      return okStatus();
    }
    if (progress != std::exchange(said, progress)) std::printf("%s\n", progress.c_str());
    std::fflush(stdout);
    if (!watch) return okStatus();
    if (Clock::real().steadyNow() >= deadline) return badRequest("timed out waiting for the condition");
    never.waitFor(kPoll);
  }
}

Status patchTarget(Session& session, const Target& target, const std::string& patch, const char* done) {
  TRY(session.send("PATCH", target.resource.path(target.ns, target.name), {{"fieldManager", "kubectl-rollout"}}, patch,
                   "application/strategic-merge-patch+json"));
  std::printf("%s %s\n", target.resource.display(target.name).c_str(), done);
  return okStatus();
}

Status rolloutAction(Session& session, const std::string& action, const Target& target, bool watch,
                     SteadyTime deadline) {
  if (action == "status") return rolloutStatus(session, target, watch, deadline);
  if (action == "pause") return patchTarget(session, target, R"({"spec":{"paused":true}})", "paused");
  if (action == "resume") return patchTarget(session, target, R"({"spec":{"paused":false}})", "resumed");
  if (action == "restart")
    return patchTarget(session, target,
                       concat(R"({"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":")",
                              formatRfc3339(Clock::real().now()), "\"}}}}}"),
                       "restarted");
  return badRequest(concat("unknown rollout command ", skiff::quoted(action)));
}

}  // namespace

int runWait(const Args& args) {
  std::string wishText, timeoutText = "30s", selector;
  std::vector<std::string> files;
  bool all = false, allNamespaces = false;
  Flags flags;
  Session session(flags);
  flags.text("for", &wishText, "delete, create, condition=NAME[=VALUE] or jsonpath={PATH}[=VALUE]")
      .text("timeout", &timeoutText, "how long to wait")
      .text("selector", &selector, "label selector", 'l')
      .array("filename", &files, "manifests that name the objects", 'f')
      .boolean("all", &all, "all of that resource")
      .boolean("all-namespaces", &allNamespaces, "in all namespaces", 'A');
  auto run = [&]() -> Status {
    auto rest = TRY(flags.parse(args));
    TRY(session.connect());
    auto wish = TRY(Wish::parse(wishText));
    auto timeout = TRY(parseTimeout(timeoutText));
    auto deadline = Clock::real().steadyNow() + timeout;
    std::vector<Target> targets;
    if (!files.empty()) {
      auto manifests = TRY(readManifests(files, false));
      targets = TRY(targetsOfManifests(session, manifests));
    } else {
      for (auto& target : TRY(targetsOf(session, rest))) {
        if (!target.name.empty()) {
          targets.push_back(target);
          continue;
        }
        if (!all && selector.empty()) return badRequest("resource name or --all or a selector is needed");
        Query query;
        if (!selector.empty()) query.emplace_back("labelSelector", selector);
        auto list = TRY(session.get(target.resource.path(allNamespaces ? "" : target.ns), query));
        for (const auto& item : list->root["items"].items())
          targets.push_back({target.resource, item["metadata"]["namespace"].str(),
                             item["metadata"]["name"].str(), nullptr});
      }
    }
    if (targets.empty() && wish.kind != Wish::Kind::Delete) return badRequest("no matching resources found");
    for (const auto& target : targets) {
      TRY(waitFor(session, target, wish, deadline));
      std::printf("%s %s\n", target.resource.display(target.name).c_str(),
                  wish.kind == Wish::Kind::Delete ? "deleted" : "condition met");
    }
    return okStatus();
  };
  auto status = run();
  return status.ok() ? 0 : printError(status.error());
}

int runRollout(const Args& args) {
  std::string timeoutText = "0s";
  bool watch = true;
  Flags flags;
  Session session(flags);
  flags.text("timeout", &timeoutText, "how long to wait; 0: for ever").boolean("watch", &watch, "until it is done", 'w');
  auto run = [&]() -> Status {
    auto rest = TRY(flags.parse(args));
    TRY(session.connect());
    if (rest.size() < 2) return badRequest("usage: kubectl rollout status|restart|pause|resume RESOURCE/NAME");
    auto timeout = TRY(parseTimeout(timeoutText));
    auto deadline = timeout.count() == 0 ? SteadyTime::max() : Clock::real().steadyNow() + timeout;
    for (const auto& target : TRY(targetsOf(session, Args(rest.begin() + 1, rest.end()))))
      TRY(rolloutAction(session, rest[0], target, watch, deadline));
    return okStatus();
  };
  auto status = run();
  return status.ok() ? 0 : printError(status.error());
}

}  // namespace skiff::ctl
