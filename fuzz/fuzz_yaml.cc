// Whatever parses must be written as YAML and read back the same.
#include <algorithm>

#include "base/result.h"
#include "codec/json.h"
#include "codec/yaml.h"

using namespace skiff::codec;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Arena arena;
  std::vector<std::string> duplicates;
  (void)parseYamlStream(text);
  auto value = parseYaml(text, arena, &duplicates);
  if (!value.ok()) return 0;
  // The emitter folds the Unicode line separators, as upstream's does, and "<<" is a merge key again.
  std::string json = toJson(*value);
  for (std::string_view lossy : {"\\u2028", "\\u2029", "\xC2\x85", "\\u003c\\u003c"})
    if (json.find(lossy) != json.npos) return 0;
  auto again = parseYaml(toYaml(*value), arena);
  MUST(again.ok() && toJsonSorted(*again) == toJsonSorted(*value));
  return 0;
}
