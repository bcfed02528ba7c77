// Runs a helper program to its end: nft, ctr, mount helpers.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff {

struct ProcessResult {
  int exitCode = 0;  // 128 + signal when a signal ended it
  std::string output, errors;  // each cut at 1 MiB
};
// argv[0] is looked up on PATH. Killed, with Reason::Timeout, when the time is over.
Result<ProcessResult> runProcess(const std::vector<std::string>& argv, std::string_view input,
                                 std::chrono::milliseconds timeout);

}  // namespace skiff
