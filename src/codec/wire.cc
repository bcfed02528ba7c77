#include "codec/wire.h"

#include "base/result.h"

namespace skiff::codec {
namespace {
constexpr size_t kMaxVarint = 10;

uint64_t littleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

size_t encodeVarint(char (&buffer)[kMaxVarint], uint64_t value) {
  size_t length = 0;
  for (; value >= 0x80; value >>= 7) buffer[length++] = char(value | 0x80);
  buffer[length++] = char(value);
  return length;
}
}  // namespace

bool WireReader::readVarint(uint64_t* value) {
  uint64_t result = 0;
  for (size_t i = 0; i < kMaxVarint && at_ < bytes_.size(); ++i) {
    auto byte = static_cast<unsigned char>(bytes_[at_++]);
    if (i == kMaxVarint - 1 && byte > 1) break;  // over 64 bits
    result |= uint64_t(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return false;
}

bool WireReader::next() {
  if (failed_ || at_ == bytes_.size()) return false;
  failed_ = true;  // until the field is whole
  uint64_t tag = 0;
  if (!readVarint(&tag)) return false;
  uint64_t field = tag >> 3;
  if (field == 0 || field > 0x1fffffff) return false;
  field_ = uint32_t(field);
  type_ = WireType(tag & 7);
  number_ = 0;
  payload_ = {};
  auto take = [this](uint64_t count, std::string_view* part) {
    if (count > bytes_.size() - at_) return false;
    *part = bytes_.substr(at_, size_t(count));
    at_ += size_t(count);
    return true;
  };
  switch (type_) {
    case WireType::Varint:
      if (!readVarint(&number_)) return false;
      break;
    case WireType::Fixed64:
    case WireType::Fixed32: {
      std::string_view raw;
      if (!take(type_ == WireType::Fixed64 ? 8 : 4, &raw)) return false;
      number_ = littleEndian(raw);
      break;
    }
    case WireType::Bytes: {
      uint64_t length = 0;
      if (!readVarint(&length) || !take(length, &payload_)) return false;
      break;
    }
    default:  // groups are long gone from the format
      return false;
  }
  failed_ = false;
  return true;
}

void writeVarint(std::string& out, uint64_t value) {
  char buffer[kMaxVarint];
  out.append(buffer, encodeVarint(buffer, value));
}

void writeTag(std::string& out, uint32_t field, WireType type) {
  writeVarint(out, uint64_t(field) << 3 | uint64_t(type));
}

void writeVarintField(std::string& out, uint32_t field, uint64_t value) {
  writeTag(out, field, WireType::Varint);
  writeVarint(out, value);
}

void writeBytesField(std::string& out, uint32_t field, std::string_view bytes) {
  writeTag(out, field, WireType::Bytes);
  writeVarint(out, bytes.size());
  out += bytes;
}

// One byte is kept for the length: most messages are shorter than 128 bytes, so ending them moves nothing.
size_t beginMessage(std::string& out, uint32_t field) {
  writeTag(out, field, WireType::Bytes);
  out += '\0';
  return out.size();
}

void endMessage(std::string& out, size_t mark) {
  MUST(mark > 0 && mark <= out.size());
  char buffer[kMaxVarint];
  size_t length = encodeVarint(buffer, out.size() - mark);
  out[mark - 1] = buffer[0];
  if (length > 1) out.insert(mark, buffer + 1, length - 1);
}

}  // namespace skiff::codec
