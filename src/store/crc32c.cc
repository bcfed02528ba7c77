#include "store/crc32c.h"

#include <isa-l/crc.h>

namespace skiff::store {

uint32_t crc32c(std::string_view bytes, uint32_t previous) {
  // isa-l takes an int length and neither inverts before nor after. It reads only, despite the missing const.
  constexpr size_t kChunk = size_t{1} << 30;
  uint32_t state = ~previous;
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, kChunk);
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(part.data()));
    state = crc32_iscsi(data, static_cast<int>(part.size()), state);
    bytes.remove_prefix(part.size());
  }
  return ~state;
}

}  // namespace skiff::store
