// APIServices of what this server serves itself: those of custom resources come and go with their definitions. (Those of
// built-in groups are among the objects a new server begins with.)
#pragma once
#include "apiserver/registry.h"

namespace skiff::apiserver {

// Creates what is missing and deletes what is no longer served; an APIService that somebody else has made is left alone.
void syncLocalApiServices(Registry& registry);

}  // namespace skiff::apiserver
