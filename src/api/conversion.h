// The same object in another version of its API: most versions differ in name only, the few that
// differ in form have a function each. Lossless as upstream's: what a version cannot say rides in
// annotations where upstream puts it there.
#pragma once
#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// In place, of a conformed tree of kind `from`; the result is conformed to `to` and carries its
// apiVersion and kind. Fields that the other version does not have are lost. New values go to the
// arena.
Status convert(codec::Value& object, const TypeInfo& from, const TypeInfo& to, codec::Arena& arena);

}  // namespace skiff::api
