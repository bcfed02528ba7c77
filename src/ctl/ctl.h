// The command line: kubectl's commands, flags, output and kubeconfig rules.
#pragma once
#include <string>
#include <vector>

namespace skiff::ctl {

// Arguments without the program's name. Returns the exit code; prints on stdout and stderr.
int kubectl(const std::vector<std::string>& args);

}  // namespace skiff::ctl
