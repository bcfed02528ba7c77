// The three patches of the API on value trees. Inputs are never changed, the result is whole in `arena`; the caller
// brings it into the type's form (conform), defaults and validates it.
#pragma once
#include <string>

#include "api/schema.h"
#include "base/result.h"
#include "codec/value.h"

namespace skiff::api {

// Patches and objects nested deeper are refused: the walks recurse, and worker stacks are small. CustomResourceDefinitions
// with deep schemas, the deepest objects seen in practice, stay below 100.
inline constexpr int kMaxPatchDepth = 256;

// RFC 6902 with upstream's habits: negative indices count from the end, `add` and `replace` as evanphx/json-patch.
// A patch that cannot be applied is Invalid in the API server's general words; one of the wrong form is a BadRequest.
Result<codec::Value> applyJsonPatch(const codec::Value& object, const codec::Value& patch, codec::Arena& arena);

// RFC 7386.
Result<codec::Value> applyMergePatch(const codec::Value& object, const codec::Value& patch, codec::Arena& arena);

// https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch: merges lists by the keys
// in the type's tables. Directives: $patch, $retainKeys, $setElementOrder/x, $deleteFromPrimitiveList/x.
Result<codec::Value> applyStrategicMergePatch(const TypeInfo& type, const codec::Value& object,
                                              const codec::Value& patch, codec::Arena& arena);

// As Go's %v shows decoded JSON: map[a:1 b:[x y]]. Upstream's patch errors carry such text.
std::string goText(const codec::Value& value);

// BadRequest when the tree is deeper than kMaxPatchDepth.
Status checkPatchDepth(const codec::Value& value);

}  // namespace skiff::api
