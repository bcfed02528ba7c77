// Objects that every cluster has from its first moment.
#pragma once
#include <string>
#include <vector>

#include "apiserver/registry.h"

namespace skiff::apiserver {

// Creates those that are absent; what exists is left as it is, but that roles and bindings get what they lack. Few syncs for all.
Status createBootstrapObjects(Registry& registry, const std::vector<std::string>& objects);

}  // namespace skiff::apiserver
