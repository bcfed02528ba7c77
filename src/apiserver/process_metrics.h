// process_* of this process, and kubernetes_build_info.
#pragma once
#include <string>

#include "base/clock.h"

namespace skiff::apiserver {

void writeProcessMetrics(std::string& out, WallTime started);

}  // namespace skiff::apiserver
