// Defaults that depend on other fields: by type, run after the type's own and its children's static
// defaults.
#pragma once
#include "api/schema.h"
#include "codec/value.h"

namespace skiff::api {

// Sets a field of an object, new ones where the tables' order has them. The name must be a field of
// the type.
codec::Value& insertField(codec::Value& object, const TypeInfo& type, std::string_view name,
                          codec::Value value, codec::Arena& arena);
// Does nothing for most types.
void fillSpecialDefaults(codec::Value& object, const TypeInfo& type, codec::Arena& arena);

}  // namespace skiff::api
