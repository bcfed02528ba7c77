// Objects through the tables: what conforms stays as it is, and its protobuf says the same each
// time round. The first byte picks the door, the second a kind.
#include "api/convert.h"
#include "base/result.h"
#include "codec/json.h"

using namespace skiff;
using namespace skiff::api;

namespace {
const TypeInfo& kindOf(uint8_t choice) {
  constexpr std::pair<std::string_view, std::string_view> kinds[] = {
      {"core/v1", "Pod"},
      {"core/v1", "Service"},
      {"core/v1", "Secret"},
      {"core/v1", "Node"},
      {"apps/v1", "StatefulSet"},
      {"apiextensions/v1", "CustomResourceDefinition"},
      {"coordination/v1", "Lease"},
      {"authentication/v1", "TokenReview"},
      {"autoscaling/v2", "HorizontalPodAutoscaler"},
      {"meta/v1", "Status"},
      {"admissionregistration/v1", "ValidatingWebhookConfiguration"}};
  const auto& [package, name] = kinds[choice % std::size(kinds)];
  return *findType(package, name);
}

void checkTree(codec::Value value, const TypeInfo& type, codec::Arena& arena) {
  std::string once = codec::toJson(value);
  DecodeReport again;
  MUST(conform(value, type, arena, again).ok());
  MUST(again.unknownFields.empty() && codec::toJson(value) == once);
  std::string bytes, second;
  MUST(encodeProtobuf(value, type, bytes).ok());
  auto decoded = decodeProtobuf(bytes, type, arena);
  if (!decoded.ok()) return;  // deeper than protobuf may be
  MUST(encodeProtobuf(*decoded, type, second).ok());
  MUST(bytes == second);
  applyDefaults(value, type, arena);
  std::string filled = codec::toJson(value);
  applyDefaults(value, type, arena);
  MUST(codec::toJson(value) == filled);
}

void fuzzJson(std::string_view text, const TypeInfo& type) {
  codec::Arena arena;
  auto value = codec::parseJson(text, arena, {.maxDepth = 200});
  DecodeReport report;
  if (value.ok() && conform(*value, type, arena, report).ok()) checkTree(*value, type, arena);
}

void fuzzProtobuf(std::string_view bytes, const TypeInfo& type) {
  codec::Arena arena;
  auto value = decodeProtobuf(bytes, type, arena);
  DecodeReport report;
  // Strings of protobuf may hold what JSON would refuse: a quantity, a time out of form.
  if (value.ok() && conform(*value, type, arena, report).ok()) checkTree(*value, type, arena);
  auto envelope = unwrapProtobuf(bytes);
  if (envelope.ok())
    MUST(unwrapProtobuf(wrapProtobuf(envelope->apiVersion, envelope->kind, envelope->raw)).ok());
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] % 2 == 0)
    fuzzJson(rest, kindOf(data[1]));
  else
    fuzzProtobuf(rest, kindOf(data[1]));
  return 0;
}
