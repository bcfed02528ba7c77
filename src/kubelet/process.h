// Child programs: a short one run to its end, or a daemon that outlives us.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::kubelet {

struct ProgramOutput {
  int exitCode = 0;  // 128 + signal when killed by one
  std::string output;  // stdout and stderr together, at most 64 KiB
};
// Runs it with `input` on stdin, kills it after the timeout (Reason::Timeout).
Result<ProgramOutput> runProgram(const std::vector<std::string>& command, milliseconds timeout,
                                 std::string_view input = {});
// In a session of its own, so that neither our end nor a terminal's signals reach it; its output goes to a file.
Result<pid_t> startDaemon(const std::vector<std::string>& command, const std::string& logPath);
// First of the folders of $PATH and the system's sbin folders that has it; "" when none has.
std::string findProgram(std::string_view name);

}  // namespace skiff::kubelet
