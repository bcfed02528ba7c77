// Defaults that depend on other fields: by type, run after the type's own and its children's static defaults.
#pragma once
#include "api/schema.h"
#include "codec/value.h"

namespace skiff::api {

using SpecialDefaults = void (*)(codec::Value& object, codec::Arena& arena);
// Null for most types.
SpecialDefaults specialDefaults(const TypeInfo& type);

}  // namespace skiff::api
