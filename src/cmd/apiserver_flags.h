// The API server's flags for fairness and evidence, named as upstream's.
#pragma once
#include "apiserver/server.h"
#include "base/flags.h"

namespace skiff::cmd {

void addFairnessFlags(Flags& flags, apiserver::flow::FlowOptions& options);

}  // namespace skiff::cmd
