// The same object in another version of its resource: api/conversion.h for built-ins, another name for custom resources.
#pragma once
#include "api/schema.h"
#include "apiserver/resource_map.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::apiserver {

// In place; new values go to the arena.
Status convertObject(codec::Value& object, const api::ResourceInfo& from, const api::ResourceInfo& to, bool custom,
                     codec::Arena& arena);

}  // namespace skiff::apiserver
