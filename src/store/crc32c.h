// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of stored records.
#pragma once
#include <cstdint>
#include <string_view>

namespace skiff::store {

// The checksum of a sequence is crc32c(second, crc32c(first)).
uint32_t crc32c(std::string_view bytes, uint32_t previous = 0);

}  // namespace skiff::store
