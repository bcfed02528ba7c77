#include "store/record_format.h"

#include "store/crc32c.h"
#include "store/stored_bytes.h"

namespace skiff::store {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint8_t kKeyInside = 1;
constexpr size_t kHeader = 2 + 3 * sizeof(int64_t);
constexpr size_t kChecksum = sizeof(uint32_t);

// One allocation for count and bytes: there are many records.
SharedBytes copyOf(std::string_view bytes) {
  if (bytes.empty()) return {};
  auto owned = std::make_shared_for_overwrite<char[]>(bytes.size());
  std::memcpy(owned.get(), bytes.data(), bytes.size());
  std::string_view view(owned.get(), bytes.size());
  return {view, std::move(owned)};
}

}  // namespace

size_t encodedSize(const Record& record, KeyPlace place) {
  size_t keySize = place == KeyPlace::Inside ? sizeof(uint32_t) + record.key().size() : 0;
  return kHeader + keySize + record.value().size() + kChecksum;
}

void encodeRecord(const Record& record, KeyPlace place, char* out) {
  char* at = put(out, kFormat);
  at = put(at, place == KeyPlace::Inside ? kKeyInside : uint8_t{0});
  at = put(at, record.createRevision());
  at = put(at, record.modRevision());
  at = put(at, record.expiry().time_since_epoch().count());
  if (place == KeyPlace::Inside) {
    at = put(at, static_cast<uint32_t>(record.key().size()));
    at = put(at, record.key());
  }
  at = put(at, record.value().view());
  std::string_view before(out, static_cast<size_t>(at - out));
  put(at, crc32c(before, crc32c(record.key())));
}

Result<RecordPtr> decodeRecord(std::string_view key, std::string_view stored) {
  if (stored.size() < kHeader + kChecksum) return internalError("record is cut short");
  std::string_view body = stored.substr(0, stored.size() - kChecksum);
  std::string_view tail = stored.substr(body.size());
  auto checksum = cutNumber<uint32_t>(tail);

  std::string_view rest = body;
  auto format = cutNumber<uint8_t>(rest);
  if (format != kFormat) return internalError("record has an unknown format");
  auto flags = cutNumber<uint8_t>(rest);
  auto created = cutNumber<int64_t>(rest);
  auto modified = cutNumber<int64_t>(rest);
  auto expiry = cutNumber<int64_t>(rest);
  if (((flags & kKeyInside) != 0) != key.empty()) return internalError("record has a misplaced key");
  if (flags & kKeyInside) {
    if (rest.size() < sizeof(uint32_t)) return internalError("record is cut short");
    auto size = cutNumber<uint32_t>(rest);
    if (size == 0 || size > rest.size()) return internalError("record is cut short");
    key = cutBytes(rest, size);
  }
  if (checksum != crc32c(body, crc32c(key))) return internalError("record fails its checksum");
  if (created < 1 || modified < created) return internalError("record has impossible revisions");
  return std::make_shared<const Record>(std::string(key), copyOf(rest), created, modified,
                                        nullptr, WallTime(microseconds(expiry)));
}

}  // namespace skiff::store
