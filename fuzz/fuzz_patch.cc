// The three patches: inputs stay as they are, results live in their own arena, what must be repeatable is.
//   kind of patch, type, object \0 patch
#include "api/convert.h"
#include "api/patch.h"
#include "base/result.h"
#include "codec/json.h"
#include "fuzz/input.h"

using namespace skiff;
using namespace skiff::api;
using codec::Arena;
using codec::Value;

namespace {

const TypeInfo& typeOf(uint8_t choice) {
  static const TypeInfo* types[] = {findType("core/v1", "Pod"), findType("apps/v1", "Deployment"),
                                    findType("core/v1", "Service")};
  return *types[choice % std::size(types)];
}

enum class PatchKind { Json, Merge, Strategic };

Result<Value> patched(PatchKind kind, const TypeInfo& type, const Value& object, const Value& patch, Arena& arena) {
  switch (kind) {
    case PatchKind::Json:
      return applyJsonPatch(object, patch, arena);
    case PatchKind::Merge:
      return applyMergePatch(object, patch, arena);
    case PatchKind::Strategic:
      break;
  }
  return applyStrategicMergePatch(type, object, patch, arena);
}

// The API server's next steps.
void finish(Value& result, const TypeInfo& type, Arena& arena) {
  DecodeReport report;
  if (!conform(result, type, arena, report).ok()) return;
  std::string once = codec::toJson(result);
  DecodeReport again;
  MUST(conform(result, type, arena, again).ok() && again.unknownFields.empty() && codec::toJson(result) == once);
  applyDefaults(result, type, arena);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  auto kind = PatchKind(input.byte() % 3);
  const TypeInfo& type = typeOf(input.byte());
  std::string_view objectText = input.until('\0');
  Arena result, twice;
  Value outcome;
  {
    Arena own, other;
    auto object = codec::parseJson(objectText, own);
    auto patch = codec::parseJson(input.rest(), other);
    if (!object.ok() || !patch.ok() || !checkPatchDepth(*object).ok()) return 0;
    DecodeReport report;
    if (!conform(*object, type, own, report).ok()) return 0;
    std::string objectBefore = codec::toJson(*object), patchBefore = codec::toJson(*patch);
    auto first = patched(kind, type, *object, *patch, result);
    MUST(codec::toJson(*object) == objectBefore && codec::toJson(*patch) == patchBefore);
    if (!first.ok()) return 0;
    outcome = *first;
    if (kind == PatchKind::Merge) {
      auto second = patched(kind, type, outcome, *patch, twice);
      MUST(second.ok() && *second == outcome);
    }
  }
  finish(outcome, type, result);
  return 0;
}
