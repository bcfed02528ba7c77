// `skiff down` and `skiff status`: what may be said to a running instance from outside.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/flags.h"
#include "base/strings.h"
#include "client/client.h"
#include "cmd/commands.h"
#include "cmd/files.h"
#include "cmd/instance.h"
#include "cmd/up.h"
#include "gen/core_v1.h"
#include "kubelet/kubelet.h"
#include "proxy/proxy.h"
#include "rt/stop.h"

namespace skiff::cmd {
namespace {

constexpr milliseconds kStopTimeout{30000}, kPoll{20};

// Nobody else's signal tells of another process's end: ask until it is gone.
bool waitUntilGone(const std::string& dataDir) {
  rt::StopSignal never;
  for (milliseconds waited{0}; waited < kStopTimeout; waited += kPoll) {
    if (runningPid(dataDir) == 0) return true;
    never.waitFor(kPoll);
  }
  return false;
}

Status stopInstance(const std::string& dataDir) {
  int pid = runningPid(dataDir);
  if (pid == 0) return okStatus();
  if (kill(pid, SIGTERM) != 0) return internalError(concat("cannot signal process ", pid));
  if (!waitUntilGone(dataDir)) return Error(Reason::Timeout, concat("process ", pid, " did not stop"));
  return okStatus();
}

}  // namespace

int runDown(const Args& args) {
  std::string dataDir = "/var/lib/skiff";
  bool purge = false, help = false;
  Flags flags;
  flags.text("data-dir", &dataDir, "the cluster's data directory")
      .boolean("purge", &purge, "remove all its data")
      .boolean("help", &help, "this text", 'h');
  auto parsed = flags.parse(args);
  if (!parsed.ok()) return fail(parsed.error().message());
  if (help) return std::printf("Usage: skiff down [flags]\n\n%s", flags.usage().c_str()), 0;
  if (auto stopped = stopInstance(dataDir); !stopped.ok()) return fail(stopped.error().message());
  if (auto gone = kubelet::tearDownNode({.rootDir = dataDir + "/kubelet", .runtimeDir = dataDir}); !gone.ok())
    return fail(gone.error().message());
  bool mayHaveRules = geteuid() == 0 && exists("/usr/sbin/nft");
  if (mayHaveRules)
    if (auto removed = proxy::removeRules(serviceTableName(dataDir)); !removed.ok()) return fail(removed.error().message());
  if (!purge) return 0;
  std::error_code error;
  std::filesystem::remove_all(dataDir, error);
  return error ? fail(concat("cannot remove ", dataDir, ": ", error.message())) : 0;
}

int runStatus(const Args& args) {
  std::string dataDir = "/var/lib/skiff";
  Flags flags;
  flags.text("data-dir", &dataDir, "the cluster's data directory");
  if (auto parsed = flags.parse(args); !parsed.ok()) return fail(parsed.error().message());
  int pid = runningPid(dataDir);
  if (pid == 0) return std::printf("not running (data directory %s)\n", dataDir.c_str()), 3;
  std::printf("running: pid %d, kubeconfig %s/admin.kubeconfig\n", pid, dataDir.c_str());
  auto config = client::loadKubeconfig({.path = dataDir + "/admin.kubeconfig"});
  if (!config.ok()) return fail(config.error().message());
  auto transport = client::httpTransport(*config);
  if (!transport.ok()) return fail(transport.error().message());
  client::Client client(std::move(*transport), "skiff");
  auto ready = client.transport().raw({.method = "GET", .path = "/readyz"});
  std::printf("api server: %s at %s\n", ready.ok() ? "ready" : ready.error().message().c_str(), config->server.c_str());
  auto nodes = client.list<api::core::v1::Node>();
  if (!nodes.ok()) return fail(nodes.error().message());
  for (const auto& node : *nodes) {
    std::string state = "NotReady";
    for (const auto& condition : node.status.conditions)
      if (condition.type == "Ready" && condition.status == "True") state = "Ready";
    std::printf("node %s: %s\n", node.metadata.name.c_str(), state.c_str());
  }
  return 0;
}

}  // namespace skiff::cmd
