// The stored form of a record, with a checksum over key and value so that rot is seen.
//
//   byte 0   format (1)
//        1   flags: bit 0: the whole key follows the header (it was too long to be the engine's key)
//        2   create revision, mod revision, expiry in microseconds since 1970 or 0: 8 bytes each, little endian
//       26   [u32 key length, key]   only with bit 0
//            value
//   last 4   CRC-32C of the key followed by every byte before
#pragma once
#include <string_view>

#include "store/store.h"

namespace skiff::store {

enum class KeyPlace { Outside, Inside };

size_t encodedSize(const Record& record, KeyPlace place);
void encodeRecord(const Record& record, KeyPlace place, char* out);  // writes encodedSize bytes

// `key` is empty when the key lies inside. The message of the error says what is wrong, without the key.
Result<RecordPtr> decodeRecord(std::string_view key, std::string_view stored);

}  // namespace skiff::store
