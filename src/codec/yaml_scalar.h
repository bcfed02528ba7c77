// What a plain YAML 1.1 scalar means, as go-yaml resolves it. The reader gives values by it, and the writer quotes
// every string that would not come back as a string.
#pragma once
#include <cstdint>
#include <string_view>

namespace skiff::codec {

struct PlainScalar {
  enum class Kind : uint8_t { String, Null, Bool, Int, Double, Timestamp, Merge };
  Kind kind = Kind::String;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
};

PlainScalar resolvePlain(std::string_view text);
// 1:30 is 90 for YAML 1.1 readers other than go-yaml; the writer quotes it for their sake.
bool isSexagesimal(std::string_view text);

}  // namespace skiff::codec
