// Whatever parses must be written, parsed again and be the same; both string modes agree.
#include <algorithm>

#include "base/result.h"
#include "codec/json.h"

using namespace skiff::codec;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Arena arena;
  std::vector<std::string> duplicates;
  auto value = parseJson(text, arena, {.duplicates = &duplicates});
  auto inPlace = parseJson(text, arena, {.copyStrings = false});
  MUST(value.ok() == inPlace.ok());
  if (!value.ok()) return 0;
  MUST(*value == *inPlace);
  std::string once = toJson(*value);
  auto again = parseJson(once, arena);
  MUST(again.ok() && *again == *value);
  if (once.find("-0") == once.npos) MUST(toJson(*again) == once);  // as with Go, -0.0 is written as -0 and that read as 0
  MUST(value->clone(arena) == *value);
  MUST(*parseJson(toJsonIndented(*value), arena) == *value);
  return 0;
}
