// Flags like --request-timeout=1m30s, as Go writes durations.
#pragma once
#include <chrono>
#include <string>

#include "base/flags.h"

namespace skiff::cmd {

void addDuration(Flags& flags, std::string name, std::chrono::milliseconds* to, std::string help);
void addDuration(Flags& flags, std::string name, std::chrono::seconds* to, std::string help);

}  // namespace skiff::cmd
