// Objects that every cluster has from its first moment.
#pragma once
#include <string>
#include <vector>

#include "apiserver/registry.h"

namespace skiff::apiserver {

// Creates those that are absent; what exists is left as it is. One sync for all of them.
Status createBootstrapObjects(Registry& registry, const std::vector<std::string>& objects);

}  // namespace skiff::apiserver
