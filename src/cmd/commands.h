// The commands of the binary: each takes its arguments and gives the exit code.
#pragma once
#include <string>
#include <vector>

namespace skiff::cmd {

using Args = std::vector<std::string>;

// The whole cluster in one process.
int runUp(const Args& args);
int runDown(const Args& args);
int runStatus(const Args& args);

// Roles alone, each with a kubeconfig.
int runApiServer(const Args& args);
int runControllerManager(const Args& args);
int runScheduler(const Args& args);
int runKubelet(const Args& args);
int runProxy(const Args& args);
int runDns(const Args& args);

int runStore(const Args& args);  // verify | snapshot | restore

// Prints "skiff: message" and gives 1.
int fail(const std::string& message);

}  // namespace skiff::cmd
