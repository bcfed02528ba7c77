// metadata of every object: what the server sets by itself, and what an update takes over from the live object.
// What is valid is strategies/object_meta.h.
#pragma once
#include <string_view>

#include "base/clock.h"
#include "codec/value.h"

namespace skiff::apiserver {

// A new object's uid, creationTimestamp and namespace; fields that only the server sets are cleared.
void initMetadata(codec::Value& object, codec::Arena& arena, std::string_view ns, WallTime now);
// Takes over from the live object what an update cannot change.
void carryMetadata(codec::Value& object, const codec::Value& old, codec::Arena& arena);

bool hasFinalizers(const codec::Value& object);
bool isDeleting(const codec::Value& object);

}  // namespace skiff::apiserver
