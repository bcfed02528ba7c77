#include "ctl/ctl.h"

#include <cstdio>

#include "base/strings.h"
#include "ctl/commands.h"

namespace skiff::ctl {
namespace {

struct Command {
  std::string_view name;
  int (*run)(const Args& args);
  std::string_view help;
};

constexpr Command kCommands[] = {
    {"get", runGet, "show resources"},
    {"describe", runDescribe, "show one resource in detail"},
    {"create", runCreate, "create from a file or from arguments"},
    {"apply", runApply, "bring resources to what a file says"},
    {"delete", runDelete, "delete resources"},
    {"patch", runPatch, "change fields of a resource"},
    {"label", runLabel, "set or remove labels"},
    {"annotate", runAnnotate, "set or remove annotations"},
    {"scale", runScale, "set the number of replicas"},
    {"rollout", runRollout, "status, restart, pause, resume of a rollout"},
    {"wait", runWait, "wait for a condition"},
    {"logs", runLogs, "print a container's log"},
    {"exec", runExec, "run a command in a container"},
    {"port-forward", runPortForward, "forward local ports to a pod"},
    {"api-resources", runApiResources, "list the server's resources"},
    {"api-versions", runApiVersions, "list the server's group versions"},
    {"explain", runExplain, "what a resource and its fields are for"},
    {"cluster-info", runClusterInfo, "where the control plane is"},
    {"version", runVersion, "versions of client and server"},
};

int usage(std::FILE* out, int code) {
  std::fprintf(out, "kubectl controls a Kubernetes cluster.\n\nUsage: kubectl [flags] COMMAND\n\nCommands:\n");
  for (const auto& command : kCommands)
    std::fprintf(out, "  %-16s %s\n", std::string(command.name).c_str(), std::string(command.help).c_str());
  return code;
}

// The command's place among the arguments: global flags may stand before it.
size_t commandAt(const Args& args) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (!args[i].starts_with('-')) return i;
    bool inlineValue = args[i].find('=') != std::string::npos || args[i].starts_with("--insecure");
    if (!inlineValue && args[i] != "--help" && args[i] != "-h") ++i;
  }
  return args.size();
}

}  // namespace

int kubectl(const std::vector<std::string>& args) {
  size_t at = commandAt(args);
  if (at == args.size()) return usage(stdout, 0);
  Args rest = args;
  rest.erase(rest.begin() + ptrdiff_t(at));
  for (const auto& command : kCommands)
    if (command.name == args[at]) return command.run(rest);
  if (args[at] == "help") return usage(stdout, 0);
  std::fprintf(stderr, "error: unknown command %s for \"kubectl\"\n", quoted(args[at]).c_str());
  return 1;
}

}  // namespace skiff::ctl
