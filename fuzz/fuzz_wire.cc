// Reads messages to a depth, never out of bounds; a message that reads whole is written back with the same meaning.
#include <algorithm>

#include "base/result.h"
#include "codec/wire.h"

using namespace skiff::codec;

namespace {
bool readAll(std::string_view bytes, int depth, std::string* out) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.type() == WireType::Varint) {
      writeVarintField(*out, reader.field(), reader.varint());
    } else if (reader.type() == WireType::Bytes) {
      writeBytesField(*out, reader.field(), reader.bytes());
      std::string inner;
      if (depth > 0) readAll(reader.bytes(), depth - 1, &inner);
    }
  }
  return !reader.failed();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string out, again;
  if (!readAll({reinterpret_cast<const char*>(data), size}, 8, &out)) return 0;
  MUST(readAll(out, 0, &again) && again == out);
  return 0;
}
