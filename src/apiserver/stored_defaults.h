// What upstream adds whenever it reads an object: it is not in what it has stored. Objects of our own have it already.
#pragma once
#include "api/schema.h"
#include "codec/value.h"

namespace skiff::apiserver {

void applyStoredDefaults(codec::Value& object, const api::ResourceInfo& storage, codec::Arena& arena);

}  // namespace skiff::apiserver
