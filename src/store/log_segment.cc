#include "store/log_segment.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "store/crc32c.h"
#include "store/record_format.h"
#include "store/stored_bytes.h"

namespace skiff::store {
namespace {

constexpr std::string_view kMagic = "SKLOG001";
constexpr size_t kBatchHeader = 2 * sizeof(uint32_t);                                    // size, checksum
constexpr size_t kChangeHeader = sizeof(Revision) + sizeof(uint8_t) + sizeof(uint32_t);  // revision, kind, size

enum class Kind : uint8_t { Put, Removed };

struct BatchHeader {
  uint32_t size, checksum;
};

BatchHeader salted(BatchHeader plain, uint64_t salt) {
  return {plain.size ^ static_cast<uint32_t>(salt), plain.checksum ^ static_cast<uint32_t>(salt >> 32)};
}

std::optional<SegmentHeader> decodeHeader(std::string_view bytes) {
  if (bytes.size() < SegmentHeader::kBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  std::string_view in = bytes.substr(kMagic.size());
  SegmentHeader header;
  header.salt = cutNumber<uint64_t>(in);
  header.start = cutNumber<Revision>(in);
  std::string_view before = bytes.substr(0, SegmentHeader::kBytes - sizeof(uint32_t));
  if (cutNumber<uint32_t>(in) != crc32c(before)) return std::nullopt;
  return header;
}

size_t sizeOf(const Event& event) {
  if (event.type == Event::Type::Delete) return event.record->key().size();
  return encodedSize(*event.record, KeyPlace::Inside);
}

char* putChange(char* at, const Event& event) {
  bool removed = event.type == Event::Type::Delete;
  size_t size = sizeOf(event);
  at = put(at, event.revision);
  at = put(at, static_cast<uint8_t>(removed ? Kind::Removed : Kind::Put));
  at = put(at, static_cast<uint32_t>(size));
  if (removed) return put(at, event.record->key());
  encodeRecord(*event.record, KeyPlace::Inside, at);
  return at + size;
}

// The content of the batch at the front; nothing when it is not sound.
std::optional<std::string_view> bodyOf(std::string_view in, uint64_t salt) {
  if (in.size() < kBatchHeader) return std::nullopt;
  auto size = cutNumber<uint32_t>(in), checksum = cutNumber<uint32_t>(in);
  BatchHeader header = salted({size, checksum}, salt);
  if (header.size > in.size() || header.size < kChangeHeader) return std::nullopt;
  std::string_view body = in.substr(0, header.size);
  if (crc32c(body) != header.checksum) return std::nullopt;
  return body;
}

Result<LogChange> cutChange(std::string_view& in) {
  if (in.size() < kChangeHeader) return internalError("a change is cut short");
  auto revision = cutNumber<Revision>(in);
  auto kind = cutNumber<uint8_t>(in);
  auto size = cutNumber<uint32_t>(in);
  if (kind > static_cast<uint8_t>(Kind::Removed) || size > in.size()) return internalError("a change is cut short");
  std::string_view body = cutBytes(in, size);
  if (static_cast<Kind>(kind) == Kind::Removed) return LogChange{revision, std::string(body), nullptr};
  RecordPtr record = TRY(decodeRecord({}, body));
  if (record->modRevision() != revision) return internalError("a record is of another revision");
  return LogChange{revision, record->key(), record};
}

Status readBatch(std::string_view body, std::vector<LogChange>& changes) {
  while (!body.empty()) changes.push_back(TRY(cutChange(body)));
  return okStatus();
}

// Each batch is synced before the next one is written: what lies behind a torn one is not sound either.
bool goesOn(std::string_view rest, uint64_t salt) {
  while (!rest.empty()) {
    rest.remove_prefix(1);
    if (bodyOf(rest, salt)) return true;
  }
  return false;
}

Error damaged(std::string_view what, size_t at) { return internalError(concat(what, " at byte ", at)); }

}  // namespace

std::string encodeHeader(const SegmentHeader& header) {
  std::string out(SegmentHeader::kBytes, '\0');
  char* at = put(out.data(), kMagic);
  at = put(at, header.salt);
  at = put(at, header.start);
  put(at, crc32c(std::string_view(out.data(), static_cast<size_t>(at - out.data()))));
  return out;
}

void encodeBatch(std::string& out, uint64_t salt, std::span<const EventPtr> events) {
  size_t size = 0, begin = out.size();
  for (const EventPtr& event : events) size += kChangeHeader + sizeOf(*event);
  out.resize(begin + kBatchHeader + size);
  char* body = out.data() + begin + kBatchHeader;
  char* at = body;
  for (const EventPtr& event : events) at = putChange(at, *event);
  BatchHeader header = salted({static_cast<uint32_t>(size), crc32c({body, size})}, salt);
  put(put(out.data() + begin, header.size), header.checksum);
}

Result<std::vector<LogChange>> readSegment(std::string_view bytes, Revision start, Revision end) {
  std::optional<SegmentHeader> header = decodeHeader(bytes);
  if (!header || header->start != start) return internalError("it has no sound header");
  std::vector<LogChange> changes;
  size_t at = SegmentHeader::kBytes;
  Revision newest = start;
  while (newest < end) {
    std::optional<std::string_view> body = bodyOf(bytes.substr(at), header->salt);
    if (!body && end != kNoEnd) return damaged("it has no sound batch", at);
    if (!body && goesOn(bytes.substr(at), header->salt)) return damaged("it has no sound batch, but later ones,", at);
    if (!body) break;
    size_t before = changes.size();
    if (Status read = readBatch(*body, changes); !read.ok()) return damaged(read.error().message(), at);
    for (size_t i = before; i < changes.size(); ++i)
      if (changes[i].revision != ++newest) return damaged("a revision is not the next one", at);
    at += kBatchHeader + body->size();
  }
  if (end != kNoEnd && newest != end) return internalError("it leads beyond the next one's start");
  return changes;
}

}  // namespace skiff::store
