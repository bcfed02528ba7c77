// The table of roles. argv[0] may name one ("kubectl", "kube-apiserver"): links to the binary act as that program.
#include <cstdio>
#include <string>
#include <vector>

#include "base/strings.h"
#include "cmd/commands.h"
#include "ctl/ctl.h"

namespace {

using skiff::cmd::Args;

struct Command {
  std::string_view name;
  std::string_view upstreamName;  // as argv[0]
  int (*run)(const Args& args);
  std::string_view help;
};

constexpr Command kCommands[] = {
    {"up", "", skiff::cmd::runUp, "start a whole cluster in one process"},
    {"down", "", skiff::cmd::runDown, "stop it"},
    {"status", "", skiff::cmd::runStatus, "tell how it is"},
    {"kubectl", "kubectl", skiff::ctl::kubectl, "the command line of Kubernetes"},
    {"apiserver", "kube-apiserver", skiff::cmd::runApiServer, "the API server alone"},
    {"controller-manager", "kube-controller-manager", skiff::cmd::runControllerManager, "the controllers alone"},
    {"scheduler", "kube-scheduler", skiff::cmd::runScheduler, "the scheduler alone"},
    {"kubelet", "kubelet", skiff::cmd::runKubelet, "the node agent alone"},
    {"proxy", "kube-proxy", skiff::cmd::runProxy, "the service proxy alone"},
    {"dns", "", skiff::cmd::runDns, "cluster DNS alone"},
    {"store", "", skiff::cmd::runStore, "verify, snapshot or restore a store"},
};

int usage(int code) {
  std::FILE* out = code == 0 ? stdout : stderr;
  std::fprintf(out, "Skiff is Kubernetes in one binary.\n\nUsage: skiff COMMAND [flags]\n\nCommands:\n");
  for (const auto& command : kCommands)
    std::fprintf(out, "  %-20s %s\n", std::string(command.name).c_str(), std::string(command.help).c_str());
  std::fprintf(out, "\nskiff COMMAND --help tells a command's flags.\n");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view self = argc > 0 ? argv[0] : "skiff";
  self.remove_prefix(self.rfind('/') + 1);
  for (const auto& command : kCommands)
    if (!command.upstreamName.empty() && self == command.upstreamName) return command.run(Args(argv + 1, argv + argc));
  if (argc < 2) return usage(2);
  std::string_view name = argv[1];
  if (name == "help" || name == "--help" || name == "-h") return usage(0);
  for (const auto& command : kCommands)
    if (command.name == name) return command.run(Args(argv + 2, argv + argc));
  std::fprintf(stderr, "skiff: unknown command %s\n\n", skiff::quoted(name).c_str());
  return usage(2);
}
