// The same object in another version of its resource: api/conversion.h for built-ins, another name for custom resources.
#pragma once
#include "api/schema.h"
#include "apiserver/resource_map.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::apiserver {

// In place; new values go to the arena. `custom` is null for built-ins. With a converter of its own (webhook) it blocks.
Status convertObject(codec::Value& object, const api::ResourceInfo& from, const api::ResourceInfo& to,
                     const CustomResource* custom, codec::Arena& arena);
// From the served version into the one that is stored; what is new there gets its defaults.
Status toStorageVersion(codec::Value& object, const ServedResource& resource, codec::Arena& arena);
// A custom resource's object, in whatever version of it, brought into `to` with its metadata unchanged; pruned and defaulted.
Status convertCustom(codec::Value& object, const CustomResource& custom, const CustomVersion& to, codec::Arena& arena);
// What a conversion leaves to do: the form and the defaults of the version.
Status settleCustom(codec::Value& object, const CustomVersion& version, codec::Arena& arena);

}  // namespace skiff::apiserver
